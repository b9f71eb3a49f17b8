"""Stage: a library for this machine, its weights, dictionaries → the words that the model gets wrong, as a table."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from g2p_build.errors import BuildError
from g2p_build.lexicon.exceptions import exceptions_table
from g2p_build.lexicon.said import said_by_model
from g2p_build.lexicon.sources import merged, read_lexicon, read_use
from g2p_build.stages.protocol import Stage

__all__ = ["STAGE", "build", "memory", "source_files"]


def source_files(folders: tuple[Path, ...]) -> dict[str, Path]:
    """The files LANG.tsv of the folders: "dictionary/eng-us.tsv" → path.

    Args:
        folders: of dictionaries, and perhaps of lists of how much words are used.

    Raises:
        BuildError: a folder has no such files.
    """
    found: dict[str, Path] = {}
    for role, folder in zip(("dictionary", "use"), folders, strict=False):
        files = sorted(folder.glob("*.tsv"))
        if not files:
            raise BuildError(f"the folder {folder} has no files LANG.tsv: name another")
        found |= {f"{role}/{file.name}": file for file in files}
    return found


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Upper bound of a run's memory in bytes, without the worker's own: the words, and what the library needs."""
    return 300_000_000 + 20 * sum(path.stat().st_size for path in inputs.values())


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `exceptions.g2plex`.

    Args:
        params: `max_bytes`, of the table.
        inputs: `library` (a shared library that runs here), `weights.safetensors`, `tokenizer.json`, and the files from
            `source_files`.
        out: an empty folder.

    Raises:
        BuildError: a dictionary cannot be read, none is of the model's languages, or the library does not run.
    """
    model = json.loads(inputs["tokenizer.json"].read_bytes())
    text = model["text"]
    files = {role: _by_language(inputs, role, model["languages"]) for role in ("dictionary", "use")}
    if not files["dictionary"]:
        raise BuildError(f"no dictionary is of a language of the model, which are {', '.join(model['languages'])}")
    dictionary = merged(read_lexicon(path, lang, text) for lang, path in files["dictionary"].items())
    use = {lang: read_use(path, lang, text) for lang, path in files["use"].items()}
    said = said_by_model(inputs["library"], inputs["weights.safetensors"], model, dictionary)
    (out / "exceptions.g2plex").write_bytes(exceptions_table(dictionary, said, text, use, params["max_bytes"]))


def _by_language(inputs: Mapping[str, Path], role: str, languages: Sequence[str] | None) -> dict[str, Path]:
    found = {Path(name).stem: path for name, path in inputs.items() if name.startswith(f"{role}/")}
    return {lang: path for lang, path in sorted(found.items()) if languages is None or lang in languages}


STAGE = Stage(build, memory=memory, source_files=source_files, shows_progress=True)

"""Stage: a table, or words with pronunciations, or words alone and a model that says them → a draft table."""

import hashlib
import json
import shutil
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from g2p_build.errors import BuildError
from g2p_build.stages.protocol import Stage
from g2p_build.store.files import canonical_json

__all__ = ["STAGE", "build", "memory", "source_files"]

TABLE = ".g2pdraft"
LISTS = (".tsv", ".txt")


def source_files(folders: tuple[Path, ...]) -> dict[str, Path]:
    """The table or the lists: "words/eng-us.tsv" → path.

    Args:
        folders: one: a table, a file LANG.tsv or LANG.txt, or a folder of such files.

    Raises:
        BuildError: it is not there, or has no such files, or two for one language.
    """
    [place] = folders
    files = sorted(file for file in place.iterdir() if file.suffix in LISTS) if place.is_dir() else [place]
    if not files or not files[0].is_file():
        raise BuildError(f"draft {place} is not there: give a file *{TABLE}, LANG.tsv or LANG.txt, or a folder of such")
    if len({file.stem for file in files}) < len(files):
        raise BuildError(f"the folder {place} has a LANG.tsv and a LANG.txt for one language: leave one of them")
    return {f"words/{file.name}" if file.suffix in LISTS else file.name: file for file in files}


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Upper bound of a run's memory in bytes, without the worker's own: what aligning takes, by the longest list."""
    return 400_000_000 + 100 * max(path.stat().st_size for path in inputs.values())


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `draft.g2pdraft` and `draft.json`, which says its digest, its size and what it has of each language.

    Args:
        params: `text` (the model's form of text, or None), `languages` (a list, or None if they are not known) and
            `max_bytes` of a language in a table that is made.
        inputs: the files from `source_files`; for words alone also `library` (a shared library that runs here),
            `weights.safetensors` and `tokenizer.json`.
        out: an empty folder.

    Raises:
        BuildError: a file cannot be read or is of no language of the model's, or a table is damaged. One line.
    """
    # Late: a build with nothing to do only asks what this stage depends on.
    from rich.console import Console
    from rich.progress import Progress

    from g2p_build.draft.table import contexts, write_table

    table = out / "draft.g2pdraft"
    given = [path for name, path in inputs.items() if name.endswith(TABLE)]
    if given:
        shutil.copyfile(given[0], table)
    else:
        pairs = _pairs(params, inputs)
        with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress:
            bars = {lang: progress.add_task(lang, total=len(found)) for lang, found in pairs.items()}
            made = write_table(pairs, params["max_bytes"], lambda lang, done: progress.advance(bars[lang], done))
        table.write_bytes(made)
    data = table.read_bytes()
    try:
        languages = contexts(data)
    except (ValueError, struct.error):
        raise BuildError(
            f"{given[0] if given else table}: damaged, or no draft table: copy or build it again"
        ) from None
    description = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "languages": languages}
    (out / "draft.json").write_bytes(canonical_json(description) + b"\n")


def _pairs(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> dict[str, list[tuple[str, str]]]:
    """Language → words in their language's form with what they are said as, sorted."""
    from g2p_build.lexicon.said import said_by_model
    from g2p_build.lexicon.sources import read_lexicon
    from g2p_build.runtime.lexicon import spellings

    text, languages = params["text"], params["languages"]
    files = {Path(name).stem: path for name, path in inputs.items() if name.startswith("words/")}
    files = {lang: path for lang, path in sorted(files.items()) if languages is None or lang in languages}
    if not files:
        raise BuildError(f"no list of words is of a language of the model, which are {', '.join(languages)}")
    if "library" in inputs:
        model = json.loads(inputs["tokenizer.json"].read_bytes())
        words = {lang: _words(path) for lang, path in files.items()}
        said = said_by_model(inputs["library"], inputs["weights.safetensors"], model, words)
    else:
        read = {lang: read_lexicon(path, lang, text)[lang] for lang, path in files.items()}
        said = {lang: {word: each[0] for word, each in found.items()} for lang, found in read.items()}
    return {
        lang: sorted({spellings(text, word, lang)[-1]: each for word, each in found.items() if each}.items())
        for lang, found in said.items()
    }


def _words(path: Path) -> list[str]:
    """The words of a list: a line each, up to the first tab."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BuildError(f"{path} cannot be read: {error}") from None
    return [word for word in dict.fromkeys(line.partition("\t")[0].strip() for line in lines) if word]


STAGE = Stage(build, tools=("numpy",), memory=memory, source_files=source_files, shows_progress=True)

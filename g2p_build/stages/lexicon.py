"""Stage: lexicons from files, and the exceptions → one table. The first lexicon that has a word counts."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from g2p_build.errors import BuildError
from g2p_build.stages.protocol import Stage
from g2p_build.store.files import canonical_json

__all__ = ["STAGE", "build", "source_files"]

TABLE = ".g2plex"
NOTICE = "LEXICON-NOTICE"  # may lie beside a table: licences and notices of other people's work in it


def source_files(folders: tuple[Path, ...]) -> dict[str, Path]:
    """The files of the lexicons: "1/eng-us.tsv" → path. The number says which lexicon comes first.

    Args:
        folders: each a folder of files LANG.tsv, or one such file, or a table.

    Raises:
        BuildError: one of them is not there.
    """
    found: dict[str, Path] = {}
    for number, place in enumerate(folders, 1):
        files = sorted(place.glob("*.tsv")) if place.is_dir() else [place]
        if not files or not files[0].is_file():
            raise BuildError(f"lexicon {place} is not there: give a file LANG.tsv or *{TABLE}, or a folder of LANG.tsv")
        found |= {f"{number}/{file.name}": file for file in files}
        notice = place.with_name(NOTICE)
        if place.suffix == TABLE and notice.is_file():
            found[f"{number}/{NOTICE}"] = notice
    return found


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `lexicon.g2plex` and `lexicon.json`, which says its digest, its size and the languages' words.

    If there are notices, it writes `LEXICON-NOTICE` too.

    Args:
        params: `text` (the model's form of text, or None) and `languages` (a list, or None if they are not known).
        inputs: the files from `source_files`, and `exceptions.g2plex`, if there are exceptions. They come last.
        out: an empty folder.

    Raises:
        BuildError: a file is no lexicon. One line, which names the line in the file.
    """
    # Late: a build with nothing to do only asks what this stage depends on.
    from g2p_build.lexicon.sources import merged, read_lexicon
    from g2p_build.lexicon.table import write_table
    from g2p_build.runtime.lexicon import Table

    table = out / "lexicon.g2plex"
    notices = [inputs[name].read_bytes() for name in sorted(inputs) if name.endswith(f"/{NOTICE}")]
    if notices:
        (out / NOTICE).write_bytes(b"\n".join(dict.fromkeys(notices)))
    read = _in_order(inputs, params["languages"])
    if len(read) == 1 and read[0].endswith(TABLE):
        read_lexicon(inputs[read[0]], "", None)  # it must be whole
        shutil.copyfile(inputs[read[0]], table)
    else:
        table.write_bytes(write_table(merged(read_lexicon(inputs[n], Path(n).stem, params["text"]) for n in read)))
    data = table.read_bytes()
    description = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "words": Table(data, table.name).words,
    }
    (out / "lexicon.json").write_bytes(canonical_json(description) + b"\n")


def _in_order(inputs: Mapping[str, Path], languages: Sequence[str] | None) -> list[str]:
    """The names of the lexicons, the first first. Lists of languages that the model does not know are left out."""
    lists = {name for name in inputs if name.endswith(".tsv") and (languages is None or Path(name).stem in languages)}
    tables = {name for name in inputs if name.endswith(TABLE)}
    return sorted(lists | tables, key=lambda name: (int(name.split("/")[0]) if "/" in name else len(inputs), name))


STAGE = Stage(build, source_files=source_files)

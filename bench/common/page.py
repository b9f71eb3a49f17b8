"""The files that a benchmark leaves: a page, the numbers behind it, and a picture."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.common import machine
from g2p_build.store.files import write_atomically

__all__ = ["head", "image", "table", "write"]


def write(folder: Path, name: str, result: Mapping[str, Any], page: Iterable[str], picture: bytes | None) -> None:
    """Writes `NAME.json`, `NAME.md` and `NAME.svg`.

    Args:
        folder: made if it is not there.
        name: of the files, without an ending.
        result: plain data.
        page: lines of Markdown.
        picture: SVG; None: there is none. An old one goes, as it shows other numbers.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    files = {"json": numbers.encode(), "md": ("\n".join(page) + "\n").encode(), "svg": picture}
    for ending, data in files.items():
        path = folder / f"{name}.{ending}"
        if data is None:
            path.unlink(missing_ok=True)
        else:
            write_atomically(path, data, folder / f".{path.name}.tmp")


def head(title: str, name: str, result: Mapping[str, Any], versions: Mapping[str, str], picture: str = "") -> list[str]:
    """How a page begins: what it is, the command that writes it, the picture, the machine.

    Args:
        title: of the page.
        name: of its files.
        result: has a "command", and the "machine" as `machine.describe` has it.
        versions: of what was measured.
        picture: what `image` gave, for those that have a picture.
    """
    return [
        f"# {title}",
        "",
        f"Written by the command; the numbers behind it are in `{name}.json`.",
        "",
        "```sh",
        result["command"],
        "```",
        "",
        *([picture, ""] if picture else []),
        "## Machine",
        "",
        *machine.lines(result["machine"], versions),
    ]


def image(name: str, shows: str, drawn: bool) -> str:
    """The line that shows a picture, or says why there is none."""
    return (
        f"![{shows}]({name}.svg)" if drawn else "(No picture: it needs matplotlib, which the extra `bench` installs.)"
    )


def table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """A table of at least one row; all have the same fields."""
    return [
        "| " + " | ".join(rows[0]) + " |",
        "|" + "---|" * len(rows[0]),
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in row.values()) + " |" for row in rows),
    ]

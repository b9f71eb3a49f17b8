"""The result as tables: for a terminal, as the document that is kept, and in the page that explains it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.accuracy.plot import svg
from bench.common import page
from bench.common.spread import Spread, digits
from g2p_build.errors import BuildError
from g2p_build.store.files import write_atomically

__all__ = ["FILES", "fill", "markdown", "tables", "write"]

FILES = "accuracy"
"""Name, without its ending, of the files that a report is kept in."""

BEGIN, END = "<!-- tables: `doit bench accuracy` writes them -->", "<!-- end of the tables -->"

Row = Mapping[str, Any]
Cells = list[dict[str, str]]


def write(folder: Path, result: Row) -> None:
    """Writes the document, the numbers and the picture: `accuracy.md`, `.json` and `.svg`.

    Args:
        folder: made if it is not there.
        result: as `command.compare` returns it, with the "command" that gives it again.

    Raises:
        OSError: the folder cannot be written.
    """
    picture = svg(result["rows"])
    page.write(folder, FILES, result, markdown(result, picture is not None), picture)


def fill(explained: Path, result: Row) -> None:
    """Puts the tables into the page that explains them, between its two marks.

    Raises:
        BuildError: the page has no such marks.
        OSError: it cannot be read or written.
    """
    text = explained.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BuildError(f"{explained}: the lines {BEGIN!r} and {END!r} are needed, for the tables between them")
    lines = "\n".join(_sections(tables(result), "##"))
    written = f"{before}{begin}\n\n{lines}\n\n{end}{after}"
    write_atomically(explained, written.encode(), explained.with_name(f".{explained.name}.tmp"))


def tables(result: Row) -> list[tuple[str, Cells]]:
    """The tables that have rows: a title, and a row for each contender with the same fields each."""
    names = [contender["name"] for contender in result["contenders"]]
    rows = [row for row in result["rows"] if not row["failed"]]
    failed = [row for row in result["rows"] if row["failed"]]
    found = [
        ("PER / WER", _by_language(names, rows, lambda row: _rates(row["exact"]))),
        ("Running text: % wrong", _by_language(names, rows, lambda row: _percent(row["exact"]))),
        ("Coarse notation: PER / WER", _by_language(names, rows, lambda row: _rates(row["coarse"]))),
        ("Coarse notation: running text, % wrong", _by_language(names, rows, lambda row: _percent(row["coarse"]))),
        ("Milliseconds a word", _by_language(names, rows, lambda row: str(Spread(**row["ms"])))),
        ("On disk: data, MB", _by_language(names, rows, lambda row: digits(row["data_bytes"] / 1e6))),
        ("Contenders", [_contender(each, rows) for each in result["contenders"]]),
        ("Not measured", [{key: row[key] for key in ("language", "contender", "failed")} for row in failed]),
    ]
    return [(title, cells) for title, cells in found if cells]


def _by_language(names: Sequence[str], rows: Sequence[Row], cell: Callable[[Row], str]) -> Cells:
    """A row for each contender that has something to show, a column for each language in which somebody has."""
    shown = {(row["contender"], row["language"]): text for row in rows if (text := cell(row))}
    languages = list(dict.fromkeys(row["language"] for row in rows))
    languages = [each for each in languages if any(language == each for _, language in shown)]
    return [
        {"contender": name, **{language: shown.get((name, language), "") for language in languages}}
        for name in names
        if any(contender == name for contender, _ in shown)
    ]


def _rates(rates: Row | None) -> str:
    return f"{_rate(rates['per'])} / {_rate(rates['wer'], 3)}" if rates else ""


def _percent(rates: Row | None) -> str:
    return "" if rates is None or rates["running_text"] is None else f"{rates['running_text']:.2%}".rstrip("%")


def _rate(value: float, places: int = 4) -> str:
    return f"{value:.{places}f}".removeprefix("0")


def _contender(contender: Row, rows: Sequence[Row]) -> dict[str, str]:
    programs = [row["program_bytes"] for row in rows if row["contender"] == contender["name"]]
    return {
        "contender": contender["name"],
        "what it is": contender["says"],
        "program, MB": digits(programs[0] / 1e6) if programs else "",
        "licence": contender["licence"],
    }


def markdown(result: Row, drawn: bool) -> list[str]:
    """The document's lines: on what it was measured, and the tables.

    Args:
        result: as for `write`.
        drawn: whether there is a picture.
    """
    picture = page.image(FILES, "words that are wrong, by language and contender", drawn)
    return [
        *page.head("Accuracy: this project's libraries against what else there is", FILES, result, {}, picture),
        "",
        "[The page on accuracy](../../accuracy.md) explains the tables.",
        "",
        *_sections(tables(result), "##"),
    ]


def _sections(tables: Sequence[tuple[str, Cells]], level: str) -> list[str]:
    lines: list[str] = []
    for title, cells in tables:
        lines += [f"{level} {title}", "", *page.table(cells), ""]
    return lines[:-1]

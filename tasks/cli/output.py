"""Prints the results of tasks: tables for people, JSON for programs."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

__all__ = ["as_line", "emit", "progress", "show"]


WIDE = 400  # columns

T = TypeVar("T")


def show(rows: Sequence[Mapping[str, Any]], as_json: bool, title: str = "", hidden: Sequence[str] = ()) -> None:
    """Prints rows that have the same fields.

    Args:
        rows: plain values. None is an empty cell.
        as_json: whether to print one JSON object a line instead of a table.
        title: the table's title.
        hidden: fields that only the JSON shows.
    """
    if as_json:
        emit("\n".join(as_line(row) for row in rows))
    else:
        _table(rows, title, hidden)


def as_line(row: Mapping[str, Any]) -> str:
    """A row as one line of JSON, which stays JSON in whatever encoding it is printed."""
    return json.dumps(
        row, ensure_ascii=not (getattr(sys.__stdout__, "encoding", None) or "utf-8").lower().startswith("utf")
    )


def emit(text: str) -> None:
    """Prints lines of a result, and flushes them."""
    print(text, flush=True)


def progress(items: Iterable[T], title: str, total: int) -> Iterator[T]:
    """Passes items on as they come, with a bar on the error stream while a person is looking."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, title, total, console=Console(stderr=True), transient=True)


def _table(rows: Sequence[Mapping[str, Any]], title: str, hidden: Sequence[str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD)
    headings = [heading for heading in rows[0] if heading not in hidden] if rows else []
    for column, heading in enumerate(headings):
        # The first column names the row, so it never wraps. The others wrap rather than being cut.
        table.add_column(heading.replace("_", " "), no_wrap=column == 0, overflow="fold")
    for row in rows:
        table.add_row(*("" if row[heading] is None else _cell(row[heading]) for heading in headings))
    # A file or a pipe has no width, so its tables may be wide.
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDE
    Console(markup=False, highlight=False, width=width).print(table)  # no markup: rich would read lists as such


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)

"""What the runtime's commands have in common: their streams, their exit codes, and how they show things."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from g2p_build.runtime.errors import G2PError

__all__ = ["Parser", "run", "show_info", "table"]


class Parser(argparse.ArgumentParser):
    """A command's parser, or one of its subcommands'. A mistake is one line."""

    def error(self, message: str) -> NoReturn:
        """Says what is wrong, and ends the process."""
        print(f"{self.prog.split()[0]}: {message}: see `{self.prog} --help`", file=sys.stderr)
        raise SystemExit(2)


def run(parser: Parser, arguments: list[str] | None, goes_on: str = "") -> int:
    """Runs a command. Returns its exit code: 0, 2 after an error, 130 after Ctrl-C, 141 after a broken pipe.

    Args:
        parser: gives a ``run``, which takes the options.
        arguments: the command line; None: the process's own.
        goes_on: what is said after Ctrl-C, where there is an output that the same command goes on with.
    """
    # A closed stream is None, and print would send what is for it to standard output.
    sys.stdin, sys.stderr = sys.stdin or Path(os.devnull).open(), sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    if sys.stdout is None:
        print(f"{parser.prog}: standard output is closed: there is nowhere to print to", file=sys.stderr)
        return 2
    chosen = argparse.Namespace()
    try:
        parser.parse_args(arguments, chosen)
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(encoding="utf-8")
        chosen.run(chosen)
        sys.stdout.flush()
    except G2PError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted{goes_on if getattr(chosen, 'output', None) else ''}", file=sys.stderr)
        return 130
    except OSError as error:
        # The interpreter's last flush would fail too. Send it to /dev/null.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 141
        print(f"{parser.prog}: standard input or output: {error.strerror or error}", file=sys.stderr)
        return 2
    return 0


def show_info(info: dict[str, Any], as_json: bool) -> None:
    """Prints nested data: as one line of JSON, a table on a terminal, or tab-separated names and values."""
    if as_json:
        print(json.dumps(info, ensure_ascii=False))
        return
    rows = list(_flat(info, ""))
    if sys.stdout.isatty():
        table(("field", "value"), rows)
    else:
        print("\n".join("\t".join(row) for row in rows))


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Nested data as rows of a dotted name and a value. A list of plain values stays on one line."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}".lstrip("."))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for number, item in enumerate(value):
            yield from _flat(item, f"{name}.{number}")
    elif isinstance(value, list):
        yield name, " ".join(map(str, value))
    else:
        yield name, "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def table(header: tuple[str, ...], rows: list[Any]) -> None:
    """Prints a table for a terminal."""
    from rich.console import Console  # late: only a terminal pays for it
    from rich.table import Table
    from rich.text import Text

    shown = Table(*header)
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    Console().print(shown)

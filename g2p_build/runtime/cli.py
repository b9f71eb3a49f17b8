"""The command ``g2p``: words, or lines from standard input, to phonemes.

A terminal gets tables; a pipe gets tab-separated lines; ``--json`` gives one object a line.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

from g2p_build.runtime.errors import G2PError, InvalidWord
from g2p_build.runtime.g2p import G2P, load

__all__ = ["main"]

_CHUNK = 65_536  # most bytes in one read of standard input
_SLICE = 4  # batches, of the largest size, between two flushes of the output


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"g2p: {message}: see `{self.prog} --help`", file=sys.stderr)
        raise SystemExit(2)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command. Returns its exit code: 0, 2 after an error, 130 after Ctrl-C, 141 after a broken pipe."""
    try:
        chosen = _parser().parse_args(arguments)
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(encoding="utf-8")
        chosen.run(chosen)
        sys.stdout.flush()
    except G2PError as error:
        print(f"g2p: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("g2p: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The interpreter's last flush would fail too. Send it to /dev/null.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


def _parser() -> argparse.ArgumentParser:
    # An option may stand before or after the command. SUPPRESS keeps the second parser from resetting it to a default.
    shared = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    shared.add_argument("--lang", help="language code of the words (default: eng-us)")
    shared.add_argument("--manifest", metavar="FILE", help="variant to load (default: the index's, for this machine)")
    shared.add_argument("--json", action="store_true", help="print JSON, one object a line")
    parser = _Parser(prog="g2p", description="Pronounces words with a built variant.", parents=[shared])
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    for name, run, text in (
        ("pronounce", _pronounce, "pronounce words, or the lines of standard input"),
        ("info", _info, "say what the variant is"),
        ("languages", _languages, "list the languages that the variant's checkpoint knows"),
    ):
        command = commands.add_parser(name, help=text, description=text.capitalize() + ".", parents=[shared])
        command.set_defaults(run=run)
        if name == "pronounce":
            command.add_argument(
                "words", nargs="*", metavar="WORD", help="words; without any, one a line from standard input"
            )
    return parser


def _load(chosen: argparse.Namespace) -> G2P:
    return load(getattr(chosen, "manifest", None))


def _pronounce(chosen: argparse.Namespace) -> None:
    lang = getattr(chosen, "lang", "eng-us")
    g2p = _load(chosen)
    if chosen.words:
        rows = list(zip(chosen.words, g2p(chosen.words, lang=lang), strict=True))
        if sys.stdout.isatty() and not hasattr(chosen, "json"):
            _table(("word", lang), rows)
        else:
            _print_rows(chosen, lang, rows)
        return
    size = max(g2p.limits["batch"])
    size *= _SLICE if size > 1 else 1
    first = 1
    for lines in _ready_lines():
        for start in range(0, len(lines), size):
            _pronounce_lines(chosen, g2p, lang, lines[start : start + size], first + start)
        first += len(lines)


def _pronounce_lines(chosen: argparse.Namespace, g2p: G2P, lang: str, lines: list[bytes], first: int) -> None:
    """Pronounces and prints the lines up to the first wrong one, then raises that line's error with its number."""
    words: list[str] = []
    wrong: G2PError | None = None
    for number, line in enumerate(lines, first):
        try:
            words.append(_word(line, number))
            g2p.check(words[-1], lang)
        except G2PError as error:
            wrong = type(error)(f"line {number}: {error}")
            words = words[: number - first]
            break
    _print_rows(chosen, lang, list(zip(words, g2p(words, lang=lang), strict=True)))
    if wrong is not None:
        raise wrong


def _word(line: bytes, number: int) -> str:
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise InvalidWord(f"{line[:40]!r} is not UTF-8") from None
    return text.strip()


def _ready_lines() -> Iterator[list[bytes]]:
    """Yields the lines of standard input that have arrived, without waiting for more. Typed lines come one by one."""
    rest = b""
    while chunk := os.read(sys.stdin.fileno(), _CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield lines
    if rest:
        yield [rest]


def _print_rows(chosen: argparse.Namespace, lang: str, rows: list[tuple[str, str]]) -> None:
    for word, phonemes in rows:
        if hasattr(chosen, "json"):
            print(json.dumps({"word": word, "lang": lang, "phonemes": phonemes}, ensure_ascii=False))
        else:
            print(f"{word}\t{phonemes}")
    sys.stdout.flush()


def _info(chosen: argparse.Namespace) -> None:
    info = _load(chosen).info()
    if hasattr(chosen, "json"):
        print(json.dumps(info, ensure_ascii=False))
        return
    rows = list(_flat(info, ""))
    if sys.stdout.isatty():
        _table(("field", "value"), rows)
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


def _languages(chosen: argparse.Namespace) -> None:
    languages = _load(chosen).languages
    if languages is None:
        raise G2PError("this variant's checkpoint does not list its languages: any code that it was trained on will do")
    if hasattr(chosen, "json"):
        print("\n".join(json.dumps({"language": language}) for language in languages))
    elif sys.stdout.isatty():
        _table(("language",), [(language,) for language in languages])
    else:
        print("\n".join(languages))


def _table(header: tuple[str, ...], rows: list[Any]) -> None:
    from rich.console import Console  # late: only a terminal pays for it
    from rich.table import Table
    from rich.text import Text

    table = Table(*header)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


if __name__ == "__main__":
    raise SystemExit(main())

"""The command ``g2p``: words, or lines from standard input, to phonemes.

A terminal gets tables; a pipe gets tab-separated lines; ``--json`` gives one object a line.

What is wrong with a word is said on standard error. ``--on-error`` says what becomes of the other words: ``stop`` ends
there, with exit code 2; ``skip`` leaves the word out; ``mark`` prints it without phonemes. Both end with exit code 0.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from g2p_build.runtime.errors import EmptyWord, G2PError, InvalidWord
from g2p_build.runtime.g2p import G2P
from g2p_build.runtime.loading import load
from g2p_build.runtime.results import Result

__all__ = ["main"]

_CHUNK = 65_536  # most bytes in one read of standard input
_LANG = "eng-us"  # unless said
_DETAILS = ("source", "score", "notes")
_SLICE = 4  # batches, of the largest size, between two flushes of the output


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"g2p: {message}: see `{self.prog} --help`", file=sys.stderr)
        raise SystemExit(2)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command. Returns its exit code: 0, 2 after an error, 130 after Ctrl-C, 141 after a broken pipe."""
    # A closed stream is None, and print would send what is for it to standard output.
    sys.stdin, sys.stderr = sys.stdin or Path(os.devnull).open(), sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    if sys.stdout is None:
        print("g2p: standard output is closed: there is nowhere to print to", file=sys.stderr)
        return 2
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
    except OSError as error:
        # The interpreter's last flush would fail too. Send it to /dev/null.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 141
        print(f"g2p: standard input or output: {error.strerror or error}", file=sys.stderr)
        return 2
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
        ("text", _text, "pronounce the words of texts, or of standard input, and keep what is between them"),
        ("info", _info, "say what the variant is"),
        ("languages", _languages, "list the languages that the variant's checkpoint knows"),
    ):
        command = commands.add_parser(name, help=text, description=text.capitalize() + ".", parents=[shared])
        command.set_defaults(run=run)
        if name == "text":
            command.add_argument(
                "texts", nargs="*", metavar="TEXT", help="texts; without any, the lines of standard input"
            )
        if name == "pronounce":
            command.add_argument(
                "words", nargs="*", metavar="WORD", help="words; without any, one a line from standard input"
            )
        if name in ("pronounce", "text"):
            command.add_argument(
                "--lexicon",
                metavar="[LANG=]FILE",
                action="append",
                default=[],
                help="words with their pronunciations, which come before the model; of several the last comes first",
            )
        if name == "pronounce":
            command.add_argument(
                "--details",
                action="store_true",
                default=False,
                help="add where each pronunciation comes from, its score, and notes",
            )
            command.add_argument(
                "--stats",
                action="store_true",
                default=False,
                help="say at the end, on standard error, how many passes the model's decoder took",
            )
            command.add_argument(
                "--on-error",
                choices=("stop", "skip", "mark"),
                default="stop",
                help="stop at a wrong word, leave it out, or print it without phonemes (default: stop)",
            )
    return parser


def _load(chosen: argparse.Namespace) -> G2P:
    g2p = load(getattr(chosen, "manifest", None))
    for given in getattr(chosen, "lexicon", []):
        lang, equals, file = given.rpartition("=")
        is_list = not file.endswith(".g2plex")
        try:
            g2p.add_lexicon(file, (lang if equals else getattr(chosen, "lang", _LANG)) if is_list else None)
        except ValueError as error:
            raise G2PError(str(error)) from None
    return g2p


def _pronounce(chosen: argparse.Namespace) -> None:
    g2p = _load(chosen)
    try:
        _pronounce_with(g2p, chosen)
    finally:
        if chosen.stats:
            print(f"g2p: {_counted(g2p)}", file=sys.stderr)


def _counted(g2p: G2P) -> str:
    counts = g2p.statistics
    if counts is None:
        return "this variant's library does not count its passes"
    if not counts.words:
        return "the model was not asked: every word is from a lexicon, or wrong"
    return (
        f"{counts.words} words by the model: {counts.ids} ids in {counts.passes} passes of its decoder, "
        f"{counts.passes / counts.words:.2f} a word; {counts.drafted} ids guessed and checked, {counts.accepted} right"
    )


def _pronounce_with(g2p: G2P, chosen: argparse.Namespace) -> None:
    lang, scores = getattr(chosen, "lang", _LANG), chosen.details
    if chosen.words:
        results = g2p.results(chosen.words, lang=lang, scores=scores)
        for place, word in enumerate(chosen.words):
            if any("\udc80" <= character <= "\udcff" for character in word):  # a byte that the system's encoding lacks
                results[place] = _not_utf8(os.fsencode(word), lang)
        if sys.stdout.isatty() and not hasattr(chosen, "json"):
            kept, wrong = _kept(chosen, results, None)
            _table(("word", lang, *(_DETAILS if scores else ())), [_cells(result, scores) for result in kept])
            if wrong is not None:
                raise wrong
        else:
            _print_results(chosen, results, None)
        return
    size = max(g2p.limits["batch"])
    size *= _SLICE if size > 1 else 1
    first = 1
    for lines in _ready_lines():
        for start in range(0, len(lines), size):
            number = first + start
            words = [_word(line, number + place) for place, line in enumerate(lines[start : start + size])]
            results = g2p.results([word or "" for word in words], lang=lang, scores=scores)
            for place, word in enumerate(words):
                if word is None:
                    results[place] = _not_utf8(lines[start + place], lang)
            _print_results(chosen, results, number)
        first += len(lines)


def _text(chosen: argparse.Namespace) -> None:
    lang, g2p = getattr(chosen, "lang", _LANG), _load(chosen)
    given = (
        (os.fsencode(text) for text in chosen.texts)
        if chosen.texts
        else (line for ready in _ready_lines() for line in ready)
    )
    for number, data in enumerate(given, 1):
        try:
            parts = g2p.text(data.decode("utf-8-sig" if number == 1 else "utf-8"), lang)
        except UnicodeDecodeError:
            raise G2PError(f"text {number} is not UTF-8: give it in that encoding") from None
        for part in parts:
            if part.result is not None and part.result.error is not None:
                print(f"g2p: text {number}: {part.result.error}", file=sys.stderr)
        if hasattr(chosen, "json"):
            rows = [
                {"text": part.text, "start": part.start, "kind": part.kind}
                | ({"phonemes": part.result.phonemes} if part.result else {})
                for part in parts
            ]
            print(json.dumps({"lang": lang, "parts": rows}, ensure_ascii=False), flush=True)
        else:
            said = [part.result.phonemes or part.text if part.result else part.text for part in parts]
            print("".join(said).rstrip("\r\n"), flush=True)


def _not_utf8(data: bytes, lang: str) -> Result:
    shown = repr(data[:40])
    return Result(shown, lang, "", error=InvalidWord(f"{shown} is not UTF-8: give it in that encoding"))


def _word(line: bytes, number: int) -> str | None:
    """The word of a line; None if it is not UTF-8."""
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
    except UnicodeDecodeError:
        return None


def _ready_lines() -> Iterator[list[bytes]]:
    """Yields the lines of standard input that have arrived, without waiting for more. Typed lines come one by one."""
    rest = b""
    while chunk := os.read(sys.stdin.fileno(), _CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield lines
    if rest:
        yield [rest]


def _print_results(chosen: argparse.Namespace, results: list[Result], first: int | None) -> None:
    """Prints a line for each word, then raises the error of the first wrong one if that ends the command.

    Args:
        chosen: the options.
        results: the words' results.
        first: the number of the first word's line; None if the words were arguments.
    """
    kept, wrong = _kept(chosen, results, first)
    for result in kept:
        if hasattr(chosen, "json"):
            print(json.dumps(_as_json(result, chosen.details), ensure_ascii=False))
        elif isinstance(result.error, EmptyWord):
            print()  # a blank line stays in its place
        else:
            print("\t".join(_cells(result, chosen.details)))
    sys.stdout.flush()
    if wrong is not None:
        raise wrong


def _kept(chosen: argparse.Namespace, results: list[Result], first: int | None) -> tuple[list[Result], G2PError | None]:
    """The results to print, and the error to end with. Other errors are said here."""
    kept: list[Result] = []
    for place, result in enumerate(results):
        if result.error is None:
            kept.append(result)
            continue
        error = result.error if first is None else type(result.error)(f"line {first + place}: {result.error}")
        mode = chosen.on_error
        if mode == "stop":
            return kept, error
        if not isinstance(result.error, EmptyWord):
            print(f"g2p: {error}", file=sys.stderr)
        if chosen.on_error == "mark":
            kept.append(result)
    return kept, None


def _cells(result: Result, details: bool) -> tuple[str, ...]:
    cells = (result.word, result.phonemes)
    if not details:
        return cells
    notes = [name for name in ("truncated", "repeats") if getattr(result, name)]
    if result.error is not None:
        return (*cells, "", "", "wrong")
    return (*cells, result.source, "" if result.score is None else f"{result.score:.4f}", " ".join(notes))


def _as_json(result: Result, details: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"word": result.word, "lang": result.lang}
    if result.error is not None:
        return found | {"phonemes": None, "error": {"code": type(result.error).__name__, "message": str(result.error)}}
    found |= {"phonemes": result.phonemes, "source": result.source}
    found |= {"truncated": result.truncated, "repeats": result.repeats}
    return found | ({"score": result.score} if details else {})


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

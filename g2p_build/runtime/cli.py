"""The command ``g2p``: words, or the lines of a file or of standard input, to phonemes.

A terminal gets tables; a pipe gets tab-separated lines; ``--format`` gives others. ``--output`` gives a file that a
run which was killed goes on with.

What is wrong with a word is said on standard error. ``--on-error`` says what becomes of the other words: ``stop`` ends
there, with exit code 2; ``skip`` leaves the word out; ``mark`` prints it without phonemes. Both end with exit code 0.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from g2p_build.runtime import formats, lists
from g2p_build.runtime.command import Parser, run, show_info, table
from g2p_build.runtime.errors import EmptyWord, G2PError
from g2p_build.runtime.g2p import G2P, MOST_BEAMS
from g2p_build.runtime.loading import load
from g2p_build.runtime.progress import Progress
from g2p_build.runtime.results import Result

__all__ = ["main"]

_GOES_ON = ": the same command goes on from there"
_LANG = "eng-us"  # unless said
_SLICE_BATCHES = 4  # of the largest size: fewest words between two writes of the output
_SLICE_SECONDS = 0.5  # between two writes, if they have more words
_SLICE_WORDS = 4096  # most of them


def main(arguments: list[str] | None = None) -> int:
    """Runs the command. Returns its exit code: see `command.run`."""
    return run(_parser(), arguments, _GOES_ON)


def _parser() -> Parser:
    # An option may stand before or after the command. SUPPRESS keeps the second parser from resetting it to a default.
    shared = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    shared.add_argument("--lang", help="language of the words, a code or a tag such as en-US (default: eng-us)")
    shared.add_argument("--manifest", metavar="FILE", help="variant to load (default: the index's, for this machine)")
    shared.add_argument("--json", action="store_true", help="print JSON, one object a line")
    parser = Parser(prog="g2p", description="Pronounces words with a built variant.", parents=[shared])
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    for name, function, text in (
        ("pronounce", _pronounce, "pronounce words, or the lines of a file or of standard input"),
        ("text", _text, "pronounce the words of texts, or of standard input, and keep what is between them"),
        ("info", _info, "say what the variant is"),
        ("languages", _languages, "list the languages that the variant's checkpoint knows"),
    ):
        command = commands.add_parser(name, help=text, description=text.capitalize() + ".", parents=[shared])
        command.set_defaults(run=function)
        if name == "text":
            command.add_argument(
                "texts", nargs="*", metavar="TEXT", help="texts; without any, the lines of standard input"
            )
        if name == "pronounce":
            command.add_argument(
                "words", nargs="*", metavar="WORD", help="words; without any, one a line from standard input"
            )
            command.add_argument("--input", metavar="FILE", help="read the words from a file, one a line")
            command.add_argument(
                "-o",
                "--output",
                metavar="FILE",
                help="write a file, which is there once it is whole; the same command goes on where a killed one ended",
            )
            command.add_argument(
                "--format",
                choices=formats.FORMATS,
                help="tables, JSON, or a lexicon for Kaldi or the Montreal Forced Aligner (default: tsv)",
            )
            command.add_argument(
                "--lang-column",
                metavar="N",
                type=_column,
                help="lines have columns with tabs between them; column N has the language, the first other the word",
            )
            command.add_argument(
                "--threads",
                metavar="N",
                type=int,
                default=0,
                help="threads that work on a list (default: one for each processor that the command may use)",
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
                "--best",
                metavar="N",
                type=int,
                help="up to N different pronunciations of each word, the best first, with the details of each",
            )
            command.add_argument(
                "--beams",
                metavar="K",
                type=int,
                help="beginnings that --best keeps at each step (default: 4, or N if that is more)",
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


def _column(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _load(chosen: argparse.Namespace) -> G2P:
    try:
        g2p = load(getattr(chosen, "manifest", None), getattr(chosen, "threads", 0))
    except ValueError as error:
        raise G2PError(str(error)) from None
    for file, lang in _lexicons(chosen):
        try:
            g2p.add_lexicon(file, lang)
        except ValueError as error:
            raise G2PError(str(error)) from None
    return g2p


def _lexicons(chosen: argparse.Namespace) -> Iterator[tuple[str, str | None]]:
    """The files of words that come before the model, and the language of each; None for a table."""
    for given in getattr(chosen, "lexicon", []):
        lang, equals, file = given.rpartition("=")
        is_list = not file.endswith(".g2plex")
        if is_list and not equals and getattr(chosen, "lang_column", None):
            raise G2PError(f"--lexicon {file}: with --lang-column say which language it is of: --lexicon LANG={file}")
        yield file, (lang if equals else getattr(chosen, "lang", _LANG)) if is_list else None


def _pronounce(chosen: argparse.Namespace) -> None:
    _check(chosen)
    g2p = _load(chosen)
    try:
        _pronounce_with(g2p, chosen)
    finally:
        if chosen.stats:
            for line in _counted(g2p):
                print(f"g2p: {line}", file=sys.stderr)


def _counted(g2p: G2P) -> Iterator[str]:
    counts = g2p.statistics
    if counts is None:
        yield "this variant's library does not count its passes"
        return
    if not counts.words:
        yield "the model was not asked: every word is from a lexicon, or wrong"
        return
    yield (
        f"{counts.words} words by the model: {counts.ids} ids in {counts.passes} passes of its decoder, "
        f"{counts.passes / counts.words:.2f} a word; {counts.drafted} ids guessed and checked, {counts.accepted} right"
    )
    times = {
        "encoder": counts.encode_ns,
        "prefill": counts.prefill_ns,
        "passes": counts.step_ns,
        "guesses": counts.draft_ns,
    }
    if spent := sum(times.values()):
        shares = ", ".join(f"{name} {100 * time / spent:.1f} %" for name, time in times.items())
        yield f"{spent / counts.words / 1000:.0f} µs of work a word: {shares}"


def _pronounce_with(g2p: G2P, chosen: argparse.Namespace) -> None:
    if not chosen.words:
        _pronounce_list(chosen, g2p)
        return
    lang, details = getattr(chosen, "lang", _LANG), _details(chosen)
    results = _asked(chosen, g2p, chosen.words, lang)
    for place, word in enumerate(chosen.words):
        if any("\udc80" <= character <= "\udcff" for character in word):  # a byte that the system's encoding lacks
            results[place] = [lists.not_utf8(os.fsencode(word), lang)]
    kept, wrong, _ = _kept(chosen, results, None)
    if sys.stdout.isatty() and chosen.format is None and not hasattr(chosen, "json"):
        rows = [formats.cells(result, langs=False, details=details) for result in kept]
        table(("word", lang, *(formats.DETAILS if details else ())), rows)
    else:
        print(formats.header(_format(chosen), langs=False, details=details) + _lines(chosen, kept), end="", flush=True)
    if wrong is not None:
        raise wrong


def _asked(chosen: argparse.Namespace, g2p: G2P, words: Sequence[str], lang: str | list[str]) -> list[list[Result]]:
    """The results of words: one of each, or with ``--best`` those with different phonemes."""
    if chosen.best is None:
        return [[result] for result in g2p.results(words, lang=lang, scores=chosen.details)]
    beams = _beams(chosen)
    found = g2p.best(words, lang=lang, n=beams, beams=beams)
    return [_different(each, _format(chosen))[: chosen.best] for each in found]


def _different(results: Sequence[Result], form: str) -> list[Result]:
    """Results without those of which a better one has the same phonemes, or in a lexicon the same symbols."""
    seen: dict[str, Result] = {}
    for result in results:
        said = " ".join(formats.phones(result.phonemes)) if form in formats.LEXICONS else result.phonemes
        seen.setdefault(said, result)
    return list(seen.values())


def _beams(chosen: argparse.Namespace) -> int:
    """How many beginnings a search keeps."""
    beams = max(4, chosen.best) if chosen.beams is None else chosen.beams
    assert isinstance(beams, int)
    return beams


def _text(chosen: argparse.Namespace) -> None:
    lang, g2p = getattr(chosen, "lang", _LANG), _load(chosen)
    ready = lists.ready_lines(sys.stdin.fileno(), 1, longest=None)
    piped = (line.removesuffix(b"\n") for lines in ready for line in lines)
    given = map(os.fsencode, chosen.texts) if chosen.texts else piped
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
                | (formats.phonemes(part.result) if part.result else {})
                for part in parts
            ]
            print(json.dumps({"lang": lang, "parts": rows}, ensure_ascii=False), flush=True)
        else:
            said = [part.result.phonemes or part.text if part.result else part.text for part in parts]
            print("".join(said).rstrip("\r\n"), flush=True)


def _format(chosen: argparse.Namespace) -> str:
    return chosen.format or ("jsonl" if hasattr(chosen, "json") else "tsv")


def _check(chosen: argparse.Namespace) -> None:
    """Refuses options that say two things."""
    if chosen.words and (chosen.input or chosen.lang_column):
        raise G2PError("give words, or a list of them with --input or on standard input, not both")
    if chosen.words and chosen.output:
        raise G2PError("--output is for a list, with --input or on standard input: send what words give to a file by >")
    if hasattr(chosen, "json") and _format(chosen) != "jsonl":
        raise G2PError(f"--json is short for --format jsonl: leave out one of --json and --format {chosen.format}")
    if hasattr(chosen, "lang") and chosen.lang_column:
        raise G2PError("--lang names one language for all words, --lang-column one for each: give one of them")
    if chosen.beams is not None and chosen.best is None:
        raise G2PError("--beams is for a search: say with --best how many pronunciations you want of each word")
    if chosen.best is not None and chosen.best < 1:
        raise G2PError(f"--best {chosen.best}: give how many pronunciations you want of each word, from 1 on")
    if chosen.best is not None and chosen.best > _beams(chosen):
        raise G2PError(
            f"--best {chosen.best}: {chosen.beams} beams have no more than {chosen.beams}: give more --beams"
        )
    if chosen.best is not None and _beams(chosen) > MOST_BEAMS:
        raise G2PError(f"{_beams(chosen)} beams: give up to {MOST_BEAMS}")
    if chosen.format in formats.LEXICONS and (chosen.details or chosen.on_error == "mark"):
        unfit = "--details" if chosen.details else "--on-error mark"
        raise G2PError(f"{unfit}: a {chosen.format} lexicon has words with phonemes and nothing else: leave it out")


def _pronounce_list(chosen: argparse.Namespace, g2p: G2P) -> None:
    """Pronounces the lines of the input as they arrive, and writes the results of some together."""
    head = formats.header(_format(chosen), chosen.lang_column is not None, _details(chosen))
    least = size = _SLICE_BATCHES * max(g2p.limits["batch"])
    with (
        lists.opened_input(chosen.input) as source,
        lists.opened_output(chosen.output, source, head, _run(chosen, g2p)) as (write, taken, done),
    ):
        progress = Progress(chosen.output is not None or not sys.stdout.isatty(), os.fstat(source).st_size, done)
        first = taken + 1
        try:
            for lines in lists.ready_lines(source, first):
                while lines:
                    some, started = lines[:size], time.monotonic()
                    kept, wrong, count = _kept(chosen, _results(chosen, g2p, some, first), first, progress.clear)
                    write(_lines(chosen, kept), b"".join(some[:count]))
                    if wrong is not None:
                        more = f"; mended, or with --on-error skip{_GOES_ON}" if chosen.output else ""
                        raise type(wrong)(f"{wrong}{more}")
                    first, done, lines = first + count, done + sum(map(len, some)), lines[size:]
                    progress.add(count, done)
                    seconds = max(time.monotonic() - started, 1e-6)
                    size = min(max(least, int(count * _SLICE_SECONDS / seconds)), _SLICE_WORDS)
        finally:
            progress.clear()


def _run(chosen: argparse.Namespace, g2p: G2P) -> dict[str, Any]:
    """What the output depends on besides the input. Threads and paths change nothing."""
    lexicons = []
    for file, lang in _lexicons(chosen) if chosen.output else ():
        with Path(file).open("rb") as opened:
            lexicons.append([lang, hashlib.file_digest(opened, "sha256").hexdigest()])
    return {
        "variant": g2p.manifest["digest"],
        "--lexicon": lexicons,
        "--lang": None if chosen.lang_column else getattr(chosen, "lang", _LANG),
        "--lang-column": chosen.lang_column,
        "--format": _format(chosen),
        "--details": chosen.details,
        **({"--best": [chosen.best, chosen.beams]} if chosen.best is not None else {}),
        "--on-error": chosen.on_error,
    }


def _details(chosen: argparse.Namespace) -> bool:
    """Whether a word's line has its details. Lines of a search need scores to be told apart."""
    return chosen.details or (chosen.best is not None and chosen.format not in formats.LEXICONS)


def _results(chosen: argparse.Namespace, g2p: G2P, lines: Sequence[bytes], first: int) -> list[list[Result]]:
    """The results of each line of a list. `first` is the number of the first of them, from 1."""
    code, column = getattr(chosen, "lang", _LANG), chosen.lang_column
    rows = [lists.row(line, first + place, code, column) for place, line in enumerate(lines)]
    asked = [row for row in rows if row.error is None]
    langs: str | list[str] = code if column is None else [row.lang for row in asked]
    found = iter(_asked(chosen, g2p, [row.word for row in asked], langs))
    return [next(found) if row.error is None else [row] for row in rows]


def _lines(chosen: argparse.Namespace, results: Sequence[Result]) -> str:
    langs = chosen.lang_column is not None
    return "".join(formats.as_line(result, _format(chosen), langs, _details(chosen)) for result in results)


def _kept(
    chosen: argparse.Namespace,
    results: Sequence[Sequence[Result]],
    first: int | None,
    before_message: Callable[[], None] = lambda: None,
) -> tuple[list[Result], G2PError | None, int]:
    """The results to print, the error to end with, and how many words came before it. Other errors are said here.

    Args:
        chosen: the options.
        results: of each word. What a format has no place for is said only of the first.
        first: the number of the first word's line; None if the words were arguments.
        before_message: called before something is said.
    """
    kept: list[Result] = []
    for place, given in enumerate(results):
        result, *others = (formats.refused(one, _format(chosen)) for one in given)
        if result.error is None:
            kept += [result, *(other for other in others if other.error is None)]
            continue
        error = result.error if first is None else type(result.error)(f"line {first + place}: {result.error}")
        if chosen.on_error == "stop":
            return kept, error, place
        if not isinstance(result.error, EmptyWord):
            before_message()
            print(f"g2p: {error}", file=sys.stderr)
        if chosen.on_error == "mark":
            kept.append(result)
    return kept, None, len(results)


def _info(chosen: argparse.Namespace) -> None:
    show_info(_load(chosen).info(), hasattr(chosen, "json"))


def _languages(chosen: argparse.Namespace) -> None:
    languages = _load(chosen).languages
    if languages is None:
        raise G2PError("this variant's checkpoint does not list its languages: any code that it was trained on will do")
    if hasattr(chosen, "json"):
        print("\n".join(json.dumps({"language": language}) for language in languages))
    elif sys.stdout.isatty():
        table(("language",), [(language,) for language in languages])
    else:
        print("\n".join(languages))


if __name__ == "__main__":
    raise SystemExit(main())

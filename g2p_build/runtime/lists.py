"""Lists of words of any length: their lines as they arrive, and where the results go."""

import contextlib
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from g2p_build.runtime.errors import EmptyWord, G2PError, InvalidWord, UnknownLanguage
from g2p_build.runtime.results import Result

__all__ = ["LONGEST_LINE", "Output", "not_utf8", "opened_input", "opened_output", "ready_lines", "row"]

_CHUNK = 65_536  # most bytes in one read of the input

LONGEST_LINE = 1 << 20
"""Bytes: longer than any word, and short enough to keep."""


Write = Callable[[str, bytes], None]
"""Takes whole lines of results, and the lines of the input that they come from."""

Output = tuple[Write, int, int]
"""What writes; how many lines of the input an earlier run took; how many bytes these are."""


@contextlib.contextmanager
def opened_input(path: str | None) -> Iterator[int]:
    """The file descriptor of a list; None: of standard input.

    Raises:
        G2PError: there is no such file, or it is a folder.
    """
    if path is None:
        yield sys.stdin.fileno()
        return
    with _explained(f"--input {path}: cannot be read"):
        descriptor = os.open(path, os.O_RDONLY)
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise G2PError(f"--input {path} is a folder: give a file with a word a line")
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def opened_output(path: str | None, source: int, head: str, run: Mapping[str, Any]) -> Iterator[Output]:
    """Where the results of a list go. A file takes its place when the `with` statement ends without an error.

    Args:
        path: a file, a device or a pipe; None: standard output.
        source: the input's file descriptor. What an earlier run took of it is read.
        head: what the output begins with.
        run: as `Unfinished` takes it.

    Raises:
        G2PError: it cannot be written, or an earlier run was about something else.
    """
    if path is None:
        print(head, end="", flush=True)
        yield lambda text, _: print(text, end="", flush=True), 0, 0
        return
    output = Path(path)
    explained = f"--output {path}: cannot be written"
    with _explained(explained):
        mode = output.stat().st_mode if output.exists() else stat.S_IFREG
        if stat.S_ISDIR(mode):
            raise G2PError(f"--output {path} is a folder: give a file's name")
        if output.exists() and os.path.samestat(output.stat(), os.fstat(source)):
            raise G2PError(f"--output {path} is the input itself: give another name")
    if not stat.S_ISREG(mode):  # nothing can take its place
        with _explained(explained):
            descriptor = os.open(path, os.O_WRONLY)

        def write(text: str, _: bytes) -> None:
            with _explained(explained):
                data = text.encode()
                while data:
                    data = data[os.write(descriptor, data) :]

        try:
            write(head, b"")
            yield write, 0, 0
        finally:
            os.close(descriptor)
        return
    from g2p_build.runtime.unfinished import Unfinished  # late: not every system has its locks

    with Unfinished(output, run) as unfinished:
        unfinished.skip(source)
        if unfinished.lines:
            print(f"g2p: {path}: goes on after line {unfinished.lines} of the input", file=sys.stderr)
        else:
            unfinished.write(head, b"")
        yield unfinished.write, unfinished.lines, unfinished.bytes
        unfinished.finish()


def ready_lines(source: int, number: int, longest: int | None = LONGEST_LINE) -> Iterator[list[bytes]]:
    """Yields the lines that have arrived, with their ends, without waiting for more. Typed lines come one by one.

    Args:
        source: a file descriptor.
        number: the number of its first line.
        longest: most bytes of a line; None: any number.

    Raises:
        InvalidWord: a line is so long that the input is no list of words.
    """
    begun: list[bytes] = []  # of a line whose end has not arrived
    size = 0
    while chunk := os.read(source, _CHUNK):
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = b"".join(begun) + lines[0]
            yield [line + b"\n" for line in lines]
            number, begun, size = number + len(lines), [], 0
        begun.append(rest)
        size += len(rest)
        if longest is not None and size > longest:
            raise InvalidWord(f"line {number} has more than {longest:,} bytes: give a list with a word a line")
    if size:
        yield [b"".join(begun)]


def row(line: bytes, number: int, lang: str, column: int | None) -> Result:
    """A line's word and language without phonemes yet, or with what is wrong with the line.

    Args:
        line: the line, with its end.
        number: its number, from 1.
        lang: the language, if there is no column for it.
        column: the number of the column with the language, from 1. The first of the others has the word.
    """
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        return not_utf8(line.removesuffix(b"\n"), lang)
    if not text.strip():
        return Result("", lang, "", error=EmptyWord("the word '' is empty: give at least one letter"))
    if column is None:
        return Result(text.strip(), lang, "")
    cells = [cell.strip() for cell in text.split("\t")]
    code = "".join(cells[column - 1 : column])
    word = "".join([*cells[: column - 1], *cells[column:]][:1])
    if code:
        return Result(word, code, "")
    wrong = f"the word {word!r} has no language: give it in column {column} (a tab ends a column)"
    return Result(word, "", "", error=UnknownLanguage(wrong))


def not_utf8(data: bytes, lang: str) -> Result:
    """What is said of a word that is not UTF-8."""
    shown = repr(data[:40])
    return Result(shown, lang, "", error=InvalidWord(f"{shown} is not UTF-8: give it in that encoding"))


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise G2PError(f"{what}: {error.strerror or error}") from None

"""Standard streams that are closed, full, or in another encoding: no traceback, and nothing that goes astray."""

import atexit
import io
import os
import sys
from typing import Any

__all__ = ["UNWRITTEN", "guard"]

UNWRITTEN = 2
"""The exit status of a command whose result could not be written."""

NAMES = ("stdin", "stdout", "stderr")

_closed: set[str] = set()  # streams that were closed from the beginning
_unwritten: set[str] = set()  # streams that failed
_guarded: list[Any] = []


def guard() -> frozenset[str]:
    """Makes this process's standard streams safe to use, from now on and until it ends.

    - A closed one becomes the null device, also for the files that are opened next: they would get its number.
    - What a stream's encoding lacks is written as `\\u2192`. In JSON that is the same text.
    - A reader may leave. What it does not read is dropped.
    - If standard output cannot be written, one line says so, and the exit status is `UNWRITTEN`. The command goes on.

    Returns:
        The names of those that were closed when this was called first.
    """
    if _guarded:
        return frozenset(_closed)
    _closed.update(name for name in NAMES if getattr(sys, name) is None)
    for number, name in enumerate(NAMES):
        _occupy(number)
        stream = getattr(sys, name)
        if stream is None:
            mode = "r" if name == "stdin" else "w"
            stream = open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
        if name != "stdin" and isinstance(stream, io.TextIOWrapper):
            _guard(stream, number, name)
        _guarded.append(stream)
    atexit.register(_end)
    return frozenset(_closed)


def _occupy(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        opened = os.open(os.devnull, os.O_RDWR)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        os.set_inheritable(number, True)


def _guard(stream: io.TextIOWrapper, number: int, name: str) -> None:
    stream.reconfigure(errors="backslashreplace")
    write, flush = stream.write, stream.flush

    def guarded_write(text: str) -> int:
        try:
            return write(text)
        except OSError as error:
            _drop(error, number, name)
            return len(text)

    def guarded_flush() -> None:
        try:
            flush()
        except OSError as error:
            _drop(error, number, name)

    # The stream itself gets these, since doit has kept it already.
    vars(stream).update(write=guarded_write, flush=guarded_flush)


def _drop(error: OSError, number: int, name: str) -> None:
    """Sends what is still to come to the null device."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
    if name == "stdout" and not isinstance(error, BrokenPipeError) and name not in _unwritten:
        _unwritten.add(name)
        print(f"ERROR: standard output cannot be written: {error.strerror}", file=sys.stderr, flush=True)


def _end() -> None:
    for stream in _guarded[1:]:
        stream.flush()
    if _unwritten:
        os._exit(UNWRITTEN)

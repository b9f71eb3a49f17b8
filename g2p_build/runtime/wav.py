"""Sound as WAV: one channel, 16 bits a sample, written as it is made."""

import contextlib
import functools
import os
import stat
import struct
import sys
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from g2p_build.runtime.errors import G2PError

__all__ = ["Output", "header", "opened_file", "pcm16"]

_UNKNOWN = 0xFFFFFFFF
"""What ffmpeg writes for a length that it does not know yet. Readers then read to the end."""

_HEADER = 44  # bytes
_BYTES = 2  # of a sample


@dataclass(frozen=True)
class Output:
    """Where bytes go.

    Attributes:
        write: adds bytes.
        begin_again: writes bytes over the first ones, where that can be done. Nothing is added afterwards.
    """

    write: Callable[[bytes], None]
    begin_again: Callable[[bytes], None]


def header(sample_rate: int, samples: int | None) -> bytes:
    """What a WAV file of 16-bit samples begins with.

    Args:
        sample_rate: in hertz.
        samples: how many follow; None: nobody knows yet. More than fit into the format count as unknown.
    """
    data = _UNKNOWN if samples is None else min(samples * _BYTES, _UNKNOWN)
    whole = min(data + _HEADER - 8, _UNKNOWN)
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", whole, b"WAVE", b"fmt ", 16, 1, 1, sample_rate, sample_rate * _BYTES, _BYTES, 8 * _BYTES),
        *(b"data", data),
    )


def pcm16(samples: bytes) -> bytes:
    """16-bit little-endian samples of float32 ones. What is beyond -1 and 1 is clipped; what is no number is full."""
    found = array("f")
    found.frombytes(samples)
    # Half is added before the fraction goes, so that it is rounded; the rest keeps that above 0.
    try:
        numbers = array("h", [int(x * 32767 + 32768.5) - 32768 for x in found])
    except (OverflowError, ValueError):  # rare, and four times as slow
        numbers = array("h", [int(max(0.0, min(65535.5, x * 32767 + 32768.5))) - 32768 for x in found])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


@contextlib.contextmanager
def opened_file(path: str, option: str) -> Iterator[Output]:
    """A binary file to write, which has its name once the `with` statement ends without an error.

    Until then it is ``PATH.part``. A device or a pipe is written at once, and nothing in it is written again.

    Args:
        path: of the file.
        option: what named it, for messages.

    Raises:
        G2PError: it cannot be written; another process writes it.
    """
    place, explained = Path(path), functools.partial(_explained, f"{option} {path}: cannot be written")
    with explained():
        mode = place.stat().st_mode if place.exists() else stat.S_IFREG
        target = place.resolve()  # through a link: its target is replaced
        if stat.S_ISDIR(mode):
            raise G2PError(f"{option} {path} is a folder: give a file's name")
        if not stat.S_ISREG(mode):
            file, part = place.open("wb", buffering=0), None
        else:
            from g2p_build.runtime.unfinished import locked  # late: not every system has its locks

            part = target.with_name(target.name + ".part")
            file = locked(part)
            file.truncate()  # what a killed run left

    def write(data: bytes) -> None:
        with explained():
            left = memoryview(data)
            while left:
                left = left[file.write(left) :]

    def begin_again(data: bytes) -> None:
        if part is not None:
            with explained():
                file.seek(0)
                file.write(data)

    try:
        yield Output(write, begin_again)
        if part is not None:
            with explained():
                file.flush()
                os.fsync(file.fileno())
                part.replace(target)
    except BaseException:
        if part is not None:
            part.unlink(missing_ok=True)
        raise
    finally:
        with contextlib.suppress(OSError):  # it would write once more what could not be written
            file.close()


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise G2PError(f"{what}: {error.strerror or error}") from None

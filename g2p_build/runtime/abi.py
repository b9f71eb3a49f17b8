"""What the C interfaces of all families have in common (``base.h``): statuses, errors, text, opening and closing."""

from __future__ import annotations

import ctypes
import operator
import os
import threading
import weakref
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar

from g2p_build.runtime import errors
from g2p_build.runtime.errors import G2PError, LibraryFailed

__all__ = [
    "Error",
    "Text",
    "checked_threads",
    "close_at_end",
    "encoded",
    "failure",
    "open_library",
    "shared",
    "zeroless",
]

MOST_THREADS = 256

_ERRORS: dict[int, type[G2PError]] = {  # by status
    1: errors.Cancelled,
    4: errors.EmptyWord,
    5: errors.InvalidWord,
    6: errors.WordTooLong,
    7: errors.UnknownLanguage,
    10: errors.InvalidWeights,
    14: errors.UnsupportedCPU,
    16: errors.ForeignCharacter,
    17: errors.InvalidLexicon,
    18: errors.InvalidDraft,
    20: errors.UnknownVoice,
    21: errors.InvalidVoices,
}


class Error(ctypes.Structure):
    """``g2p_error``."""

    _fields_ = [("status", ctypes.c_int), ("word", ctypes.c_size_t), ("message", ctypes.c_char * 240)]


class Text(ctypes.Structure):
    """``g2p_text``."""

    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t)]


def failure(status: int, message: bytes) -> G2PError:
    """The error to raise for a status of the library, with the library's message."""
    return _ERRORS.get(status, LibraryFailed)(message.decode())


def encoded(text: str) -> bytes:
    """A text as UTF-8. Half a surrogate pair becomes bytes that the library refuses."""
    return text.encode("utf-8", "surrogatepass")


def zeroless(text: str) -> bytes:
    """A name as UTF-8 for C, which ends it at a zero. So another control character, in no name either, replaces it."""
    return encoded(text).replace(b"\0", b"\1")


def checked_threads(threads: int) -> None:
    """Raises ValueError if a library does not take so many threads."""
    if not 0 <= operator.index(threads) <= MOST_THREADS:
        raise ValueError(f"threads={threads}: give 1 to {MOST_THREADS}, or 0 for one for each processor")


def open_library(path: Path, version_of: str, version: int) -> Any:
    """Loads a shared library.

    Args:
        path: its path.
        version_of: the name of the function that gives the version of its interface.
        version: the one that is known here.

    Raises:
        LibraryFailed: the library does not load, or has another version of the interface.
    """
    try:
        library = ctypes.CDLL(str(path))
        found = getattr(library, version_of)()
    except (OSError, AttributeError) as error:
        raise LibraryFailed(f"{path.name}: does not load: {' '.join(str(error).split())[:200]}") from None
    if found != version:
        raise LibraryFailed(f"{path.name}: its interface is version {found}, this runtime's is {version}")
    return library


def close_at_end(owner: object, close: Any, handle: ctypes.c_void_p) -> None:
    """Calls a library's function to close a model when nobody holds its owner any more."""
    close.restype = None
    close.argtypes = [ctypes.c_void_p]
    weakref.finalize(owner, _close, close, handle, os.getpid())


def _close(close: Any, handle: ctypes.c_void_p, process: int) -> None:
    if os.getpid() == process:  # a forked child would wait for its parent's threads, which it does not have
        close(handle)


Model = TypeVar("Model")

_open: weakref.WeakValueDictionary[Hashable, Any] = weakref.WeakValueDictionary()
_opening = threading.Lock()


def shared(key: tuple[Hashable, ...], opened: Callable[[], Model]) -> Model:
    """A model. As long as somebody in this process holds it, the same key gives the same model."""
    with _opening:
        model: Model | None = _open.get((*key, os.getpid()))
        if model is None:
            model = _open[(*key, os.getpid())] = opened()
        return model

"""The lock on the cache: commands share it, and `doit gc` holds it alone while it removes."""

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from g2p_build.errors import BuildError
from g2p_build.store.layers import layers
from g2p_build.store.locks import lockless, missing_locks_explained

__all__ = ["alone", "share"]

NAME = "in-use.lock"

_held: dict[Path, IO[Any]] = {}  # never closed: the operating system releases the locks when the process ends


def share(cache: Path) -> None:
    """From now on until this process ends, `doit gc` removes nothing from the cache. Waits for one that is running.

    A cache that cannot be written needs no lock: nothing can be removed from it either.

    Args:
        cache: the cache's folder.

    Raises:
        BuildError: the cache's file system has no locks, and the user has not said to do without.
    """
    for layer in layers(cache):
        _share(layer, _opened(cache) if layer == cache else _readable(layer))


def _share(cache: Path, file: IO[Any] | None) -> None:
    if cache in _held or lockless() or file is None:
        return
    with missing_locks_explained(cache):
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            print("`doit gc` is removing from the cache; waiting", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_SH)
    _held[cache] = file


@contextmanager
def alone(cache: Path) -> Iterator[None]:
    """Has the cache to itself: no other command is using it, and a command that starts meanwhile waits.

    Raises:
        BuildError: another command is using the cache, or it cannot be written, or its file system has no locks.
    """
    if lockless():
        yield
        return
    file = _held.get(cache) or _opened(cache)
    if file is None or not file.writable():
        raise BuildError(f"the cache {cache} cannot be written: make it writable, or name another (G2P_BUILD_CACHE)")
    shared = cache in _held
    try:
        with missing_locks_explained(cache):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if shared:  # the failed attempt released our shared lock
            fcntl.flock(file, fcntl.LOCK_SH)
        raise BuildError(f"a build is using the cache {cache}: try again when it has ended") from None
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_UN)


def _opened(cache: Path) -> IO[Any] | None:
    path = cache / NAME
    try:
        cache.mkdir(parents=True, exist_ok=True)
        return path.open("a+b")  # NFS wants a shared lock's file open for reading, and an exclusive one's for writing
    except OSError:
        return _readable(cache)


def _readable(cache: Path) -> IO[Any] | None:
    try:
        return (cache / NAME).open("rb")
    except OSError:
        return None

"""Locks on files of the cache, as far as its file system has any."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from filelock import BaseFileLock, FileLock

from g2p_build.errors import BuildError

__all__ = ["NO_LOCKS", "file_lock", "lockless", "missing_locks_explained"]

LOCKS = "G2P_BUILD_LOCKS"

NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})
"""What file systems say that have no locks, or have run out of them."""


def lockless() -> bool:
    """Whether the user does without locks between processes, by ``G2P_BUILD_LOCKS=none``.

    Raises:
        BuildError: the variable has another value.
    """
    named = os.environ.get(LOCKS, "")
    if named not in ("", "none"):
        raise BuildError(f"{LOCKS}={named}: give none, or leave it out")
    return named == "none"


def file_lock(path: Path, thread_local: bool = True) -> BaseFileLock:
    """A lock that one process or thread holds at a time; without locks between processes, one thread of this one."""
    return _InProcess(path, thread_local=thread_local) if lockless() else FileLock(path, thread_local=thread_local)


@contextmanager
def missing_locks_explained(cache: Path) -> Iterator[None]:
    """Turns what a file system without locks says into a `BuildError` that says how to go on."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        raise BuildError(
            f"the file system of the cache {cache} has no locks ({error.strerror}), so two builds at once could damage "
            f"each other's work: name another cache (G2P_BUILD_CACHE), or set {LOCKS}=none and run one at a time"
        ) from None


class _InProcess(BaseFileLock):
    """A lock for the threads of this process alone."""

    _held: ClassVar[set[str]] = set()  # paths
    _guard = threading.Lock()

    def _acquire(self) -> None:
        with self._guard:
            if str(self.lock_file) not in self._held:
                self._held.add(str(self.lock_file))
                self._context.lock_file_fd = 0

    def _release(self) -> None:
        with self._guard:
            self._held.discard(str(self.lock_file))
            self._context.lock_file_fd = None

"""A folder for unfinished work. It disappears with its process, however the process ends."""

import atexit
import errno
import itertools
import os
import secrets
import shutil
import threading
from pathlib import Path

from filelock import BaseFileLock, Timeout

from g2p_build.store.locks import file_lock

__all__ = ["scratch", "sweep", "temporary"]

_mine: dict[tuple[Path, int], tuple[Path, BaseFileLock]] = {}
_making = threading.Lock()
_numbers = itertools.count()
_over: set[int] = set()  # processes that have removed their folder


def scratch(cache: Path) -> Path:
    """This process's own folder in the cache. It is made on first use and removed at exit.

    The process holds a lock beside the folder. The operating system releases the lock when the process dies, so the
    next build recognizes the folder of a killed build and removes it.

    Raises:
        OSError: the cache cannot be written, or the process is ending.
    """
    cache = cache.absolute()
    name = (cache, os.getpid())  # a forked child is another process
    with _making:
        if os.getpid() in _over:
            raise InterruptedError(errno.EINTR, "the build is ending")
        if name not in _mine:
            folder = cache / "tmp" / f"{os.getpid()}-{secrets.token_hex(4)}"
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock = file_lock(folder.with_suffix(".lock"), thread_local=False)
            lock.acquire()
            folder.mkdir()
            _mine[name] = folder, lock
    return _mine[name][0]


def temporary(cache: Path) -> Path:
    """A path in this process's scratch folder that no other thread uses: two may write the same record at once.

    Raises:
        OSError: as `scratch`.
    """
    return scratch(cache) / f"{next(_numbers)}.tmp"


def sweep(cache: Path) -> None:
    """Removes the folders of dead processes. Does nothing if the cache cannot be written."""
    mine = {lock.lock_file for _, lock in _mine.values()}
    for name in sorted((cache.absolute() / "tmp").glob("*.lock")):
        if str(name) in mine:
            continue
        lock = file_lock(name)
        try:
            with lock.acquire(blocking=False):
                if _removed(name.with_suffix("")):
                    name.unlink(missing_ok=True)
        except (Timeout, OSError):
            continue


def _removed(folder: Path) -> bool:
    """Removes a folder. Tries again, because a worker or thread that is about to end may still write a file there."""
    for _ in range(10):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return True
    return False


def _remove_mine() -> None:
    with _making:
        _over.add(os.getpid())
    for cache, owner in list(_mine):
        folder, lock = _mine.pop((cache, owner))
        if owner == os.getpid():
            if not _removed(folder):
                continue  # keep the lock's file: by it, the next command finds the folder and removes it
            Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()
            sweep(cache)


# Registered at import, so that it runs last: functions that are registered later run earlier, and may still write here.
atexit.register(_remove_mine)

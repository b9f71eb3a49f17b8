"""A folder for unfinished work that disappears with the process, however the process ends."""

import atexit
import errno
import os
import secrets
import shutil
import threading
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["scratch", "sweep"]

_mine: dict[tuple[Path, int], tuple[Path, FileLock]] = {}
_making = threading.Lock()
_over: set[int] = set()  # processes that have removed theirs


def scratch(cache: Path) -> Path:
    """This process's own folder in the cache, made on first use and removed at exit.

    A lock beside it says that its owner lives. The operating system lets go of the lock when the owner dies, so the
    next build recognizes and removes what a killed one left.

    Raises:
        OSError: the cache cannot be written, or the process is ending and this is a thread that has not noticed.
    """
    cache = cache.absolute()
    name = (cache, os.getpid())  # a forked child is another process
    with _making:
        if os.getpid() in _over:
            raise InterruptedError(errno.EINTR, "the build is ending")
        if name not in _mine:
            folder = cache / "tmp" / f"{os.getpid()}-{secrets.token_hex(4)}"
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder.with_suffix(".lock"), thread_local=False)
            lock.acquire()
            folder.mkdir()
            _mine[name] = folder, lock
    return _mine[name][0]


def sweep(cache: Path) -> None:
    """Removes what processes that no longer live left behind; a cache that cannot be written is left as it is."""
    mine = {lock.lock_file for _, lock in _mine.values()}
    for name in sorted((cache.absolute() / "tmp").glob("*.lock")):
        if str(name) in mine:
            continue
        lock = FileLock(name)
        try:
            with lock.acquire(blocking=False):
                if _removed(name.with_suffix("")):
                    name.unlink(missing_ok=True)
        except (Timeout, OSError):
            continue


def _removed(folder: Path) -> bool:
    """Removes a folder, in which a worker or a thread that has not noticed the end yet may still write a file."""
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
                continue  # the next command sweeps it, for which the lock has to stay
            Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()
            sweep(cache)


# At import, so that it comes after whatever is registered later and may still want to write.
atexit.register(_remove_mine)

"""A folder for unfinished work that disappears with the process, however the process ends."""

import atexit
import os
import secrets
import shutil
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["scratch", "sweep"]

_mine: dict[tuple[Path, int], tuple[Path, FileLock]] = {}


def scratch(root: Path) -> Path:
    """This process's own folder in the cache, made on first use and removed at exit.

    A lock beside it says that its owner lives. The operating system lets go of the lock when the owner dies, so the
    next build recognizes and removes what a killed one left.

    Raises:
        OSError: the cache cannot be written.
    """
    root = root.absolute()
    name = (root, os.getpid())  # a forked child is another process
    if name not in _mine:
        folder = root / "tmp" / f"{os.getpid()}-{secrets.token_hex(4)}"
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_suffix(".lock"))
        lock.acquire()
        folder.mkdir()
        _mine[name] = folder, lock
    return _mine[name][0]


def sweep(root: Path) -> None:
    """Removes what processes that no longer live left behind; a cache that cannot be written is left as it is."""
    mine = {lock.lock_file for _, lock in _mine.values()}
    for name in sorted((root.absolute() / "tmp").glob("*.lock")):
        if str(name) in mine:
            continue
        lock = FileLock(name)
        try:
            with lock.acquire(blocking=False):
                shutil.rmtree(name.with_suffix(""), ignore_errors=True)
                name.unlink(missing_ok=True)
        except (Timeout, OSError):
            continue


def _remove_mine() -> None:
    for root, owner in list(_mine):
        folder, lock = _mine.pop((root, owner))
        if owner == os.getpid():
            shutil.rmtree(folder, ignore_errors=True)
            Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()
            sweep(root)


# At import, so that it comes after whatever is registered later and may still want to write.
atexit.register(_remove_mine)

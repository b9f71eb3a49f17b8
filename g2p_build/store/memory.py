"""Reserves memory for running stages, across all builds that share a cache."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from g2p_build.errors import BuildError
from g2p_build.store.files import write
from g2p_build.store.locks import file_lock
from g2p_build.store.quantities import size
from g2p_build.store.scratch import scratch, sweep

__all__ = ["limit", "reserved"]

SHARE = 0.8  # of the machine's memory; the rest is for other programs
CGROUP = Path("/sys/fs/cgroup/memory.max")  # a container's limit
POLL = 0.05  # seconds


def limit() -> int:
    """Bytes that all stages together may take: `G2P_BUILD_MEMORY`, else most of the machine's or container's memory.

    Raises:
        BuildError: `G2P_BUILD_MEMORY` is not a size.
    """
    named = os.environ.get("G2P_BUILD_MEMORY")
    if named:
        try:
            return size(named)
        except BuildError as error:
            raise BuildError(f"G2P_BUILD_MEMORY: {error}") from None
    return int(SHARE * _installed())


@contextmanager
def reserved(cache: Path, need: int, waiting: Callable[[], None]) -> Iterator[None]:
    """Waits until there is enough memory, then reserves it as long as the context lasts.

    A process writes its reservations into its scratch folder. They count as long as the process lives.

    Args:
        cache: the cache's folder. Builds that share it share the limit.
        need: bytes.
        waiting: called, once, if it has to wait for other stages to end.

    Raises:
        BuildError: `need` is more than the limit.
        OSError: the cache cannot be written.
    """
    most = limit()
    if need > most:
        has, wants = f"{most / 1e9:.1f}", f"{need / 1e9:.1f}"
        raise BuildError(f"needs {wants} GB of memory, but may take only {has}: set G2P_BUILD_MEMORY higher")
    mine = scratch(cache) / f"memory-{threading.get_ident()}"
    lock = cache / "locks" / "memory.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    told = False
    while not _took(cache, lock, mine, need, most):
        if not told:
            waiting()
            told = True
        time.sleep(POLL)
    try:
        yield
    finally:
        mine.unlink(missing_ok=True)


def _took(cache: Path, lock: Path, mine: Path, need: int, most: int) -> bool:
    with file_lock(lock):
        sweep(cache)  # removes the reservations of dead processes
        held = 0
        for path in (cache.absolute() / "tmp").glob("*/memory-*"):
            try:
                held += int(path.read_bytes() or 0)
            except FileNotFoundError:  # released just now
                continue
        if held + need > most:
            return False
        write(mine, str(need).encode())
        return True


def _installed() -> int:
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(installed, int(CGROUP.read_text(encoding="ascii")))
    except (OSError, ValueError):  # no such file, or "max"
        return installed

"""What a contender has made once, and the cache keeps: a folder."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from g2p_build.store.digests import digest_of
from g2p_build.store.scratch import scratch

__all__ = ["kept"]


def kept(root: Path, name: str, made_of: Any, make: Callable[[Path], None]) -> Path:
    """A folder of the cache, which is made if it is not there.

    Args:
        root: the cache's folder.
        name: whose files they are.
        made_of: plain data on which they depend.
        make: writes them into an empty folder. If it fails, nothing is kept.
    """
    folder = root / "bench" / f"{name}-{digest_of(made_of)[:16]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            out = scratch(root) / folder.name
            shutil.rmtree(out, ignore_errors=True)  # what failed before in this process
            out.mkdir()
            make(out)
            out.replace(folder)
    return folder

"""Where a build reads and writes."""

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from g2p_build.errors import BuildError
from g2p_build.store.layers import lay

__all__ = ["Workspace", "workspace"]

SHARED = "G2P_BUILD_SHARED_CACHE"


@dataclass(frozen=True)
class Workspace:
    """The two folders of a build."""

    cache: Path  # the action cache and the blob store, which trees share; it may lie over another: store/layers.py
    tree: Path  # conf/ is read here; dist/ and manifests/ are written here


def workspace(tree: Path) -> Workspace:
    """The workspace of a tree. Its cache is the folder that `G2P_BUILD_CACHE` names, else one of the user's.

    `G2P_BUILD_SHARED_CACHE` names another one that is only read. The first then lies over it.

    Raises:
        BuildError: nobody says which folder that is: the user has no home; or there is no shared cache.
    """
    named = os.environ.get("G2P_BUILD_CACHE")
    below = os.environ.get(SHARED)
    try:
        cache = Path(named).expanduser().absolute() if named else platformdirs.user_cache_path("g2p-build")
        shared = Path(below).expanduser().absolute() if below else None
    except (RuntimeError, KeyError):  # a user without an entry and without HOME, as in containers
        raise BuildError("this user has no home folder for the cache: set G2P_BUILD_CACHE to a folder") from None
    if shared is not None and not shared.is_dir():
        raise BuildError(f"{SHARED}={below} is not there: name a folder that can be read, or leave it out")
    if shared is not None and shared.resolve() != cache.resolve():
        lay(cache, shared)
    return Workspace(cache, tree)

"""Where a build reads and writes."""

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from g2p_build.errors import BuildError

__all__ = ["Workspace", "workspace"]


@dataclass(frozen=True)
class Workspace:
    """The two folders of a build."""

    cache: Path  # the action cache and the blob store, which trees share
    tree: Path  # conf/ is read here; dist/ and manifests/ are written here


def workspace(tree: Path) -> Workspace:
    """The workspace of a tree. Its cache is the folder that `G2P_BUILD_CACHE` names, else one of the user's.

    Raises:
        BuildError: nobody says which folder that is: the user has no home.
    """
    named = os.environ.get("G2P_BUILD_CACHE")
    try:
        cache = Path(named).expanduser().absolute() if named else platformdirs.user_cache_path("g2p-build")
    except (RuntimeError, KeyError):  # a user without an entry and without HOME, as in containers
        raise BuildError("this user has no home folder for the cache: set G2P_BUILD_CACHE to a folder") from None
    return Workspace(cache, tree)

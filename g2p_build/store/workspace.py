"""Where a build reads and writes."""

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

__all__ = ["Workspace", "workspace"]


@dataclass(frozen=True)
class Workspace:
    """The two folders of a build."""

    cache: Path  # the action cache and the blob store, which trees share
    tree: Path  # conf/ is read here; dist/ and manifests/ are written here


def workspace(tree: Path) -> Workspace:
    """The workspace of a tree. Its cache is the folder that `G2P_BUILD_CACHE` names, else one of the user's."""
    named = os.environ.get("G2P_BUILD_CACHE")
    return Workspace(Path(named).absolute() if named else platformdirs.user_cache_path("g2p-build"), tree)

"""Removes a variant's published files from the tree. It leaves the cache, so `doit compile` can bring them back."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from g2p_build.errors import os_errors_explained
from g2p_build.graph import Node
from g2p_build.products import publish
from g2p_build.store import trees
from g2p_build.store.files import readable_json, write_atomically
from g2p_build.store.workspace import Workspace

__all__ = ["unpublish"]


@os_errors_explained()
def unpublish(workspace: Workspace, nodes: dict[str, Node], default: str, dry_run: bool = False) -> dict[Path, int]:
    """Removes a variant's manifest and its archives, also those of older builds. Keeps archives that others need.

    The index is written first and the archives are removed last. So the index never lists a file that is gone, even if
    the command is killed.

    Args:
        workspace: the tree, and its cache.
        nodes: the variant's nodes, by role.
        default: name of the default variant, which the index names.
        dry_run: whether to remove nothing.

    Returns:
        The files that it removed, or would remove, with their sizes in bytes.

    Raises:
        BuildError: the tree or the cache cannot be written. One line.
    """
    tree = workspace.tree
    name, folder = nodes["manifest"].label, tree / "manifests"
    manifest = folder / f"{name}.json"
    with trees.lock(workspace):
        elsewhere = {file for path in folder.glob("*.json") if path != manifest for file in _archives(path)}
        mine = "|".join(re.escape(prefix) for prefix in (name, nodes["manifest"].params["weights_name"]))
        archive = re.compile(rf"({mine})-[0-9a-f]{{16}}\.tar")
        found = [path for path in sorted((tree / "dist").glob("*.tar")) if archive.fullmatch(path.name)]
        here = [path for path in [manifest, *found] if path.is_file() and path.name not in elsewhere]
        gone = {path: path.stat().st_size for path in here}
        if gone and not dry_run:
            index = folder / "index.json"
            rendered = readable_json(publish.index_of(workspace.cache, folder, default, without=name))
            write_atomically(index, rendered, folder / ".index.json.tmp")
            for path in gone:
                path.unlink()
    return gone


def _archives(path: Path) -> Iterator[str]:
    """The archives that a manifest names, even if other parts of it are damaged."""
    try:
        for archive in json.loads(path.read_bytes())["archives"].values():
            yield archive["file"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return

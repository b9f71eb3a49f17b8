"""Removes a variant's published files from the tree. It leaves the cache, so `doit compile` can bring them back."""

from pathlib import Path

from g2p_build.errors import os_errors_explained
from g2p_build.graph import Node
from g2p_build.products import publish
from g2p_build.products.aar import aars_of
from g2p_build.products.flutter import plugins_of
from g2p_build.products.npm import npm_packages_of
from g2p_build.products.swift import packages_of
from g2p_build.products.wheel import wheels_of
from g2p_build.store import trees
from g2p_build.store.files import readable_json, write_atomically
from g2p_build.store.workspace import Workspace

__all__ = ["unpublish"]


@os_errors_explained()
def unpublish(workspace: Workspace, nodes: dict[str, Node], default: str, dry_run: bool = False) -> dict[Path, int]:
    """Removes a variant's manifest, archives and packages, also of older builds. Keeps archives that others need.

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
        found = [*publish.archives_left(tree, nodes, goes=True), *wheels_of(tree, name), *aars_of(tree, name)]
        found += [*packages_of(tree, name), *plugins_of(tree, name)]
        found += npm_packages_of(tree, name)
        here = [path for path in [manifest, *found] if path.is_file()]
        gone = {path: path.stat().st_size for path in here}
        if gone and not dry_run:
            index = folder / "index.json"
            rendered = readable_json(publish.index_of(workspace.cache, folder, default, without=name))
            write_atomically(index, rendered, folder / ".index.json.tmp")
            for path in gone:
                path.unlink()
    return gone

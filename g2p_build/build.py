"""Brings nodes of the graph up to date: keys decide what is stale, the worker runs it, the stores keep what it made."""

import importlib
import importlib.metadata
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

from g2p_build import worker
from g2p_build.errors import BuildError
from g2p_build.graph import Node
from g2p_build.store import actions, blobs, digests
from g2p_build.store.scratch import scratch
from g2p_build.store.sources import source_digest

__all__ = ["cache_root", "components", "current", "ensure", "files", "realise"]


def cache_root() -> Path:
    """The folder of the action cache and the blob store: `G2P_BUILD_CACHE`, else the user's own."""
    named = os.environ.get("G2P_BUILD_CACHE")
    return Path(named).absolute() if named else platformdirs.user_cache_path("g2p-build")


def components(root: Path, node: Node) -> dict[str, Any] | None:
    """All that a node's outputs depend on (the key is its digest), or None while one of its inputs is stale.

    Raises:
        BuildError: source files that should be there are not.
    """
    module = f"g2p_build.stages.{node.stage}"
    inputs = {name: digests.file_digest(root, path) for name, path in _source_files(node).items()}
    for name, (upstream, file) in node.inputs.items():
        made = current(root, upstream)
        if made is None:
            return None
        inputs[name] = made[file]
    return {
        "stage": node.stage,
        "params": node.params,
        "inputs": inputs,
        "source": source_digest(root, module),
        "tools": {name: _version(name) for name in importlib.import_module(module).TOOLS},
    }


def current(root: Path, node: Node) -> Mapping[str, str] | None:
    """The digests of a node's outputs (file name → digest) if it is up to date, else None."""
    known = _current.get((root, node.name))
    if known is None:
        depends = components(root, node)
        action = actions.find(root, actions.key_of(depends)) if depends else None
        if action is None:
            return None
        known = _current[root, node.name] = action.outputs
    return known


# What was found current stays so for this process: a build decides on one state of the tree.
_current: dict[tuple[Path, str], Mapping[str, str]] = {}


def files(root: Path, node: Node) -> dict[str, Path]:
    """The files of an up-to-date node: output name → blob.

    Raises:
        BuildError: it is not up to date.
    """
    made = current(root, node)
    if made is None:
        raise BuildError(f"{node.name} is not built")
    return {name: blobs.path_of(root, digest) for name, digest in made.items()}


def realise(root: Path, node: Node) -> None:
    """Makes a node's outputs, unless somebody already has; its inputs must be up to date.

    Raises:
        BuildError: the stage refused its inputs, failed or crashed. One line, without the node's name.
        OSError: the cache cannot be written.
    """
    depends = components(root, node)
    if depends is None:
        raise BuildError("one of its inputs is not built")
    key = actions.key_of(depends)
    lock = FileLock(_made(root / "locks") / f"{key}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"{node.name}: another build is making it; waiting", flush=True)
        lock.acquire()
    try:
        if actions.find(root, key) is None:
            _run(root, node, depends, _made(root / "logs") / f"{key}.log")
    finally:
        lock.release()


def ensure(root: Path, nodes: Iterable[Node]) -> None:
    """Brings nodes up to date, one after the other, in this process and its worker.

    Args:
        root: the cache's folder.
        nodes: each after those it takes its inputs from.

    Raises:
        BuildError: a stage failed. One line.
    """
    for node in nodes:
        if current(root, node) is None:
            try:
                realise(root, node)
            except BuildError as error:
                raise BuildError(f"{node.name}: {error}") from None
    digests.save(root)


def _run(root: Path, node: Node, depends: Mapping[str, Any], log: Path) -> None:
    inputs = {name: files(root, upstream)[file] for name, (upstream, file) in node.inputs.items()}
    out = scratch(root) / log.stem
    out.mkdir()
    module = f"g2p_build.stages.{node.stage}"
    progress = getattr(importlib.import_module(module), "SHOWS_PROGRESS", False)
    seconds = worker.run(module, node.params, inputs | _source_files(node), out, log, progress)
    outputs = {name: blobs.put(root, out / name) for name in node.outputs}
    out.rmdir()
    actions.record(root, actions.Action(depends, outputs, seconds))


def _source_files(node: Node) -> dict[str, Path]:
    if node.folder is None:
        return {}
    stage = importlib.import_module(f"g2p_build.stages.{node.stage}")
    listed: dict[str, Path] = stage.source_files({**node.params, "path": node.folder})
    return listed


@cache
def _version(distribution: str) -> str:
    return importlib.metadata.version(distribution)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder

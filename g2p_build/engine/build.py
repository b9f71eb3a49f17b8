"""Brings nodes of the graph up to date: keys decide what is stale, the worker runs it, the stores keep what it made."""

import importlib
import importlib.metadata
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

from g2p_build.engine import worker
from g2p_build.errors import BuildError, os_errors_explained
from g2p_build.graph import Node
from g2p_build.store import actions, blobs, digests, in_use, records
from g2p_build.store.memory import reserved
from g2p_build.store.scratch import scratch
from g2p_build.store.sources import source_digest, source_files

WORKER_MEMORY = 700_000_000  # bytes: a worker that has imported torch and TVM

__all__ = [
    "cache_root",
    "components",
    "current",
    "ensure",
    "files",
    "key",
    "keys",
    "known_components",
    "note_tree",
    "realise",
]


def cache_root() -> Path:
    """The folder of the action cache and the blob store: `G2P_BUILD_CACHE`, else the user's own."""
    named = os.environ.get("G2P_BUILD_CACHE")
    return Path(named).absolute() if named else platformdirs.user_cache_path("g2p-build")


def components(root: Path, node: Node) -> dict[str, Any] | None:
    """All that a node's outputs depend on (the key is its digest), or None while one of its inputs is stale.

    Raises:
        BuildError: source files that should be there are not.
    """
    depends = known_components(root, node)
    return None if None in depends["inputs"].values() else depends


def known_components(root: Path, node: Node) -> dict[str, Any]:
    """What is known of all that a node's outputs depend on: an input has no digest (None) while it is stale.

    Raises:
        BuildError: source files that should be there are not.
    """
    module = f"g2p_build.stages.{node.stage}"
    inputs: dict[str, str | None] = {name: _file_digest(root, path) for name, path in _source_files(node).items()}
    for name, (upstream, file) in node.inputs.items():
        made = current(root, upstream)
        inputs[name] = made[file] if made is not None else None
    return {
        "stage": node.stage,
        "params": node.params,
        "inputs": inputs,
        "source": _source_digest(root, module),
        "tools": {name: _version(name) for name in importlib.import_module(module).TOOLS},
    }


def current(root: Path, node: Node) -> Mapping[str, str] | None:
    """The digests of a node's outputs (file name → digest) if it is up to date, else None."""
    known = _current.get((root, node.name))
    if known is None:
        depends = components(root, node)
        key = actions.key_of(depends) if depends else ""
        action = actions.find(root, key) if key else None
        if action is None:
            return None
        _keys[root, node.name] = key
        known = _current[root, node.name] = action.outputs
    return known


def key(root: Path, node: Node) -> str | None:
    """The key of a node: what names its run in the action cache, or None while one of its inputs is stale.

    Raises:
        BuildError: source files that should be there are not.
    """
    if (root, node.name) in _keys:
        return _keys[root, node.name]
    depends = components(root, node)
    return actions.key_of(depends) if depends else None


def keys(root: Path, nodes: Iterable[Node]) -> tuple[str, ...]:
    """The keys of those nodes that have one."""
    found = (key(root, node) for node in nodes)
    return tuple(one for one in found if one is not None)


def note_tree(root: Path, tree: Path) -> None:
    """Remembers for a tree the keys of the nodes that this process found or brought up to date, for `doit why`."""
    records.note(root, tree, {name: key for (where, name), key in _keys.items() if where == root})


_making: set[str] = set()  # keys that this process is making, in whichever of its threads

# What was found current stays so for this process: a build decides on one state of the tree.
_current: dict[tuple[Path, str], Mapping[str, str]] = {}
_keys: dict[tuple[Path, str], str] = {}


def files(root: Path, node: Node) -> dict[str, Path]:
    """The files of an up-to-date node: output name → blob.

    Raises:
        BuildError: it is not up to date.
    """
    made = current(root, node)
    if made is None:
        raise BuildError(f"{node.name} is not built")
    return {name: blobs.path_of(root, digest) for name, digest in made.items()}


@os_errors_explained()
def realise(root: Path, node: Node, say: Callable[[str], None] = print) -> None:
    """Makes a node's outputs, unless somebody already has; its inputs must be up to date.

    Args:
        root: the cache's folder.
        node: what to make.
        say: told, in a line, what it waits for.

    Raises:
        BuildError: the stage refused its inputs, failed or crashed, or the cache cannot be written. One line, without
            the node's name.
    """
    depends = components(root, node)
    if depends is None:
        raise BuildError("one of its inputs is not built")
    key = actions.key_of(depends)
    lock = FileLock(_made(root / "locks") / f"{key}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if key not in _making:
            say(f"{node.name}: another build is making it; waiting")
        lock.acquire()
    _making.add(key)
    try:
        if actions.find(root, key) is None:
            _run(root, node, depends, _made(root / "logs") / f"{key}.log", say)
    finally:
        _making.discard(key)
        lock.release()


def ensure(root: Path, nodes: Iterable[Node]) -> None:
    """Brings nodes up to date, one after the other, in this process and its worker.

    Args:
        root: the cache's folder.
        nodes: each after those it takes its inputs from.

    Raises:
        BuildError: a stage failed. One line.
    """
    in_use.share(root)
    for node in nodes:
        if current(root, node) is None:
            try:
                realise(root, node)
            except BuildError as error:
                raise BuildError(f"{node.name}: {error}") from None
    digests.save(root)


def _run(root: Path, node: Node, depends: Mapping[str, Any], log: Path, say: Callable[[str], None]) -> None:
    inputs = {name: files(root, upstream)[file] for name, (upstream, file) in node.inputs.items()}
    inputs |= _source_files(node)
    stage = importlib.import_module(f"g2p_build.stages.{node.stage}")
    need = WORKER_MEMORY + (stage.memory(node.params, inputs) if hasattr(stage, "memory") else 0)
    out = scratch(root) / log.stem
    out.mkdir()
    try:
        with reserved(root, need, lambda: say(f"{node.name}: waits for {need / 1e9:.1f} GB of memory")):
            seconds = worker.run(stage.__name__, node.params, inputs, out, log, getattr(stage, "SHOWS_PROGRESS", False))
        _check_unchanged(root, node, depends)
        outputs = {name: blobs.put(root, out / name) for name in node.outputs}
    finally:
        shutil.rmtree(out, ignore_errors=True)
    actions.record(root, actions.Action(depends, outputs, seconds))
    records.keep_sources(root, depends["source"], source_files(root, stage.__name__))


def _check_unchanged(root: Path, node: Node, depends: Mapping[str, Any]) -> None:
    """What was made belongs to the key only if nothing that the key was taken of has been edited meanwhile."""
    now = {name: digests.file_digest(root, path) for name, path in _source_files(node).items()}
    if source_digest(root, f"g2p_build.stages.{node.stage}") != depends["source"]:
        raise BuildError("its source was edited while it ran: run the command again")
    for name, digest in now.items():
        if digest != depends["inputs"][name]:
            raise BuildError(f"{name} was changed while it was read: run the command again")


def _source_files(node: Node) -> dict[str, Path]:
    if node.folder is None:
        return {}
    stage = importlib.import_module(f"g2p_build.stages.{node.stage}")
    listed: dict[str, Path] = stage.source_files({**node.params, "path": node.folder})
    return listed


# A build decides on one state of the sources.
_source_digest = cache(source_digest)
_file_digest = cache(digests.file_digest)


@cache
def _version(distribution: str) -> str:
    return importlib.metadata.version(distribution)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder

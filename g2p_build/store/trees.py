"""The cache's records of the trees that use it: where each tree is, and what it was last built from.

They never decide what is stale. A damaged or missing record is no error: `doit why` then says less precisely what
changed, and `doit gc` keeps a variant's actions only as long as they are recent.
"""

import errno
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from g2p_build.store.digests import digest_of
from g2p_build.store.files import canonical_json, no_folder, write_atomically
from g2p_build.store.layers import layers
from g2p_build.store.locks import NO_LOCKS, file_lock, lockless
from g2p_build.store.scratch import temporary
from g2p_build.store.workspace import Workspace

__all__ = [
    "Origin",
    "Published",
    "another",
    "claim",
    "keys",
    "lock",
    "needed",
    "note_keys",
    "note_published",
    "published",
]


@dataclass(frozen=True)
class Origin:
    """Where something comes from that is part of a manifest's name."""

    name: str  # as it is in the manifest's name
    label: str  # as it was configured, before names were told apart
    paths: tuple[str, ...]  # the user's own files and folders that it is made from, absolute; none for what is built in
    content: str  # digest of the files in there; empty without paths
    given: bool  # whether the name is the user's own choice, or an option's, and not made from the paths


@dataclass(frozen=True)
class Published:
    """How a published manifest was made."""

    overrides: tuple[str, ...]  # of the command that last found it current or made it
    keys: tuple[str, ...]  # of the actions that it was made from, in the order of the graph
    origins: Mapping[str, Origin] = field(default_factory=dict)  # by the field of the variant; none: not known


@contextmanager
def lock(workspace: Workspace) -> Iterator[None]:
    """The lock that a process must hold while it changes a tree's products or the record of them.

    It is on the tree's own folder, so it needs no cache that can be written. Where the tree's file system has no such
    locks, it is on a file in the cache.

    Raises:
        OSError: the cache is needed for it, and cannot be written.
    """
    path = workspace.cache / "locks" / f"tree-{_name(workspace.tree)}.lock"
    if lockless():
        with file_lock(path):
            yield
        return
    folder = os.open(workspace.tree, os.O_RDONLY)
    try:
        with ExitStack() as held:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in NO_LOCKS | {errno.EBADF}:  # EBADF: NFS locks nothing that is open for reading
                    raise
                path.parent.mkdir(parents=True, exist_ok=True)
                held.enter_context(file_lock(path))
            yield
    finally:
        os.close(folder)


def note_keys(workspace: Workspace, found: Mapping[str, str]) -> None:
    """Adds keys of nodes that are up to date to a tree's record. Does nothing if the cache cannot be written.

    Args:
        workspace: the tree that they were built for, and the cache.
        found: node's name → key.
    """
    if not found.items() <= keys(workspace).items():
        _write(workspace, found, {})


def note_published(workspace: Workspace, made: Mapping[str, Published]) -> None:
    """Adds how variants were published, by name, to a tree's record. Does nothing if the cache cannot be written."""
    if not made.items() <= published(workspace).items():
        _write(workspace, {}, made)


def another(recorded: Mapping[str, Origin], mine: Mapping[str, Origin]) -> Origin | None:
    """Where a manifest comes from, if that is another place than `mine`, and another thing lies there."""
    for kind, origin in mine.items():
        was = recorded.get(kind)
        if was is not None and was.paths != origin.paths and was.content != origin.content:
            return was
    return None


def claim(workspace: Workspace, name: str, origins: Mapping[str, Origin]) -> None:
    """Notes where a manifest comes from. The caller holds the tree's lock, and has just written the manifest."""
    made = published(workspace).get(name, Published((), ()))
    if made.origins != origins:
        _update(workspace, {}, {name: replace(made, origins=origins)})


def keys(workspace: Workspace) -> dict[str, str]:
    """The keys of a tree's nodes when they were last up to date: node's name → key."""
    return _keys(_record(workspace))


def published(workspace: Workspace) -> dict[str, Published]:
    """What is known of a tree's manifests, by the variant's name; empty if nothing is known."""
    return _published(_record(workspace))


def needed(cache: Path) -> set[str]:
    """The keys of all actions that the manifests in existing trees were made from."""
    found: set[str] = set()
    for path in (cache / "trees").glob("*.json"):
        record = _read(path)
        tree = record.get("tree")
        if isinstance(tree, str):
            for name, made in _published(record).items():
                if _manifest(Path(tree), name).exists():
                    found.update(made.keys)
    return found


def _write(workspace: Workspace, found: Mapping[str, str], made: Mapping[str, Published]) -> None:
    with suppress(OSError), lock(workspace):
        _update(workspace, found, made)


def _update(workspace: Workspace, found: Mapping[str, str], made: Mapping[str, Published]) -> None:
    path = _path(workspace)
    record = _record(workspace)
    there = _published(record) | dict(made)
    there = {name: made for name, made in there.items() if _manifest(workspace.tree, name).exists()}
    record = {
        "tree": str(workspace.tree.resolve()),
        "keys": _keys(record) | dict(found),
        "published": {name: asdict(made) for name, made in there.items()},
    }
    with suppress(OSError):
        write_atomically(no_folder(path), canonical_json(record) + b"\n", temporary(workspace.cache))


def _keys(record: Mapping[str, Any]) -> dict[str, str]:
    found = record.get("keys")
    return found if isinstance(found, dict) and _strings(found.values()) else {}


def _published(record: Mapping[str, Any]) -> dict[str, Published]:
    try:
        return {name: _one(**made) for name, made in record["published"].items()}
    except (KeyError, TypeError, AttributeError):
        return {}


def _one(
    overrides: Sequence[str], keys: Sequence[str], origins: Mapping[str, Mapping[str, Any]] | None = None
) -> Published:
    found = {kind: Origin(**fields) for kind, fields in (origins or {}).items()}
    found = {kind: replace(origin, paths=tuple(origin.paths)) for kind, origin in found.items()}
    texts = [text for each in found.values() for text in (each.name, each.label, each.content, *each.paths)]
    if not _strings([*overrides, *keys, *texts]):
        raise TypeError
    return Published(tuple(overrides), tuple(keys), found)


def _strings(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _record(workspace: Workspace) -> dict[str, Any]:
    """A tree's record, where one of the cache's layers has it."""
    found = (_read(_path(Workspace(layer, workspace.tree))) for layer in layers(workspace.cache))
    return next(filter(None, found), {})


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _path(workspace: Workspace) -> Path:
    return workspace.cache / "trees" / f"{_name(workspace.tree)}.json"


def _name(tree: Path) -> str:
    return digest_of(str(tree.resolve()))[:16]


def _manifest(tree: Path, name: str) -> Path:
    return tree / "manifests" / f"{name}.json"

"""What the cache knows of the trees it is used from: where they are, and how each of their manifests was asked for."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from g2p_build.store.digests import digest_of
from g2p_build.store.files import canonical_json, no_folder, write_atomically
from g2p_build.store.scratch import scratch

__all__ = ["Published", "lock", "needed", "note", "save", "variants"]


@dataclass(frozen=True)
class Published:
    """How a manifest came about."""

    overrides: tuple[str, ...]  # of the command that last found it current or made it
    keys: tuple[str, ...]  # of the actions that it needs, in the order of the graph


_noted: dict[tuple[Path, Path], dict[str, Published]] = {}


def lock(root: Path, tree: Path) -> FileLock:
    """Held by whoever changes a tree's products.

    Raises:
        OSError: the cache cannot be written.
    """
    path = root / "locks" / f"tree-{_name(tree)}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path)


def note(root: Path, tree: Path, name: str, overrides: Sequence[str], keys: Iterable[str]) -> None:
    """Remembers, until `save`, that a variant is published in a tree.

    Args:
        root: the cache's folder.
        tree: the folder that holds `manifests/`.
        name: the variant's.
        overrides: the command line's, which described this variant and perhaps others.
        keys: of the actions that it needs, in the order of the graph.
    """
    _noted.setdefault((root, tree), {})[name] = Published(tuple(overrides), tuple(keys))


def save(root: Path) -> None:
    """Writes what was noted, if it is news; a cache that cannot be written is left as it is."""
    for where, tree in [place for place in _noted if place[0] == root]:
        noted = _noted.pop((where, tree))
        if noted.items() <= variants(root, tree).items():
            continue
        path = _path(root, tree)
        try:
            with lock(root, tree):
                there = variants(root, tree) | noted
                there = {name: made for name, made in there.items() if _manifest(tree, name).exists()}
                record = {"tree": str(tree.resolve()), "variants": {name: asdict(made) for name, made in there.items()}}
                write_atomically(no_folder(path), canonical_json(record) + b"\n", scratch(root) / path.name)
        except OSError:
            return


def variants(root: Path, tree: Path) -> dict[str, Published]:
    """What is known of a tree's manifests, by variant; empty where nothing is."""
    return _read(_path(root, tree))[1]


def needed(root: Path) -> set[str]:
    """The keys of all actions that a manifest needs which lies in a tree that is still there."""
    keys: set[str] = set()
    for path in (root / "trees").glob("*-variants.json"):
        tree, variants = _read(path)
        if tree is not None:
            keys.update(key for name, made in variants.items() if _manifest(tree, name).exists() for key in made.keys)
    return keys


def _read(path: Path) -> tuple[Path | None, dict[str, Published]]:
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
        found = {
            name: Published(tuple(made["overrides"]), tuple(made["keys"])) for name, made in record["variants"].items()
        }
        return Path(record["tree"]), found
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None, {}


def _path(root: Path, tree: Path) -> Path:
    return root / "trees" / f"{_name(tree)}-variants.json"


def _name(tree: Path) -> str:
    return digest_of(str(tree.resolve()))[:16]


def _manifest(tree: Path, name: str) -> Path:
    return tree / "manifests" / f"{name}.json"

"""What each tree was last built from, so that one can say what has changed since. It decides nothing.

A record that is damaged or missing is no error: what changed can then only be said less precisely.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

from g2p_build.store.digests import digest_of
from g2p_build.store.files import canonical_json, no_folder, write_atomically
from g2p_build.store.scratch import scratch

__all__ = ["keep_sources", "kept_sources", "last_keys", "note"]


def note(root: Path, tree: Path, keys: Mapping[str, str]) -> None:
    """Remembers the keys of nodes that are up to date; a cache that cannot be written is left as it is.

    Args:
        root: the cache's folder.
        tree: the checkout that they were built for.
        keys: node's name → key.
    """
    if keys.items() <= last_keys(root, tree).items():
        return
    path = _path(root, tree)
    try:
        (root / "locks").mkdir(parents=True, exist_ok=True)
        with FileLock(root / "locks" / f"record-{path.stem}.lock"):
            record = {"tree": str(tree.resolve()), "keys": last_keys(root, tree) | dict(keys)}
            write_atomically(no_folder(path), canonical_json(record) + b"\n", scratch(root) / f"record-{path.name}")
    except OSError:
        return


def last_keys(root: Path, tree: Path) -> dict[str, str]:
    """The keys that the nodes of a tree had when they were last found or brought up to date: node's name → key."""
    return _strings(_path(root, tree), "keys")


def keep_sources(root: Path, digest: str, files: Mapping[str, str]) -> None:
    """Keeps what a source digest was taken of, unless that is kept already.

    Args:
        root: the cache's folder.
        digest: of `files`; what differs (the source was edited meanwhile) is not kept.
        files: module → digest of its syntax tree.

    Raises:
        OSError: the cache cannot be written.
    """
    path = _sources_path(root, digest)
    if digest_of(files) == digest and not path.is_file():
        write_atomically(no_folder(path), canonical_json({"files": files}) + b"\n", scratch(root) / f"sources-{digest}")


def kept_sources(root: Path, digest: str) -> dict[str, str] | None:
    """What a source digest was taken of (module → digest of its syntax tree), or None where that is not known."""
    files = _strings(_sources_path(root, digest), "files")
    return files if digest_of(files) == digest else None


def _path(root: Path, tree: Path) -> Path:
    return root / "trees" / f"{digest_of(str(tree.resolve()))[:16]}.json"


def _sources_path(root: Path, digest: str) -> Path:
    return root / "sources" / f"{digest}.json"


def _strings(path: Path, field: str) -> dict[str, str]:
    """One field of a JSON file, a mapping of strings to strings; empty where there is no such thing."""
    try:
        found = json.loads(path.read_bytes())[field]
        return found if all(isinstance(value, str) for value in found.values()) else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}

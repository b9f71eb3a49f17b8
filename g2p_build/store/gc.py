"""Finds what nobody needs in the cache, and removes it.

An action is kept if a manifest in a known tree was made from it, or if it was made or found current lately. Blobs and
logs are kept with the actions that they belong to. If the cache must fit a size, recent actions go too, the least
recently used first. What a manifest needs always stays.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from g2p_build.errors import os_errors_explained
from g2p_build.store import actions, blobs, in_use, trees

__all__ = ["Garbage", "find", "remove"]

# They are emptied in this order. An action's entry goes before its blobs, so a killed gc leaves no entry without its
# blobs.
FOLDERS = ("actions", "blobs", "sources", "logs", "locks", "trees")


@dataclass(frozen=True)
class Garbage:
    """The files of a cache, and which of them can go."""

    files: Mapping[str, Mapping[Path, int]]  # folder → file → bytes; every file of the cache
    gone: frozenset[Path]  # the files that nobody needs
    needed: int  # bytes of the files that manifests need; these stay whatever the size limit


@dataclass(frozen=True)
class _Entry:
    """An action's entry, and the files that are kept with it."""

    key: str
    used: float  # when it was last made or found current, to the hour; seconds since 1970
    own: frozenset[Path]  # the entry itself and its log; no other action has them
    shared: frozenset[Path]  # its blobs and the record of its sources; other actions may have the same


@os_errors_explained()
def find(cache: Path, keep: float, most: int | None = None) -> Garbage:
    """Looks for what nobody needs; changes nothing.

    Args:
        cache: the cache's folder.
        keep: seconds. Actions that were made or found current more recently are kept.
        most: the most bytes that the cache may have. If it has more, recent actions that no manifest needs go too.
            None: no limit.

    Raises:
        BuildError: the cache cannot be read. One line.
    """
    oldest = time.time() - keep
    files = {folder: _sizes(cache / folder) for folder in FOLDERS}
    files["other"] = {path: path.stat().st_size for path in cache.glob("*") if path.is_file()}  # these always stay
    sizes = {path: size for found in files.values() for path, size in found.items()}
    entries = [entry for path in files["actions"] if (entry := _entry(cache, path, sizes))]
    wanted = trees.needed(cache)
    needed = [entry for entry in entries if entry.key in wanted]
    kept = needed + [entry for entry in entries if entry.key not in wanted and entry.used >= oldest]
    # Locks always go: while we remove, no build holds one. A log without an action is a failure's, kept while recent.
    others = set(files["other"]) | {path for path in files["logs"] if path.stat().st_mtime >= oldest}
    others |= {path for path in files["trees"] if _is_live(path) or path.stat().st_mtime >= oldest}
    others -= {path for entry in entries for path in entry.own}
    bottom = sum(sizes[path] for path in _of(needed))
    if most is not None:
        room = most - bottom - sum(sizes[path] for path in others)
        kept = needed + _fitting(kept[len(needed) :], _of(needed), room, sizes)
    return Garbage(files, frozenset(sizes) - _of(kept) - others, bottom)


@os_errors_explained()
def remove(cache: Path, keep: float, most: int | None = None) -> Garbage:
    """Finds what nobody needs and removes it, while nobody else uses the cache.

    If it is killed, the cache is still valid, and the next gc removes the rest.

    Args:
        cache, keep, most: as for `find`.

    Returns:
        What was removed.

    Raises:
        BuildError: another process is using the cache, or it cannot be written. One line.
    """
    with in_use.alone(cache):
        garbage = find(cache, keep, most)
        for folder in FOLDERS:
            for path in garbage.files[folder]:
                if path in garbage.gone:
                    path.unlink(missing_ok=True)
        for part in ("actions", "blobs"):
            for path in (cache / part).glob("*"):
                if path.is_dir() and not any(path.iterdir()):
                    path.rmdir()
    return garbage


def _fitting(recent: Iterable[_Entry], there: frozenset[Path], room: int, sizes: Mapping[Path, int]) -> list[_Entry]:
    """The most recently used entries that fit into `room` bytes. The files `there` are kept anyway and take no room."""
    kept: list[_Entry] = []
    for entry in sorted(recent, key=lambda entry: (-entry.used, entry.key)):
        more = _of([entry]) - there
        room -= sum(sizes[path] for path in more)
        if room < 0:
            break
        kept.append(entry)
        there |= more
    return kept


def _entry(cache: Path, path: Path, sizes: Mapping[Path, int]) -> _Entry | None:
    """An action's entry. None if it is damaged or one of its blobs is gone: no build can use it then."""
    key = path.stem
    action = actions.read(cache, key) if path == actions.path_of(cache, key) else None
    if action is None:
        return None
    own = {path, cache / "logs" / f"{key}.log"} & sizes.keys()
    made = {blobs.path_of(cache, digest) for digest in action.outputs.values()}
    below = {path for path in made - sizes.keys() if blobs.find(cache, path.name)}  # in the cache under this one
    if not made - below <= sizes.keys():
        return None
    made -= below
    sources = {cache / "sources" / f"{action.components['source']}.json"} & sizes.keys()
    return _Entry(key, path.stat().st_mtime, frozenset(own), frozenset(made | sources))


def _of(entries: Iterable[_Entry]) -> frozenset[Path]:
    """All files of some entries."""
    return frozenset(path for entry in entries for path in entry.own | entry.shared)


def _is_live(record: Path) -> bool:
    """Whether the tree that a record describes still exists."""
    try:
        return Path(json.loads(record.read_bytes())["tree"]).is_dir()
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _sizes(folder: Path) -> dict[Path, int]:
    """Every file below a folder, with its size in bytes."""
    return {path: path.lstat().st_size for path in folder.rglob("*") if path.is_symlink() or path.is_file()}

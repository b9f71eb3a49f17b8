"""SHA-256 of files and data. A file's digest is remembered until the file's `stat` changes."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from g2p_build.store.files import canonical_json, no_folder, write_atomically
from g2p_build.store.layers import layers
from g2p_build.store.scratch import temporary

__all__ = ["Stat", "digest_of", "file_digest", "remember", "save", "stat"]

# If a file changed this shortly before it was read, it could change again within one tick of the file system's clock
# and keep its time stamp. So its digest is not remembered (git's rule for "racy" index entries).
RACY_NS = 50_000_000

Stat = tuple[int, int, int, int]
"""A file's size, the times (ns) of the last change of its contents and of its inode, and the inode's number."""


def digest_of(value: Any) -> str:
    """SHA-256 (hex) of plain data, by its canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def file_digest(cache: Path, path: Path) -> str:
    """SHA-256 (hex) of a file's bytes. The file is read only if its `stat` has changed since the last time.

    Args:
        cache: the cache's folder, where digests are remembered.
        path: the file.

    Raises:
        OSError: the file cannot be read.
    """
    value = remember(cache, path, "sha256", _sha256)
    assert isinstance(value, str)
    return value


def remember(cache: Path, path: Path, kind: str, compute: Callable[[Path], Any]) -> Any:
    """The result of `compute` for a file. It is computed again only when the file's `stat` has changed.

    The inode's time cannot be set back, so changed contents with an old time stamp are noticed.

    Args:
        cache: the cache's folder.
        path: the file.
        kind: names what is computed, and its version.
        compute: from the path to plain JSON data.

    Raises:
        OSError: the file cannot be read.
    """
    entries = _load(cache)
    name = f"{kind}:{path.absolute()}"
    now = stat(path)
    found = entries.get(name)
    if found is not None and tuple(found[0]) == now:
        return found[1]
    value = compute(path)
    started = time.time_ns()
    if stat(path) == now and max(now[1], now[2]) < started - RACY_NS:
        entries[name] = [list(now), value]
        _changed.add((cache, name))
    return value


def save(cache: Path) -> None:
    """Writes what was computed since the last call. Does nothing if the cache cannot be written."""
    mine = {name for where, name in _changed if where == cache}
    if not mine:
        return
    merged = _read(cache)
    merged.update({name: _load(cache)[name] for name in mine})
    merged = {name: entry for name, entry in merged.items() if Path(name.partition(":")[2]).exists()}
    entries = canonical_json(merged)
    try:
        # The file begins with its own digest. Otherwise nobody would notice a flipped bit in it.
        data = hashlib.sha256(entries).hexdigest().encode() + b"\n" + entries
        write_atomically(no_folder(cache / "stats.json"), data, temporary(cache))
    except OSError:
        return
    _changed.difference_update({(cache, name) for name in mine})


_loaded: dict[Path, dict[str, Any]] = {}
_changed: set[tuple[Path, str]] = set()


def _load(cache: Path) -> dict[str, Any]:
    if cache not in _loaded:
        _loaded[cache] = {name: entry for layer in reversed(layers(cache)) for name, entry in _read(layer).items()}
    return _loaded[cache]


def _read(cache: Path) -> dict[str, Any]:
    try:
        check, _, data = (cache / "stats.json").read_bytes().partition(b"\n")
        if check != hashlib.sha256(data).hexdigest().encode():
            return {}
        entries: dict[str, Any] = json.loads(data)
    except (OSError, ValueError):
        return {}
    return entries


def stat(path: Path) -> Stat:
    """The state of a file. As long as it stays as it is, so do the file's bytes.

    Raises:
        OSError: there is no such file.
    """
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _sha256(path: Path) -> str:
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

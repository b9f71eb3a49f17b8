"""The action cache: key → an action, which is one run of a stage, with the digests of its outputs."""

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from g2p_build.store import blobs
from g2p_build.store.digests import digest_of
from g2p_build.store.files import canonical_json, no_folder, write_atomically
from g2p_build.store.layers import layers
from g2p_build.store.scratch import temporary

__all__ = ["Action", "find", "key_of", "path_of", "read", "record"]

HOUR = 3600  # seconds


@dataclass(frozen=True)
class Action:
    """One finished run of a stage."""

    components: Mapping[str, Any]  # everything that the run depended on; the key is the digest of this
    outputs: Mapping[str, str]  # file name → digest of the blob
    seconds: float  # how long it took; shown when it runs again


def key_of(components: Mapping[str, Any]) -> str:
    """The key of an action: the SHA-256 (hex) of everything that it depends on."""
    return digest_of(components)


def path_of(cache: Path, key: str) -> Path:
    """The path of a key's entry in a cache's own folder, whether or not the file exists."""
    return cache / "actions" / key[:2] / f"{key}.json"


def find(cache: Path, key: str) -> Action | None:
    """The action with this key. None if there is no entry, the entry is damaged, or one of its blobs is gone."""
    for layer in layers(cache):
        action = _read(path_of(layer, key), key)
        if action is not None and all(blobs.find(cache, digest) for digest in action.outputs.values()):
            if layer == cache:
                _note_use(path_of(cache, key))
            return action
    return None


def read(cache: Path, key: str) -> Action | None:
    """The action with this key. None if there is no entry, or the entry is damaged. Its blobs may be gone."""
    found = (_read(path_of(layer, key), key) for layer in layers(cache))
    return next((action for action in found if action is not None), None)


def _read(path: Path, key: str) -> Action | None:
    try:
        entry = json.loads(path.read_bytes())
        check = entry.pop("digest")
        action = Action(entry["components"], entry["outputs"], entry["seconds"])
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    return action if check == digest_of(entry) and key_of(action.components) == key else None


def record(cache: Path, action: Action) -> None:
    """Writes an action's entry. All of its blobs must be in the store already.

    Raises:
        OSError: the cache cannot be written.
    """
    entry = {"components": action.components, "outputs": action.outputs, "seconds": action.seconds}
    key = key_of(action.components)
    data = canonical_json(entry | {"digest": digest_of(entry)}) + b"\n"
    write_atomically(no_folder(path_of(cache, key)), data, temporary(cache))


def _note_use(path: Path) -> None:
    """Sets an entry's time to now, if it is an hour old. `doit gc` reads it as the last use; nothing else reads it."""
    with suppress(OSError):  # a cache that cannot be written
        if not 0 <= time.time() - path.stat().st_mtime < HOUR:
            os.utime(path)

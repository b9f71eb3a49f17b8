"""Files written whole or not at all, and JSON with one spelling."""

import json
from pathlib import Path
from typing import Any

__all__ = ["canonical_json", "write_atomically"]


def canonical_json(value: Any) -> bytes:
    """Serializes plain data the one way that keys and digests are taken of: sorted keys, no spaces, UTF-8.

    Raises:
        ValueError: a number that JSON does not have (NaN, infinity).
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def write_atomically(path: Path, data: bytes, temporary: Path) -> None:
    """Writes `temporary` and renames it to `path`: readers see the old file or the new one, whole.

    Args:
        path: the file to be; its folder is made where it is missing.
        data: its bytes.
        temporary: a name on the same file system that nobody else uses meanwhile.

    Raises:
        OSError: a folder cannot be written, or the disk is full; `path` is then untouched and nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise

"""Files written whole or not at all, and JSON with one spelling."""

import json
import shutil
from pathlib import Path
from typing import Any

__all__ = ["canonical_json", "no_folder", "readable_json", "write", "write_atomically"]


def canonical_json(value: Any) -> bytes:
    """Serializes plain data the one way that keys and digests are taken of: sorted keys, no spaces, UTF-8.

    Raises:
        ValueError: a number that JSON does not have (NaN, infinity).
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def readable_json(value: Any) -> bytes:
    """Serializes plain data the one way that people and apps read it: sorted keys, a field to a line, UTF-8."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def write_atomically(path: Path, data: bytes, temporary: Path) -> None:
    """Writes `temporary` and renames it to `path`: readers see the old file or the new one, whole.

    Args:
        path: the file to be; its folder is made where it is missing.
        data: its bytes.
        temporary: a name on the same file system that nobody else uses meanwhile.

    Raises:
        OSError: a folder cannot be written, or the disk is full; `path` is then untouched and nothing is left behind.
            It names the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write(temporary, data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write(path: Path, data: bytes) -> None:
    """Writes a file.

    Raises:
        OSError: it cannot be written, or the disk is full. It names the file, which that of `Path.write_bytes` does
            not where the disk is full.
    """
    try:
        path.write_bytes(data)
    except OSError as error:
        error.filename = str(path)
        raise


def no_folder(path: Path) -> Path:
    """The path of a file to be written into the cache, once a folder that somebody put there is gone."""
    if path.is_dir():
        shutil.rmtree(path)
    return path

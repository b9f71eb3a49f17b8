"""Writes files whole or not at all, and plain data as JSON in one form."""

import json
import shutil
from pathlib import Path
from typing import Any

__all__ = ["canonical_json", "no_folder", "readable_json", "write", "write_atomically"]


def canonical_json(value: Any) -> bytes:
    """Plain data as JSON in the form that keys and digests are taken of: sorted keys, no spaces, UTF-8.

    Raises:
        ValueError: the data holds a number that JSON does not have (NaN, infinity).
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")  # a path may hold bytes that are not UTF-8; json.loads gives them back


def readable_json(value: Any) -> bytes:
    """Plain data as JSON in the form that people and apps read: sorted keys, one field a line, UTF-8."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def write_atomically(path: Path, data: bytes, temporary: Path) -> None:
    """Writes `temporary` and renames it to `path`. Readers see the whole old file or the whole new one.

    Args:
        path: the file to write. Its folder is made if it is missing.
        data: its bytes.
        temporary: a path on the same file system that nobody else uses meanwhile.

    Raises:
        OSError: a folder cannot be written, or the disk is full. The error names the file. `path` is then untouched,
            and nothing is left behind.
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
        OSError: it cannot be written, or the disk is full. The error names the file, which that of `Path.write_bytes`
            does not do for a full disk.
    """
    try:
        path.write_bytes(data)
    except OSError as error:
        error.filename = str(path)
        raise


def no_folder(path: Path) -> Path:
    """Returns the path of a file of the cache, after removing a folder that somebody put in its place."""
    if path.is_dir():
        shutil.rmtree(path)
    return path

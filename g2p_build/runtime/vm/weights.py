"""Maps weights from a safetensors file. The kernels read the file's pages in place; nothing is copied.

The format (https://github.com/huggingface/safetensors#format) has three parts: the header's length, a little-endian
unsigned integer of 8 bytes; the header, a JSON object from tensor names to ``dtype``, ``shape`` and ``data_offsets``;
the tensors' bytes.
"""

import itertools
import json
import math
import mmap
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from g2p_build.runtime.errors import InvalidWeights

__all__ = ["ALIGNMENT", "map_weights"]

ALIGNMENT = 64  # bytes: the kernels' vector loads assume it
_MAX_HEADER = 100_000_000  # bytes: the safetensors library's own bound
_MAX_RANK = 8
_DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),  # numpy has none: its bits
    "I32": np.dtype("<i4"),
    "I8": np.dtype("i1"),
}


def map_weights(path: str | PathLike[str]) -> dict[str, np.ndarray]:
    """Maps a safetensors file. Returns arrays by tensor name: float32, float16, int32, int8, or uint16 for
    bfloat16; aligned to 64 bytes.

    The mapping is private and copy-on-write (`mmap.ACCESS_COPY`). So the arrays are writable, which DLPack wants; a
    write never reaches the file; and processes share the pages.

    Raises:
        InvalidWeights: the file is too short; the header is not a JSON object, or its length is past the end; a shape
            disagrees with its number of bytes; or tensors overlap, lie outside the file or are not aligned.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise InvalidWeights(f"{path.name}: cannot be mapped: {error}") from None
    try:
        return _tensors(data)
    except InvalidWeights as error:
        raise InvalidWeights(f"{path.name}: {error}") from None


def _tensors(data: mmap.mmap) -> dict[str, np.ndarray]:
    if len(data) < 8:
        raise InvalidWeights(f"{len(data)} bytes are too few for a safetensors file")
    length = int.from_bytes(data[:8], "little")
    if length > min(len(data) - 8, _MAX_HEADER):
        raise InvalidWeights(f"its header claims {length} bytes, the file has {len(data)}")
    try:
        header = json.loads(data[8 : 8 + length].decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise InvalidWeights(f"its header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise InvalidWeights("its header is not a JSON object")
    header.pop("__metadata__", None)
    start = 8 + length
    arrays: dict[str, np.ndarray] = {}
    spans: list[tuple[int, int, str]] = []
    for name, entry in header.items():
        if name.startswith(PADDING):
            continue
        dtype, shape, begin, end = _entry(name, entry, len(data) - start)
        if (start + begin) % ALIGNMENT:
            raise InvalidWeights(f"tensor '{name}' begins at byte {start + begin}, not at a multiple of {ALIGNMENT}")
        arrays[name] = np.frombuffer(data, dtype, math.prod(shape), start + begin).reshape(shape)
        spans.append((begin, end, name))
    spans.sort()
    for (_, end, name), (begin, _, other) in itertools.pairwise(spans):
        if begin < end:
            raise InvalidWeights(f"tensors '{name}' and '{other}' overlap")
    return arrays


# The format allows no gaps between tensors, so tensors with names like this fill them. No function takes these.
PADDING = "_padding."


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a name is there twice")
    return dict(pairs)


def _entry(name: str, entry: Any, room: int) -> tuple[np.dtype, list[int], int, int]:
    """Checks a tensor's entry in the header. Returns dtype, shape, first byte and end; the data has ``room`` bytes."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise InvalidWeights(f"tensor '{name}' has not exactly dtype, shape and data_offsets")
    dtype = _DTYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if dtype is None:
        raise InvalidWeights(f"tensor '{name}' has dtype {entry['dtype']!r}: one of {', '.join(_DTYPES)} is wanted")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _counts(shape) or len(shape) > _MAX_RANK or 0 in shape:
        raise InvalidWeights(f"tensor '{name}' has shape {shape!r}: at most {_MAX_RANK} positive integers are wanted")
    if not _counts(offsets) or len(offsets) != 2 or not offsets[0] <= offsets[1] <= room:
        raise InvalidWeights(f"tensor '{name}' lies at {offsets!r}, outside the {room} bytes of data")
    size = math.prod(shape) * dtype.itemsize
    if offsets[1] - offsets[0] != size:
        raise InvalidWeights(f"tensor '{name}' has {offsets[1] - offsets[0]} bytes, its shape {shape} wants {size}")
    return dtype, shape, offsets[0], offsets[1]


def _counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)

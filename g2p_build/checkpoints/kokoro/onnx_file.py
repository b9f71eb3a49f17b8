"""Reads the nodes and the initial values of an ONNX file, which is a message of Protocol Buffers.

The package `onnx` would do it. But it and what it needs would be installed for one file whose bytes are pinned; and of
the format (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) that file needs only the fields below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

__all__ = ["Node", "read"]

GRAPH = 7  # of a model
NODE, INITIALIZER = 1, 5  # of a graph
INPUT, NAME, KIND = 1, 3, 4  # of a node
DIMS, DTYPE, FLOATS, INTS, LONGS, TENSOR_NAME, RAW = 1, 2, 4, 5, 7, 8, 9  # of a tensor

DTYPES = {1: torch.float32, 2: torch.uint8, 3: torch.int8, 6: torch.int32, 7: torch.int64}


@dataclass(frozen=True)
class Node:
    """An operation of a graph."""

    kind: str  # "MatMulInteger"
    name: str  # a path of modules: "/encoder/bert_encoder/MatMul_quant"
    inputs: tuple[str, ...]


def read(data: bytes) -> tuple[list[Node], dict[str, torch.Tensor]]:
    """The nodes of a file's graph, in its order, and its initial values by name."""
    nodes: list[Node] = []
    values: dict[str, torch.Tensor] = {}
    for field, part in _fields(memoryview(data)):
        for inner, content in _fields(_bytes(part)) if field == GRAPH else ():
            if inner == NODE:
                nodes.append(_node(_bytes(content)))
            elif inner == INITIALIZER:
                name, value = _tensor(_bytes(content))
                values[name] = value
    return nodes, values


def _node(data: memoryview) -> Node:
    texts: dict[int, list[str]] = {INPUT: [], NAME: [], KIND: []}
    for field, value in _fields(data):
        if field in texts:
            texts[field].append(bytes(_bytes(value)).decode())
    return Node("".join(texts[KIND]), "".join(texts[NAME]), tuple(texts[INPUT]))


def _tensor(data: memoryview) -> tuple[str, torch.Tensor]:
    name, dtype, raw = "", torch.float32, b""
    dims: list[int] = []
    numbers: list[int] = []
    for field, value in _fields(data):
        if field == DIMS:
            dims += [value] if isinstance(value, int) else _numbers(value)
        elif field == DTYPE:
            dtype = DTYPES[value] if isinstance(value, int) else dtype
        elif field == TENSOR_NAME:
            name = bytes(_bytes(value)).decode()
        elif field in (RAW, FLOATS):
            raw += bytes(_bytes(value))
        elif field in (INTS, LONGS):
            numbers += [value] if isinstance(value, int) else _numbers(value)
    if raw:
        return name, torch.frombuffer(bytearray(raw), dtype=dtype).reshape(dims)
    # A negative number is written as that of 64 bits with the same bits.
    return name, torch.tensor([n - (1 << 64) if n >> 63 else n for n in numbers]).to(dtype).reshape(dims)


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: number, and what is there. It is a number, or bytes."""
    place = 0
    while place < len(data):
        key, place = _number(data, place)
        field, kind = key >> 3, key & 7
        if kind == 0:
            value, place = _number(data, place)
            yield field, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if size is None:
            size, place = _number(data, place)
        yield field, data[place : place + size]
        place += size


def _numbers(data: memoryview) -> list[int]:
    found, place = [], 0
    while place < len(data):
        value, place = _number(data, place)
        found.append(value)
    return found


def _number(data: memoryview, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and the place behind it."""
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place


def _bytes(value: int | memoryview) -> memoryview:
    assert isinstance(value, memoryview)
    return value

"""The layouts that programs and kernels agree on, the same for every CPU.

A linear weight [K, N] is stored as panels [ceil(N / 32), K, 32]: 32 consecutive columns, row after row; those of the
last panel that there are not are 0. A kernel for one row reads the file from end to end, and 32 columns are 2, 4 or 8
vectors of AVX-512, AVX2 and NEON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "GATED",
    "NO_NORM",
    "PANEL",
    "POSITIONS",
    "input_buckets",
    "pack_columns",
    "pack_gated",
    "padded",
    "panels",
    "unpack_columns",
]

PANEL = 32
"""Columns of a panel."""

GATED = PANEL // 2
"""Columns of the gate in a panel of a gated feed-forward layer; as many of the other matrix follow."""

POSITIONS = 16
"""Cached keys lie in blocks of so many positions, position by position for each d: the longest vector of any CPU."""

NO_NORM = -1.0
"""In the place of a norm's epsilon: there is no norm."""

_BUCKETS = tuple(size << doubled for doubled in range(16) for size in (16, 24))


def panels(columns: int, width: int = PANEL) -> int:
    """How many panels hold so many columns."""
    return -(-columns // width)


def padded(positions: int) -> int:
    """So many positions and those that fill up their last block."""
    return -(-positions // POSITIONS) * POSITIONS


def input_buckets(input_len: int) -> list[int]:
    """Input lengths that encoders of fixed shapes are made for, ascending; the last is `input_len`, the longest."""
    return [length for length in _BUCKETS if length < input_len] + [input_len]


def pack_columns(matrix: Tensor, width: int = PANEL) -> Tensor:
    """[K, N] to panels [ceil(N / width), K, width]."""
    rows, columns = matrix.shape
    whole = matrix.new_zeros(rows, panels(columns, width) * width)
    whole[:, :columns] = matrix
    return whole.view(rows, -1, width).permute(1, 0, 2).contiguous()


def pack_gated(gate: Tensor, up: Tensor) -> Tensor:
    """Two matrices [K, N] to panels [ceil(N / 16), K, 32] that hold 16 columns of each."""
    import torch

    return torch.cat([pack_columns(gate, GATED), pack_columns(up, GATED)], dim=2).contiguous()


def unpack_columns(matrix: Tensor, columns: int) -> Tensor:
    """[K, P, width] to [K, columns]."""
    return matrix.reshape(matrix.shape[0], -1)[:, :columns]

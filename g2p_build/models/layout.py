"""The layouts that programs and kernels agree on, the same for every CPU.

A linear weight [K, N] is stored as panels [ceil(N / 32), K, 32]. A panel has 32 consecutive columns, row after row, and
zeros fill up the last panel. So a kernel for one row reads the file from end to end, and 32 columns are 2, 4 or 8
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
"""Columns of the gate in a panel of a gated feed-forward layer. As many columns of the other matrix follow them."""

POSITIONS = 16
"""Positions in a block of cached keys: the lanes of the longest vector of any CPU. For each d they lie side by side."""

NO_NORM = -1.0
"""Takes the place of a norm's epsilon if there is no norm."""

_BUCKETS = tuple(size << doubled for doubled in range(16) for size in (16, 24))


def panels(columns: int, width: int = PANEL) -> int:
    """The number of panels that some columns take, with `width` columns of them in each."""
    return -(-columns // width)


def padded(positions: int) -> int:
    """A number of positions, rounded up to whole blocks of `POSITIONS`."""
    return -(-positions // POSITIONS) * POSITIONS


def input_buckets(input_len: int) -> list[int]:
    """The input lengths that get encoders of fixed shapes, in tokens, ascending. The last one is `input_len`."""
    return [length for length in _BUCKETS if length < input_len] + [input_len]


def pack_columns(matrix: Tensor, width: int = PANEL) -> Tensor:
    """[K, N] of any dtype to panels [ceil(N / width), K, width], contiguous and of the same dtype."""
    rows, columns = matrix.shape
    whole = matrix.new_zeros(rows, panels(columns, width) * width)
    whole[:, :columns] = matrix
    return whole.view(rows, -1, width).permute(1, 0, 2).contiguous()


def pack_gated(gate: Tensor, up: Tensor) -> Tensor:
    """Two matrices [K, N] to panels [ceil(N / 16), K, 32]: 16 columns of the gate, then the same 16 of the other."""
    import torch

    return torch.cat([pack_columns(gate, GATED), pack_columns(up, GATED)], dim=2).contiguous()


def unpack_columns(matrix: Tensor, columns: int) -> Tensor:
    """Panels, as a view [K, P, width], to the matrix [K, columns] without padding."""
    return matrix.reshape(matrix.shape[0], -1)[:, :columns]

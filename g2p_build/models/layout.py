"""The layouts that programs and kernels agree on, the same for every CPU.

A linear weight [K, N] is stored as panels [ceil(N / 32), K, 32]. A panel has 32 consecutive columns, row after row, and
zeros fill up the last panel. So a kernel for one row reads the file from end to end, and 32 columns are 2, 4 or 8
vectors of AVX-512, AVX2 and NEON.

In int8 a panel has a block for every 64 rows of its matrix: 16 times 128 bytes, then 32 scales. In 128 bytes lie four
numbers of the first column, one of each of four matrix rows, then four of the second column, and so on: instructions
multiply four bytes with four and add the products. Zeros fill up the last block. A number is its byte times its
column's scale, of which the upper 16 bits of a float32 are stored. (Scales for groups: Shen et al., "Q-BERT", 2020.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "BLOCK_BYTES",
    "GATED",
    "GROUP",
    "NARROW",
    "NO_NORM",
    "PANEL",
    "POSITIONS",
    "QUAD",
    "UNITS",
    "WIDE",
    "grouped",
    "input_buckets",
    "pack_columns",
    "pack_gated",
    "padded",
    "panels",
    "quantise_columns",
    "quantise_panels",
    "unpack_columns",
    "unpack_panels",
]

PANEL = 32
"""Columns of a panel."""

GATED = PANEL // 2
"""Columns of the gate in a panel of a gated feed-forward layer. As many columns of the other matrix follow them."""

UNITS = 16
"""Hidden units of an LSTM whose gates lie together: the lanes of the longest vector of any CPU."""

POSITIONS = 16
"""Positions in a block of cached keys: the lanes of the longest vector of any CPU. For each d they lie side by side."""

QUAD = 4
"""Numbers of a column that lie side by side in int8."""

GROUP = 64
"""Rows of a matrix that share scales in int8, and numbers of a row that do."""

BLOCK_BYTES = (GROUP + 2) * PANEL
"""Bytes of a block: its numbers and its scales."""

NARROW, WIDE = 127, 127 * 256
"""The greatest numbers that rows are rounded to. Those that no norm precedes spread more, and get 16 bits."""

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


def grouped(rows: int) -> int:
    """The groups of `GROUP` that some rows take."""
    return -(-rows // GROUP)


def quantise_columns(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Panels, float32 [P, K, 32], as int8 of the same shape, and the float32 [P * 32] that their columns are times.

    Each number becomes the nearest multiple of its column's scale, which is the 127th of the largest one.
    """
    import torch

    scales = packed.abs().amax(1, keepdim=True) / 127
    numbers = torch.where(scales > 0, packed / scales, 0).round().to(torch.int8)
    return numbers, scales.reshape(-1)


def quantise_panels(packed: Tensor, gram: Tensor | None = None) -> Tensor:
    """Panels, float32 [P, K, 32], as int8 [P, groups, `BLOCK_BYTES`].

    Args:
        packed: The panels.
        gram: How the matrix is used, float64 [K, K]: the sum of ``outer(row, row)`` over rows that it is multiplied
            with. With it, what rounding a matrix row adds to the products is taken back in the rows behind it, as far
            as their inputs go together (Frantar et al., "GPTQ", 2022). Without it, each number becomes the nearest
            multiple of its scale.
    """
    import torch

    count, rows, width = packed.shape
    matrix = packed.new_zeros(grouped(rows) * GROUP, count * width, dtype=torch.float64)
    matrix[:rows] = packed.permute(1, 0, 2).reshape(rows, -1)
    carry = None if gram is None else _carried(gram)
    numbers = torch.zeros_like(matrix)
    scales = packed.new_zeros(grouped(rows), count * width)
    for group in range(grouped(rows)):
        first, behind = group * GROUP, (group + 1) * GROUP
        last = min(behind, rows)
        scales[group] = _upper_half(matrix[first:behind].abs().amax(0).to(torch.float32) / NARROW)
        scale = scales[group].to(torch.float64)
        if carry is None:
            numbers[first:last] = _multiples(matrix[first:last], scale)
            continue
        errors = torch.zeros_like(matrix[first:last])
        for row in range(first, last):
            numbers[row] = _multiples(matrix[row], scale)
            errors[row - first] = (matrix[row] - numbers[row] * scale) / carry[row, row]
            matrix[row + 1 : last] -= carry[row, row + 1 : last, None] * errors[row - first]
        matrix[last:rows] -= carry[first:last, last:].T @ errors
    blocks = numbers.to(torch.int8).view(-1, GROUP // QUAD, QUAD, count, width).permute(3, 0, 1, 4, 2).flatten(2)
    bits = scales.view(-1, count, width).transpose(0, 1).contiguous().view(torch.int16)[..., 1::2]
    return torch.cat([blocks, bits.contiguous().view(torch.int8)], dim=2).contiguous()


def _multiples(numbers: Tensor, scale: Tensor) -> Tensor:
    import torch

    return torch.where(scale > 0, numbers / scale, 0).round().clamp(-NARROW, NARROW)


def _carried(gram: Tensor) -> Tensor:
    """What an error in a row of a matrix calls for in those behind it: the inverse's upper Cholesky factor [K, K].

    A hundredth of the mean square is added to each input, so that inputs that were seldom seen count as a little used.
    """
    import torch

    used = gram.diagonal().mean()
    damped = gram + torch.eye(len(gram), dtype=gram.dtype) * (0.01 * used if used > 0 else 1.0)
    return torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(damped)), upper=True)


def unpack_panels(packed: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse of `quantise_panels`: int8 [P, groups, 64, 32], and their scales, float32 [P, groups, 1, 32]."""
    import torch

    count, groups, _ = packed.shape
    numbers = packed[..., : GROUP * PANEL].reshape(count, groups, GROUP // QUAD, PANEL, QUAD).transpose(3, 4)
    halves = packed[..., GROUP * PANEL :].contiguous().view(torch.int16)
    scales = (halves.to(torch.int32) << 16).view(torch.float32)
    return numbers.reshape(count, groups, GROUP, PANEL), scales.unsqueeze(2)


def _upper_half(scales: Tensor) -> Tensor:
    """The next greater float32 whose lower 16 bits are zero, so that no number divided by it exceeds the greatest."""
    import torch

    return ((scales.contiguous().view(torch.int32) + 0xFFFF) >> 16 << 16).view(torch.float32)

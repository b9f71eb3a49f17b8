"""Matmuls with packed weights, with a norm before them, or an activation or a residual behind them.

One kernel serves all of a program's matmuls with rows of one length, and in int8 of any length: how many rows and
columns there are, and what stands before and behind them, is told to it. In int8, where there is a form for each kind
of processor, that makes libraries much smaller.
"""

from __future__ import annotations

import struct
from contextlib import nullcontext
from dataclasses import dataclass, replace

from tvm import tirx

from g2p_build.compiler.kernels.code import LEAST_ROWS, NUMBERS, Code, any_matrix, constant, load, tensor
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.compiler.kernels.dots import DOTS
from g2p_build.compiler.kernels.int8_amx import AMX_LEAST_ROWS, AmxNest, amx_tiles
from g2p_build.compiler.kernels.int8_nest import Int8Nest, Integers, room, rows_at_once
from g2p_build.compiler.kernels.matmul_nest import ACTIVATIONS, Behind, Nest
from g2p_build.compiler.kernels.norm import row_scale
from g2p_build.models.layout import BLOCK_BYTES, GATED, NO_NORM, PANEL

__all__ = ["Matmul", "matmul"]


@dataclass(frozen=True)
class Matmul:
    """What a matmul's kernel is told. It takes any number of rows.

    A residual goes with neither a norm nor an activation. Those end in a product, and a compiler may contract a product
    and a sum in some tiles and not in others: a row's result would then depend on where the row is.

    Attributes:
        inner: K, the columns of the rows.
        columns: N, the columns of the result.
        dtype: The weights', ``"float32"``, ``"float16"``, `BFLOAT16` or ``"int8"``.
        epsilon: The norm's; `NO_NORM` if there is no norm.
        activation: One of `ACTIVATIONS`.
        residual: Whether a tensor is added to the result.

    Raises:
        ValueError: A residual with a norm or an activation.
    """

    inner: int
    columns: int
    dtype: str = "float32"
    epsilon: float = NO_NORM
    activation: str = ""
    residual: bool = False

    def __post_init__(self) -> None:
        if self.residual and (self.epsilon != NO_NORM or self.activation):
            raise ValueError(f"{self} has a residual after a norm or an activation; add it with a matmul of its own")

    @property
    def gated(self) -> bool:
        return self.activation == "gated-gelu"

    @property
    def width(self) -> int:
        """Columns of the result that one panel gives."""
        return GATED if self.gated else PANEL

    def numbers(self, cpu: Cpu) -> list[int]:
        """What the kernel is told besides extents: int32, and a float32 by its bits."""
        at_once = rows_at_once(self.inner, cpu) if self.dtype == "int8" else cpu.chunk
        [epsilon] = struct.unpack("<i", struct.pack("<f", self.epsilon))
        normed = self.epsilon != NO_NORM
        return [at_once, int(normed), epsilon, ACTIVATIONS.index(self.activation), int(self.residual)]

    def made_for(self, cpu: Cpu) -> tuple[str, int]:
        """What its kernel depends on: the dtype, and K, or in int8 the room for rows, as `matmul` takes them."""
        return self.dtype, room(self.inner, cpu) if self.dtype == "int8" else self.inner


def matmul(dtype: str, length: int, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (rows [M, K], weight [P, K, 32], residual, numbers, result [M, N]).

    Weights are float32 or float16, or int8 as `layout` says; numbers are `Matmul.numbers`, int32 [5]; all others are
    float32. A residual is [M, N], and any matrix where the kernel is told of none. The loop nest, with the tiles of the
    table; for int8 see `Int8Nest`, and `AmxNest` for calls with many rows::

        for chunk of rows:                            # stays in the second cache
          scale[:] = 1 / root mean square, or 1
          for group of panels:                        # stays there too while the chunk's rows pass over it
            for tile of rows and vectors of columns:  # `tiles`
              sums[rows, vectors] = 0                 # in registers
              for k:
                prefetch(weight[panel + 1, k])        # in tiles of most rows, which leave memory idle
                for v in vectors, i in rows:          # unrolled; weights are loaded once for all rows
                  sums[i, v] += rows[i, k] * weight[panel, k, v]
            result[:, group] = activation(sums * scale), or sums * scale + residual

    Every sum adds its products one by one in the order of k, however many rows there are and wherever a row is. So a
    row's result does not depend on other rows.

    Args:
        dtype: The weights'.
        length: K, so that the addresses of rows differ by constants. In int8, whose rounded rows have another layout, K
            is told, and this is how many bytes of them there is room for.
        cpu: What it is made for.
    """
    dot = DOTS[cpu.dot] if dtype == "int8" else None
    if dot and dot.tiles:
        cpu = replace(cpu, tiles=dot.tiles)
    code, amx = Code(), cpu.amx and dot is not None
    count, panels, columns = (tirx.Var(name, "int32") for name in ("rows", "panels", "columns"))
    inner = tirx.Var("inner", "int32") if dot else constant(length)
    depth = tirx.Var("depth", "int32") if dot else inner
    rows, residual = tensor("rows", (count, inner)), any_matrix("residual")
    weight = tensor("weight", (panels, depth, BLOCK_BYTES if dot else PANEL), dtype)
    numbers, result = tensor(NUMBERS, (5,), "int32"), tensor("result", (count, columns))
    most, normed, bits, activation, added = (
        code.let(load(numbers, place), name)
        for place, name in enumerate(("most", "normed", "epsilon", "activation", "added"))
    )
    epsilon = code.let(tirx.reinterpret("float32", bits), "epsilon")
    scale = code.registers(cpu.chunk)
    rounded = Integers.empty(code, inner, depth, most, normed, length, cpu) if dot else None
    behind = Behind(columns, activation, residual, added, result)
    with (
        amx_tiles(code) if amx else nullcontext(),
        code.loop(tirx.floordiv(count + (most - 1), most), "chunk") as chunk,
    ):
        first = code.let(chunk * most, "first")
        here = code.let(tirx.min(count - first, most), "here")
        with code.loop(here, "i") as i:
            code.store(scale, constant(1.0), i)
            with code.when(normed == 1):
                code.store(scale, row_scale(code, rows, first + i, inner, epsilon, cpu), i)
        given = (code, dtype, cpu, rows, weight, scale, first, inner, panels, behind)
        if rounded is None:
            nest = Nest(*given)
        else:
            with code.loop(here, "i") as i:
                rounded.fill(code, rows, first + i, i, cpu.lanes)
            nest = (AmxNest if amx else Int8Nest)(*given, rounded)
        nest.cover(here)
    kernel = code.kernel("matmul" if dot else f"matmul_{length}", [rows, weight, residual, numbers, result])
    least = AMX_LEAST_ROWS if amx else dot.least if dot else 1
    return kernel.with_attr(LEAST_ROWS, least) if least > 1 else kernel

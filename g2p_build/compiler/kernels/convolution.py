"""Convolutions over time, and linear layers, with what stands before and behind them.

One kernel serves all sizes: how many columns and taps there are, and how far these are apart, is told to it. A speech
model has some fifty different ones, which would each be as large as this.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tvm import tirx

from g2p_build.compiler.kernels.code import (
    NUMBERS,
    PART,
    PARTS,
    SCRATCH,
    Code,
    Value,
    broadcast,
    constant,
    load,
    ramp,
    stored,
    tensor,
)
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.compiler.kernels.functions import gelu, leaky, sin_squared
from g2p_build.compiler.kernels.matmul_nest import Nest
from g2p_build.compiler.kernels.matmul_tiles import Group, Tile, tiles
from g2p_build.models.layout import PANEL

__all__ = ["ADDED", "Convolution", "Panels", "any_matrix", "convolution", "numbers_of", "read_columns"]

_CACHE = 160 * 1024
"""Bytes of rows that are read before they are multiplied. With a panel's weights they stay in the second cache."""

_MOST = 512  # results of a chunk

_WIDENING = ((12, 1), (8, 1), (4, 2), (2, 4), (1, 8))
"""Tiles for float16 where no instruction converts it: a vector of weights that was widened serves as many rows as there
are registers for. In WebAssembly that takes a quarter of the time away."""


_READS = ("", "leaky", "snake")
ADDED = ("", "apart", "in place")


@dataclass(frozen=True)
class Convolution:
    """What a convolution's kernel is told: see `models.kokoro.ops.convolve`.

    Attributes:
        inner: C, the columns of the rows.
        taps: Of the filter.
        dilation: Rows from one tap to the next.
        stride: Rows from one result to the next.
        before: Rows of zeros before the first one.
        read: ``""``, ``"leaky"`` or ``"snake"``.
        normed: Whether rows are normalised before they are read.
        slope: Of the leaky ReLU that rows are read with.
        activation: ``""`` or ``"gelu"``.
        added: Whether a residual is added: ``""``; ``"apart"``; or ``"in place"``, where the result takes its place.
        repeat: How many results a row of a residual apart is added to.
        factor: What results are multiplied by.
    """

    inner: int
    taps: int = 1
    dilation: int = 1
    stride: int = 1
    before: int = 0
    read: str = ""
    normed: bool = False
    slope: float = 0.0
    activation: str = ""
    added: str = ""
    repeat: int = 1
    factor: float = 1.0

    @property
    def reach(self) -> int:
        """Rows that a result needs besides one."""
        return self.dilation * (self.taps - 1)

    def chunk(self, cpu: Cpu) -> int:
        """How many results pass over all columns before the next ones do: a multiple of the largest tile's rows."""
        if self.taps == 1:
            return cpu.chunk
        fitting = (_CACHE // 4 // self.inner - self.reach) // self.stride
        top = cpu.tiles[0][0]
        return max(cpu.chunk, min(_MOST, fitting)) // top * top

    def scratch_rows(self, cpu: Cpu) -> int:
        """Rows of the scratch memory."""
        return (self.chunk(cpu) - 1) * self.stride + 1 + self.reach

    def numbers(self, cpu: Cpu) -> list[int]:
        """What the kernel is told: int32, and float32 by their bits."""
        bits = struct.unpack("<2i", struct.pack("<2f", self.factor, self.slope))
        sizes = [self.dilation, self.stride, self.before, self.chunk(cpu), self.repeat]
        kinds = [_READS.index(self.read), int(self.normed), int(self.activation == "gelu"), ADDED.index(self.added)]
        return [*sizes, *kinds, *bits]


def convolution(dtype: str, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (rows, weight, bias[, scale], norm, alpha, residual, part, numbers, result, scratch).

    Shapes are those of `models.kokoro.ops.convolve`; numbers are int32 [11]; the scratch memory is
    [`Convolution.scratch_rows`, C]. Where it is told of no norm, alpha or residual, that may be any float32 matrix. The
    loop nest::

        for chunk of results, if it is in the part:   # the rows that it needs stay in the second cache
          scratch[:] = read(rows * norm + norm), zeros where there are no rows
          for group of panels:
            for tile of results and vectors of columns:
              sums[results, vectors] = 0              # in registers
              for tap, c:
                sums[i, v] += scratch[i * stride + tap * dilation, c] * weight[panel, tap * C + c, v]
              result[i, v] = (activation(sums[i, v] + bias[v]) + residual[i / repeat, v]) * factor

    Args:
        dtype: The weights', ``"float32"``, ``"float16"`` or ``"int8"``, which has a scale. Others are float32.
        cpu: What it is made for.
    """
    if dtype == "float16" and not cpu.converts:
        cpu = replace(cpu, tiles=_WIDENING)
    code = Code()
    names = ("given", "count", "inner", "columns", "depth", "panels", "height")
    given, count, inner, columns, depth, panels, height = (tirx.Var(name, "int32") for name in names)
    rows, weight = tensor("rows", (given, inner)), tensor("weight", (panels, depth, PANEL), dtype)
    bias, scale = tensor("bias", (columns,)), tensor("scale", (columns,)) if dtype == "int8" else None
    norm, alpha, residual = (any_matrix(name) for name in ("norm", "alpha", "residual"))
    result, scratch = tensor("result", (count, columns)), tensor(SCRATCH, (height, inner))
    part, numbers = tensor(PART, (2,), "int32"), tensor(NUMBERS, (11,), "int32")
    dilation, stride, before, most, repeat, read, normed, activated, added = (
        code.let(load(numbers, place), name)
        for place, name in enumerate(
            ("dilation", "stride", "before", "most", "repeat", "read", "normed", "activated", "added")
        )
    )
    factor, slope = (code.let(tirx.reinterpret("float32", load(numbers, place)), "x") for place in (9, 10))
    taps = code.let(tirx.floordiv(depth, inner), "taps")
    with code.parts(part, tirx.floordiv(count + (most - 1), most)) as chunk:
        first = code.let(chunk * most, "first")
        here = code.let(tirx.min(count - first, most), "here")
        start = code.let(first * stride - before, "start")
        needed = code.let((here - 1) * stride + 1 + (taps - 1) * dilation, "needed")
        with code.loop(needed, "row") as row:
            place = code.let(start + row, "place")
            inside = code.let(tirx.all(place >= 0, place < given), "inside")
            for number, kind in enumerate(_READS):
                for given_norm in (None, norm):
                    this = tirx.all(inside, read == number, normed == int(given_norm is not None))
                    with code.when(this):
                        reading = (kind, slope, rows, place, given_norm, alpha, scratch, row)
                        _columns(code, inner, cpu, _reader(code, *reading))
            with code.when(tirx.Not(inside)):
                _columns(code, inner, cpu, _zeros(code, scratch, row))
        shape = _Shape(inner, columns, taps, dilation, stride, repeat, factor, activated, added)
        nest = _Nest(code, Panels(dtype), cpu, scratch, weight, residual, result, scale, first, shape, bias)
        whole = code.let(tirx.floordiv(columns, PANEL), "whole")
        wide = max(1, max(vectors for _, vectors in cpu.tiles) * cpu.lanes // PANEL)
        together = code.let(tirx.floordiv(whole, wide), "together")
        for group in (Group(0, together, wide), Group(together * wide, whole - together * wide, 1)):
            with code.loop(group.count, "group") as number:
                for tile in tiles(code, cpu, here, group, number):
                    nest.write(tile)
        with code.when(whole * PANEL < columns):
            for tile in tiles(code, cpu, here, Group(whole, 1, 1, partial=True), constant(0)):
                nest.write(tile)
    params = [rows, weight, bias, scale, norm, alpha, residual, part, numbers, result, scratch]
    kernel = code.kernel("convolution", [param for param in params if param is not None])
    return kernel.with_attr(PARTS, ["count", 3])


def any_matrix(name: str) -> tirx.Buffer:
    return tensor(name, (tirx.Var(f"{name}_rows", "int32"), tirx.Var(f"{name}_columns", "int32")))


def _columns(code: Code, width: tirx.Expr, cpu: Cpu, write: Callable[[Value, int], None]) -> None:
    whole = code.let(tirx.floordiv(width, cpu.lanes), "vectors")
    with code.loop(whole, "j") as j:
        write(j * cpu.lanes, cpu.lanes)
    with code.loop(width - whole * cpu.lanes, "j") as j:
        write(whole * cpu.lanes + j, 1)


def _reader(
    code: Code,
    read: str,
    slope: tirx.Expr,
    rows: tirx.Buffer,
    place: tirx.Expr,
    norm: tirx.Buffer | None,
    alpha: tirx.Buffer,
    scratch: tirx.Buffer,
    row: tirx.Expr,
) -> Callable[[Value, int], None]:
    def read_one(column: Value, lanes: int) -> None:
        value = read_columns(code, rows, place, column, lanes, norm, read, slope, alpha)
        code.store(scratch, value, row, ramp(column, lanes))

    return read_one


def _zeros(code: Code, scratch: tirx.Buffer, row: tirx.Expr) -> Callable[[Value, int], None]:
    def zeros(column: Value, lanes: int) -> None:
        code.store(scratch, constant(0.0, lanes=lanes), row, ramp(column, lanes))

    return zeros


def read_columns(
    code: Code,
    rows: tirx.Buffer,
    row: Value,
    column: Value,
    lanes: int,
    norm: tirx.Buffer | None,
    read: str,
    slope: tirx.Expr,
    alpha: tirx.Buffer | None = None,
) -> tirx.Expr:
    """A vector of a row: normalised, then activated."""
    x = code.let(load(rows, row, ramp(column, lanes)))
    if norm is not None:
        x = code.let(x * load(norm, 0, ramp(column, lanes)) + load(norm, 1, ramp(column, lanes)))
    if read == "leaky":
        return leaky(x, slope, lanes)
    if read == "snake":
        assert alpha is not None
        wave = sin_squared(code, x * load(alpha, 0, ramp(column, lanes)), lanes)
        return x + load(alpha, 1, ramp(column, lanes)) * wave
    return x


def numbers_of(value: tirx.Expr, lanes: int) -> tirx.Expr:
    """int8 numbers as float32 ones."""
    return value.astype("float32" if lanes == 1 else f"float32x{lanes}")


@dataclass(frozen=True)
class Panels:
    """What `Nest` asks of a matmul."""

    dtype: str

    gated = False
    width = PANEL


@dataclass(frozen=True)
class _Shape:
    """What a kernel is told, as it knows it."""

    inner: tirx.Expr
    columns: tirx.Expr
    taps: tirx.Expr
    dilation: tirx.Expr
    stride: tirx.Expr
    repeat: tirx.Expr
    factor: tirx.Expr
    activated: tirx.Expr
    added: tirx.Expr


@dataclass(frozen=True)
class _Nest(Nest):
    """Writes tiles. `rows` are the chunk's, and `scale` is of columns."""

    spec: Panels  # type: ignore[assignment]
    shape: _Shape
    bias: tirx.Buffer

    def write(self, tile: Tile) -> None:
        code, lanes = self.code, self.cpu.lanes
        places = self._places(tile)
        sums = code.registers(tile.rows * tile.vectors * lanes)
        for number in range(tile.rows * tile.vectors):
            code.store(sums, constant(0.0, lanes=lanes), ramp(number * lanes, lanes))
        row = code.let(tile.row, "row")
        self._add_up(tile, places, sums, row)
        # What is read in a loop is not in registers, so the sums are copied once they are complete.
        complete = code.registers(tile.rows * tile.vectors * lanes)
        for number in range(tile.rows * tile.vectors):
            code.store(complete, load(sums, ramp(number * lanes, lanes)), ramp(number * lanes, lanes))
        with code.loop(tile.rows, "i") as i:
            for v, (panel, column) in enumerate(places):
                total = load(complete, ramp((i * tile.vectors + v) * lanes, lanes))
                self._store(total, row + i, panel * PANEL + column, tile.partial)

    def _add_up(
        self, tile: Tile, places: Sequence[tuple[tirx.Expr, tirx.Expr]], sums: tirx.Buffer, row: tirx.Expr
    ) -> None:
        code, lanes, shape = self.code, self.cpu.lanes, self.shape
        start = code.let(row * shape.stride, "start")
        with code.loop(shape.taps, "tap") as tap:
            shifted = code.let(start + tap * shape.dilation, "shifted")
            with code.loop(shape.inner, "c") as c:
                k = code.let(tap * shape.inner + c, "k")
                weights = [self._weights(panel, k, ramp(column, lanes)) for panel, column in places]
                for i in range(tile.rows):
                    x = code.let(broadcast(load(self.rows, shifted + i * shape.stride, c), lanes))
                    for v, w in enumerate(weights):
                        place = ramp((i * tile.vectors + v) * lanes, lanes)
                        code.store(sums, load(sums, place) + x * w, place)

    def _weights(self, panel: tirx.Expr, k: Value, columns: Value) -> tirx.Expr:
        if self.spec.dtype == "int8":
            return self.code.let(numbers_of(stored(self.weight, panel, k, columns), self.cpu.lanes), "w")
        return super()._weights(panel, k, columns)

    def _store(self, value: tirx.Expr, row: tirx.Expr, column: tirx.Expr, partial: bool) -> None:
        code, lanes = self.code, self.cpu.lanes
        row = self.first + row
        if not partial:
            self._store_sum(value, row, column, lanes)
            return
        memory = code.registers(lanes)
        code.store(memory, value, ramp(0, lanes))
        end = tirx.max(tirx.min(self.shape.columns - column, constant(lanes)), constant(0))
        with code.loop(end, "lane") as lane:
            self._store_sum(load(memory, lane), row, column + lane, 1)

    def _store_sum(self, value: tirx.Expr, row: tirx.Expr, column: tirx.Expr, lanes: int) -> None:
        code, shape, columns, memory = self.code, self.shape, ramp(column, lanes), self.code.registers(lanes)
        assert self.residual is not None

        def change(value: tirx.Expr) -> None:
            code.store(memory, value, ramp(0, lanes))

        if self.scale is not None:
            value = value * load(self.scale, columns)
        change(value + load(self.bias, columns))
        with code.when(shape.activated == 1):
            change(gelu(code, load(memory, ramp(0, lanes)), lanes))
        with code.when(shape.added == ADDED.index("apart")):
            kept = tirx.floordiv(row, shape.repeat)
            change(load(memory, ramp(0, lanes)) + load(self.residual, kept, columns))
        with code.when(shape.added == ADDED.index("in place")):
            change(load(memory, ramp(0, lanes)) + load(self.result, row, columns))
        code.store(self.result, load(memory, ramp(0, lanes)) * broadcast(shape.factor, lanes), row, columns)

"""Convolutions over time, and linear layers, with what stands before and behind them.

One kernel serves all sizes: how many columns and taps there are, and how far these are apart, is told to it. A speech
model has some fifty different ones, which would each be as large as this.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
    tensor,
)
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.compiler.kernels.functions import gelu, leaky, sin_squared
from g2p_build.compiler.kernels.matmul_nest import Nest
from g2p_build.compiler.kernels.matmul_tiles import Group, Tile, tiles
from g2p_build.models.layout import PANEL

__all__ = ["Convolution", "Sizes", "convolution", "read_columns"]

_CACHE = 160 * 1024
"""Bytes of rows that are read before they are multiplied. With a panel's weights they stay in the second cache."""

_MOST = 512  # results of a chunk

_BLOCK = 32
"""Products that are added up before their sum goes to those of other blocks. Added up in one row, they would lose half
a digit of F0, and with it 10 dB of the sound, whose phases are sums of F0. Snakes are most of the work, and no phase
depends on them: theirs are added up in one row."""


@dataclass(frozen=True)
class Convolution:
    """What a convolution's kernel is made for: see `models.kokoro.ops.convolve`. It takes any number of rows.

    Attributes:
        read: ``""``, ``"leaky"`` or ``"snake"``.
        activation: ``""`` or ``"gelu"``.
        dtype: The weights', ``"float32"`` or ``"float16"``.
        normed: Whether rows are normalised before they are read.
        residual: Whether a tensor is added.
        in_place: Whether the result takes the residual's place. Then each row of it is added to one result.
        direct: Whether rows are multiplied where they are: there is one tap, and nothing to read otherwise.
    """

    read: str = ""
    activation: str = ""
    dtype: str = "float32"
    normed: bool = False
    residual: bool = False
    in_place: bool = False
    direct: bool = False

    gated = False
    width = PANEL


@dataclass(frozen=True)
class Sizes:
    """The sizes of a convolution that are told to its kernel.

    Attributes:
        inner: C, the columns of the rows.
        taps: Of the filter.
        dilation: Rows from one tap to the next.
        stride: Rows from one result to the next.
        before: Rows of zeros before the first one.
        repeat: How many results a row of the residual is added to.
        factor: What results are multiplied by.
        slope: Of the leaky ReLU that rows are read with.
    """

    inner: int
    taps: int = 1
    dilation: int = 1
    stride: int = 1
    before: int = 0
    repeat: int = 1
    factor: float = 1.0
    slope: float = 0.0

    @property
    def reach(self) -> int:
        """Rows that a result needs besides one."""
        return self.dilation * (self.taps - 1)

    def chunk(self, spec: Convolution, cpu: Cpu) -> int:
        """How many results pass over all columns before the next ones do: a multiple of the largest tile's rows."""
        if spec.direct:
            return cpu.chunk
        fitting = (_CACHE // 4 // self.inner - self.reach) // self.stride
        top = cpu.tiles[0][0]
        return max(cpu.chunk, min(_MOST, fitting)) // top * top

    def scratch_rows(self, spec: Convolution, cpu: Cpu) -> int:
        """Rows of the scratch memory; 0 if there is none."""
        return 0 if spec.direct else (self.chunk(spec, cpu) - 1) * self.stride + 1 + self.reach

    def numbers(self, spec: Convolution, cpu: Cpu) -> list[int]:
        """What the kernel is told: int32, and float32 by their bits."""
        [leading] = struct.unpack("<f", struct.pack("<f", self.factor))
        divisor = 1 / self.slope if self.slope else 1.0
        bits = struct.unpack("<3i", struct.pack("<3f", leading, self.factor - leading, divisor))
        return [self.dilation, self.stride, self.before, self.chunk(spec, cpu), self.repeat, *bits]


def convolution(spec: Convolution, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (rows, weight, bias[, norm][, alpha][, residual], part, numbers, result[, scratch]).

    In place it is (rows, weight, bias[, norm][, alpha], residual and result, part, numbers[, scratch]). Shapes are
    those of `models.kokoro.ops.convolve`; numbers are int32 [8]; the scratch memory is [`Sizes.scratch_rows`, C].
    Weights are float32 or float16, all others float32. The loop nest::

        for chunk of results, if it is in the part:   # the rows that it needs stay in the second cache
          scratch[:] = read(rows * norm + norm), zeros where there are no rows
          for group of panels:
            for tile of results and vectors of columns:
              for tap, block of columns c:
                sums[results, vectors] = 0            # in registers
                for c in the block:
                  sums[i, v] += scratch[i * stride + tap * dilation, c] * weight[panel, tap * C + c, v]
                complete[i, v] += sums[i, v]
              result[i, v] = activation(complete[i, v] + bias[v]), or (that + residual[i / repeat, v]) * factor
    """
    code = Code()
    given, count, kept, inner, columns, depth, all_panels, height = (
        tirx.Var(name, "int32") for name in ("given", "count", "kept", "inner", "columns", "depth", "panels", "height")
    )
    rows, weight = tensor("rows", (given, inner)), tensor("weight", (all_panels, depth, PANEL), spec.dtype)
    bias = tensor("bias", (columns,))
    norm = tensor("norm", (2, inner)) if spec.normed else None
    alpha = tensor("alpha", (2, inner)) if spec.read == "snake" else None
    result = tensor("result", (count, columns))
    added = tensor("residual", (kept, columns)) if spec.residual and not spec.in_place else None
    residual = result if spec.in_place else added
    scratch = None if spec.direct else tensor(SCRATCH, (height, inner))
    part, numbers = tensor(PART, (2,), "int32"), tensor(NUMBERS, (8,), "int32")
    dilation, stride, before, most, repeat = (
        code.let(load(numbers, place), name)
        for place, name in enumerate(("dilation", "stride", "before", "most", "repeat"))
    )
    # A factor of all rows that is wrong in its last place moves F0, and phases with it: here it is a float64.
    leading, rest, divisor = (code.let(tirx.reinterpret("float32", load(numbers, place)), "x") for place in (5, 6, 7))
    factor = code.let(leading.astype("float64") + rest.astype("float64"), "factor")
    taps = code.let(tirx.floordiv(depth, inner), "taps")
    with code.parts(part, tirx.floordiv(count + (most - 1), most)) as chunk:
        first = code.let(chunk * most, "first")
        here = code.let(tirx.min(count - first, most), "here")
        if scratch is not None:
            start = code.let(first * stride - before, "start")
            needed = code.let((here - 1) * stride + 1 + (taps - 1) * dilation, "needed")
            with code.loop(needed, "row") as row:
                place = code.let(start + row, "place")
                reading = (spec, divisor, rows, place, norm, alpha, scratch, row)
                with code.when(tirx.all(place >= 0, place < given)):
                    _columns(code, inner, cpu, _reader(code, *reading))
                with code.when(tirx.any(place < 0, place >= given)):
                    _columns(code, inner, cpu, _zeros(code, scratch, row))
        taken = scratch if scratch is not None else rows
        shape = _Shape(inner, columns, taps, dilation, stride, repeat, factor)
        nest = _Nest(code, spec, cpu, taken, weight, residual, result, bias, first, shape)
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
    ends = [result, part, numbers] if spec.in_place else [added, part, numbers, result]
    params = [rows, weight, bias, norm, alpha, *ends, scratch]
    kernel = code.kernel(_name(spec), [param for param in params if param is not None])
    return kernel.with_attr(PARTS, ["count", 3])


def _name(spec: Convolution) -> str:
    parts = ["normed"] * spec.normed + [spec.read] * bool(spec.read) + ["convolution"]
    parts += ["direct"] * spec.direct + [spec.activation] * bool(spec.activation)
    parts += ["add"] * spec.residual + ["in_place"] * spec.in_place
    return "_".join(parts)


def _columns(code: Code, width: tirx.Expr, cpu: Cpu, write: Callable[[Value, int], None]) -> None:
    whole = code.let(tirx.floordiv(width, cpu.lanes), "vectors")
    with code.loop(whole, "j") as j:
        write(j * cpu.lanes, cpu.lanes)
    with code.loop(width - whole * cpu.lanes, "j") as j:
        write(whole * cpu.lanes + j, 1)


def _reader(
    code: Code,
    spec: Convolution,
    divisor: tirx.Expr,
    rows: tirx.Buffer,
    place: tirx.Expr,
    norm: tirx.Buffer | None,
    alpha: tirx.Buffer | None,
    scratch: tirx.Buffer,
    row: tirx.Expr,
) -> Callable[[Value, int], None]:
    def read(column: Value, lanes: int) -> None:
        value = read_columns(code, rows, place, column, lanes, norm, spec.read, divisor, alpha)
        code.store(scratch, value, row, ramp(column, lanes))

    return read


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
    divisor: tirx.Expr | float,
    alpha: tirx.Buffer | None = None,
) -> tirx.Expr:
    """A vector of a row: normalised, then activated. The divisor is a leaky ReLU's."""
    x = code.let(load(rows, row, ramp(column, lanes)))
    if norm is not None:
        x = code.let(x * load(norm, 0, ramp(column, lanes)) + load(norm, 1, ramp(column, lanes)))
    if read == "leaky":
        return leaky(x, divisor, lanes)
    if read == "snake":
        assert alpha is not None
        wave = sin_squared(code, x * load(alpha, 0, ramp(column, lanes)), lanes)
        return x + load(alpha, 1, ramp(column, lanes)) * wave
    return x


@dataclass(frozen=True)
class _Shape:
    """Sizes, as a kernel knows them."""

    inner: tirx.Expr
    columns: tirx.Expr
    taps: tirx.Expr
    dilation: tirx.Expr
    stride: tirx.Expr
    repeat: tirx.Expr
    factor: tirx.Expr


@dataclass(frozen=True)
class _Nest(Nest):
    """Writes tiles. `rows` are the chunk's, unless the convolution is direct; `scale` is the bias."""

    spec: Convolution  # type: ignore[assignment]
    shape: _Shape

    def write(self, tile: Tile) -> None:
        code, lanes = self.code, self.cpu.lanes
        places = self._places(tile)
        row = code.let(tile.row, "row")
        complete = code.registers(tile.rows * tile.vectors * lanes)
        self._add_up(tile, places, complete, row)
        with code.loop(tile.rows, "i") as i:
            for v, (panel, column) in enumerate(places):
                total = load(complete, ramp((i * tile.vectors + v) * lanes, lanes))
                self._store(total, row + i, panel * PANEL + column, tile.partial)

    def _add_up(
        self, tile: Tile, places: Sequence[tuple[tirx.Expr, tirx.Expr]], complete: tirx.Buffer, row: tirx.Expr
    ) -> None:
        code, lanes, shape = self.code, self.cpu.lanes, self.shape
        start = code.let(((self.first + row) if self.spec.direct else row) * shape.stride, "start")
        sums = code.registers(tile.rows * tile.vectors * lanes)
        every = [ramp(number * lanes, lanes) for number in range(tile.rows * tile.vectors)]

        def add(tap: tirx.Expr, shifted: tirx.Expr, c: tirx.Expr) -> None:
            k = code.let(tap * shape.inner + c, "k")
            weights = [self._weights(panel, k, ramp(column, lanes)) for panel, column in places]
            for i in range(tile.rows):
                x = code.let(broadcast(load(self.rows, shifted + i * shape.stride, c), lanes))
                for v, w in enumerate(weights):
                    place = every[i * tile.vectors + v]
                    code.store(sums, load(sums, place) + x * w, place)

        if self.spec.read == "snake":
            self._fill(sums, every)
            with code.loop(shape.taps, "tap") as tap:
                shifted = code.let(start + tap * shape.dilation, "shifted")
                with code.loop(shape.inner, "c") as c:
                    add(tap, shifted, c)
            # What is read in a loop is not in registers, so the sums are copied once they are complete.
            for place in every:
                code.store(complete, load(sums, place), place)
            return
        self._fill(complete, every)
        with code.loop(shape.taps, "tap") as tap:
            shifted = code.let(start + tap * shape.dilation, "shifted")
            with code.loop(tirx.floordiv(shape.inner + (_BLOCK - 1), _BLOCK), "block") as block:
                begin = code.let(block * _BLOCK, "begin")
                self._fill(sums, every)
                with code.loop(tirx.min(shape.inner - begin, constant(_BLOCK)), "within") as within:
                    add(tap, shifted, code.let(begin + within, "c"))
                for place in every:
                    code.store(complete, load(complete, place) + load(sums, place), place)

    def _fill(self, memory: tirx.Buffer, places: Sequence[tirx.Expr]) -> None:
        """Fills registers with zeros."""
        for place in places:
            self.code.store(memory, constant(0.0, lanes=self.cpu.lanes), place)

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
        spec, code = self.spec, self.code
        assert self.scale is not None
        value = value + load(self.scale, ramp(column, lanes))
        if spec.activation == "gelu":
            value = gelu(code, value, lanes)
        if self.residual is not None:
            kept = row if spec.in_place else tirx.floordiv(row, self.shape.repeat)
            double, single = ("float64", "float32") if lanes == 1 else (f"float64x{lanes}", f"float32x{lanes}")
            both = (value + load(self.residual, kept, ramp(column, lanes))).astype(double)
            value = (both * broadcast(self.shape.factor, lanes)).astype(single)
        code.store(self.result, value, row, ramp(column, lanes))

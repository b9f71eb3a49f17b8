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
    any_matrix,
    broadcast,
    constant,
    load,
    ramp,
    stored,
    tensor,
)
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.compiler.kernels.functions import gelu, leaky, sin_squared
from g2p_build.compiler.kernels.matmul_nest import weights_of
from g2p_build.compiler.kernels.matmul_tiles import Tile, tiles
from g2p_build.models.layout import PANEL

__all__ = ["ADDED", "Convolution", "convolution", "numbers_of", "read_columns"]

_CACHE = 160 * 1024
"""Bytes of rows that are read before they are multiplied. With a panel's weights they stay in the second cache."""

_MOST = 512  # results of a chunk

_BLOCK = 32
"""Products that are added up before their sum goes to those of other blocks. Added up in one row, they would lose half
a digit of F0, and with it 10 dB of the sound, whose phases are sums of F0."""

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
        [leading] = struct.unpack("<f", struct.pack("<f", self.factor))
        divisor = 1 / self.slope if self.slope else 1.0
        bits = struct.unpack("<3i", struct.pack("<3f", leading, self.factor - leading, divisor))
        sizes = [self.dilation, self.stride, self.before, self.chunk(cpu), self.repeat]
        kinds = [_READS.index(self.read), int(self.normed), int(self.activation == "gelu"), ADDED.index(self.added)]
        return [*sizes, *kinds, *bits]


def convolution(dtype: str, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (rows, weight, bias[, scale], norm, alpha, residual, part, numbers, result, scratch).

    Shapes are those of `models.kokoro.ops.convolve`; numbers are int32 [12]; the scratch memory is
    [`Convolution.scratch_rows`, C]. Where it is told of no norm, alpha or residual, that may be any float32 matrix. The
    loop nest::

        for chunk of results, if it is in the part:   # the rows that it needs stay in the second cache
          scratch[:] = read(rows * norm + norm), zeros where there are no rows
          for group of panels:
            for tile of results and vectors of columns:
              for tap, block of columns c:
                sums[results, vectors] = 0            # in registers
                for c in the block:
                  sums[i, v] += scratch[i * stride + tap * dilation, c] * weight[panel, tap * C + c, v]
                complete[i, v] += sums[i, v]
              result[i, v] = (activation(complete[i, v] + bias[v]) + residual[i / repeat, v]) * factor

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
    part, numbers = tensor(PART, (2,), "int32"), tensor(NUMBERS, (12,), "int32")
    dilation, stride, before, most, repeat, read, normed, activated, added = (
        code.let(load(numbers, place), name)
        for place, name in enumerate(
            ("dilation", "stride", "before", "most", "repeat", "read", "normed", "activated", "added")
        )
    )
    # A factor of all rows that is wrong in its last place moves F0, and phases with it: here it is a float64.
    leading, rest, divisor = (code.let(tirx.reinterpret("float32", load(numbers, place)), "x") for place in (9, 10, 11))
    factor = code.let(leading.astype("float64") + rest.astype("float64"), "factor")
    taps = code.let(tirx.floordiv(depth, inner), "taps")
    with code.even_parts(part, count, most, cpu.tiles[0][0], panels) as (first, here, first_panel, own):
        start = code.let(first * stride - before, "start")
        needed = code.let((here - 1) * stride + 1 + (taps - 1) * dilation, "needed")
        with code.loop(needed, "row") as row:
            place = code.let(start + row, "place")
            inside = code.let(tirx.all(place >= 0, place < given), "inside")
            for number, kind in enumerate(_READS):
                for given_norm in (None, norm):
                    this = tirx.all(inside, read == number, normed == int(given_norm is not None))
                    with code.when(this):
                        reading = (kind, divisor, rows, place, given_norm, alpha, scratch, row)
                        _columns(code, inner, cpu, _reader(code, *reading))
            with code.when(tirx.Not(inside)):
                _columns(code, inner, cpu, _zeros(code, scratch, row))
        shape = _Shape(inner, columns, taps, dilation, stride, repeat, factor, activated, added)
        nest = _Nest(code, dtype, cpu, scratch, weight, residual, result, scale, first, shape, bias)
        with code.loop(own, "group") as number:
            for tile in tiles(code, cpu, here, 1, 1):
                nest.write(tile, first_panel + number)
    params = [rows, weight, bias, scale, norm, alpha, residual, part, numbers, result, scratch]
    kernel = code.kernel("convolution", [param for param in params if param is not None])
    return kernel.with_attr(PARTS, ["count", 3])


def _columns(code: Code, width: tirx.Expr, cpu: Cpu, write: Callable[[Value, int], None]) -> None:
    whole = code.let(tirx.floordiv(width, cpu.lanes), "vectors")
    with code.loop(whole, "j") as j:
        write(j * cpu.lanes, cpu.lanes)
    with code.loop(width - whole * cpu.lanes, "j") as j:
        write(whole * cpu.lanes + j, 1)


def _reader(
    code: Code,
    read: str,
    divisor: tirx.Expr,
    rows: tirx.Buffer,
    place: tirx.Expr,
    norm: tirx.Buffer | None,
    alpha: tirx.Buffer,
    scratch: tirx.Buffer,
    row: tirx.Expr,
) -> Callable[[Value, int], None]:
    def read_one(column: Value, lanes: int) -> None:
        value = read_columns(code, rows, place, column, lanes, norm, read, divisor, alpha)
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


def numbers_of(value: tirx.Expr, lanes: int) -> tirx.Expr:
    """int8 numbers as float32 ones."""
    return value.astype("float32" if lanes == 1 else f"float32x{lanes}")


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
class _Nest:
    """Writes tiles. `rows` are the chunk's, and `scale` is of columns. `first` is the chunk's first result."""

    code: Code
    dtype: str
    cpu: Cpu
    rows: tirx.Buffer
    weight: tirx.Buffer
    residual: tirx.Buffer
    result: tirx.Buffer
    scale: tirx.Buffer | None
    first: tirx.Expr
    shape: _Shape
    bias: tirx.Buffer

    def write(self, tile: Tile, panel: tirx.Expr) -> None:
        code, lanes = self.code, self.cpu.lanes
        places = [(panel, column) for _, column in tile.places(lanes)]
        row = code.let(tile.row, "row")
        complete = code.registers(tile.rows * tile.vectors * lanes)
        self._add_up(tile, places, complete, row)
        with code.loop(tile.rows, "i") as i:
            for v, (panel, column) in enumerate(places):
                total = load(complete, ramp((i * tile.vectors + v) * lanes, lanes))
                self._store_vector(total, row + i, code.let(panel * PANEL + column, "column"))

    def _add_up(
        self, tile: Tile, places: Sequence[tuple[tirx.Expr, tirx.Expr]], complete: tirx.Buffer, row: tirx.Expr
    ) -> None:
        code, lanes, shape = self.code, self.cpu.lanes, self.shape
        start = code.let(row * shape.stride, "start")
        sums = code.registers(tile.rows * tile.vectors * lanes)
        every = [ramp(number * lanes, lanes) for number in range(tile.rows * tile.vectors)]
        self._fill(complete, every)
        with (
            code.loop(shape.taps, "tap") as tap,
            code.loop(tirx.floordiv(shape.inner + (_BLOCK - 1), _BLOCK), "block") as block,
        ):
            shifted = code.let(start + tap * shape.dilation, "shifted")
            begin = code.let(block * _BLOCK, "begin")
            self._fill(sums, every)
            with code.loop(tirx.min(shape.inner - begin, constant(_BLOCK)), "within") as within:
                c = code.let(begin + within, "c")
                k = code.let(tap * shape.inner + c, "k")
                weights = [self._weights(panel, k, ramp(column, lanes)) for panel, column in places]
                for i in range(tile.rows):
                    x = code.let(broadcast(load(self.rows, shifted + i * shape.stride, c), lanes))
                    for v, w in enumerate(weights):
                        place = every[i * tile.vectors + v]
                        code.store(sums, load(sums, place) + x * w, place)
            for place in every:
                code.store(complete, load(complete, place) + load(sums, place), place)

    def _fill(self, memory: tirx.Buffer, places: Sequence[Value]) -> None:
        """Fills registers with zeros."""
        for place in places:
            self.code.store(memory, constant(0.0, lanes=self.cpu.lanes), place)

    def _weights(self, panel: tirx.Expr, k: Value, columns: Value) -> tirx.Expr:
        if self.dtype == "int8":
            return self.code.let(numbers_of(stored(self.weight, panel, k, columns), self.cpu.lanes), "w")
        return weights_of(self.code, self.dtype, self.cpu, self.weight, panel, k, columns)

    def _store_vector(self, value: tirx.Expr, row: tirx.Expr, column: tirx.Expr) -> None:
        """Writes a vector of results; in the last panel, only the columns that the result has."""
        code, lanes, columns = self.code, self.cpu.lanes, self.shape.columns
        row = self.first + row
        with code.when(column + lanes <= columns):
            self._store_sum(value, row, column, lanes)
        with code.when(column + lanes > columns):
            memory = code.registers(lanes)
            code.store(memory, value, ramp(0, lanes))
            with code.loop(tirx.max(columns - column, constant(0)), "lane") as lane:
                self._store_sum(load(memory, lane), row, column + lane, 1)

    def _store_sum(self, value: tirx.Expr, row: tirx.Expr, column: tirx.Expr, lanes: int) -> None:
        code, shape, columns, memory = self.code, self.shape, ramp(column, lanes), self.code.registers(lanes)

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
        double, single = ("float64", "float32") if lanes == 1 else (f"float64x{lanes}", f"float32x{lanes}")
        total = load(memory, ramp(0, lanes)).astype(double) * broadcast(shape.factor, lanes)
        code.store(self.result, total.astype(single), row, columns)

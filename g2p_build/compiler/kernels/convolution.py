"""Convolutions over time, and linear layers, with what stands before and behind them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from tvm import tirx

from g2p_build.compiler.kernels.code import (
    PART,
    PARTS,
    SCRATCH,
    Code,
    Value,
    broadcast,
    constant,
    load,
    ramp,
    segments,
    tensor,
)
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.compiler.kernels.functions import gelu, leaky, sin_squared
from g2p_build.compiler.kernels.matmul_nest import Nest
from g2p_build.compiler.kernels.matmul_tiles import Tile, groups, tiles
from g2p_build.models.layout import PANEL, panels

__all__ = ["Convolution", "convolution", "read_columns", "scratch_rows"]

_CACHE = 160 * 1024
"""Bytes of rows that are read before they are multiplied. With a panel's weights they stay in the second cache."""


@dataclass(frozen=True)
class Convolution:
    """What a convolution's kernel is made for: see `models.kokoro.ops.convolve`. It takes any number of rows."""

    inner: int
    columns: int
    taps: int = 1
    dilation: int = 1
    stride: int = 1
    before: int = 0
    read: str = ""
    slope: float = 0.0
    activation: str = ""
    repeat: int = 1
    factor: float = 1.0
    dtype: str = "float32"
    normed: bool = False
    residual: bool = False
    in_place: bool = False  # the result takes the residual's place; then `repeat` is 1

    gated = False
    width = PANEL

    @property
    def direct(self) -> bool:
        """Whether rows are multiplied where they are."""
        return self.taps == 1 and not self.before and not self.read and not self.normed

    @property
    def reach(self) -> int:
        """Rows that a result needs besides one."""
        return self.dilation * (self.taps - 1)


def _chunk(spec: Convolution, cpu: Cpu) -> int:
    """How many results pass over all columns before the next ones do: a multiple of the largest tile's rows."""
    if spec.direct:
        return cpu.chunk
    top = cpu.tiles[0][0]
    fitting = (_CACHE // 4 // spec.inner - spec.reach) // spec.stride
    return max(cpu.chunk, min(512, fitting)) // top * top


def scratch_rows(spec: Convolution, cpu: Cpu) -> int:
    """Rows of the scratch memory; 0 if there is none."""
    return 0 if spec.direct else (_chunk(spec, cpu) - 1) * spec.stride + 1 + spec.reach


def convolution(spec: Convolution, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (rows, weight, bias[, norm][, alpha][, residual], part, result[, scratch]), or in place (rows, weight,
    bias[, norm][, alpha], residual and result, part[, scratch]).

    Shapes are those of `models.kokoro.ops.convolve`; the scratch memory is [`scratch_rows`, C]. Weights are float32 or
    float16, all others float32. The loop nest::

        for chunk of results, if it is in the part:   # the rows that it needs stay in the second cache
          scratch[:] = read(rows * norm + norm), zeros where there are no rows
          for group of panels:
            for tile of results and vectors of columns:
              sums[results, vectors] = 0              # in registers
              for tap, c:
                sums[i, v] += scratch[i * stride + tap * dilation, c] * weight[panel, tap * C + c, v]
              result[i, v] = (activation(sums[i, v] + bias[v]) + residual[i / repeat, v]) * factor
    """
    code = Code()
    given, count, kept = (tirx.Var(name, "int32") for name in ("given", "count", "kept"))
    rows = tensor("rows", (given, spec.inner))
    weight = tensor("weight", (panels(spec.columns), spec.taps * spec.inner, PANEL), spec.dtype)
    bias = tensor("bias", (spec.columns,))
    norm = tensor("norm", (2, spec.inner)) if spec.normed else None
    alpha = tensor("alpha", (2, spec.inner)) if spec.read == "snake" else None
    result = tensor("result", (count, spec.columns))
    added = tensor("residual", (kept, spec.columns)) if spec.residual and not spec.in_place else None
    residual = result if spec.in_place else added
    height = scratch_rows(spec, cpu)
    scratch = tensor(SCRATCH, (height, spec.inner)) if height else None
    part = tensor(PART, (2,), "int32")
    most = _chunk(spec, cpu)
    with code.parts(part, tirx.floordiv(count + (most - 1), most)) as chunk:
        first = code.let(chunk * most, "first")
        here = code.let(tirx.min(count - first, constant(most)), "here")
        if scratch is not None:
            _fill(code, cpu, spec, rows, norm, alpha, scratch, first, here, given)
        nest = _Nest(
            code,
            spec,
            cpu,
            scratch if scratch is not None else rows,
            weight,
            residual,
            result,
            bias,
            first,
        )
        for group in groups(spec, cpu):  # type: ignore[arg-type]
            with nullcontext(0) if group.partial else code.loop(group.count, "group") as number:
                for tile in tiles(code, cpu, here, group, number):
                    nest.write(tile)
    params = [rows, weight, bias, norm, alpha, *([result, part] if spec.in_place else [added, part, result]), scratch]
    kernel = code.kernel(_name(spec), [param for param in params if param is not None])
    return kernel.with_attr(PARTS, ["count", most])


def _name(spec: Convolution) -> str:
    parts = ["normed"] * spec.normed + [spec.read] * bool(spec.read) + ["convolution"]
    parts += [spec.activation] * bool(spec.activation) + ["add"] * spec.residual + ["in_place"] * spec.in_place
    numbers = [spec.inner, spec.columns, spec.taps, spec.dilation, spec.stride, spec.before, spec.repeat]
    return "_".join([*parts, *map(str, numbers)])


def _fill(
    code: Code,
    cpu: Cpu,
    spec: Convolution,
    rows: tirx.Buffer,
    norm: tirx.Buffer | None,
    alpha: tirx.Buffer | None,
    scratch: tirx.Buffer,
    first: tirx.Expr,
    here: tirx.Expr,
    given: tirx.Expr,
) -> None:
    """Reads the rows that a chunk needs."""
    with code.loop((here - 1) * spec.stride + (1 + spec.reach), "row") as row:
        place = code.let(first * spec.stride + row - spec.before, "place")
        inside = code.let(tirx.all(place >= 0, place < given), "inside")

        def zeros(column: Value, lanes: int) -> None:
            code.store(scratch, constant(0.0, lanes=lanes), row, ramp(column, lanes))

        def read(column: Value, lanes: int) -> None:
            value = read_columns(code, rows, place, column, lanes, norm, spec.read, spec.slope, alpha)
            code.store(scratch, value, row, ramp(column, lanes))

        with code.when(inside):
            _columns(code, spec.inner, cpu.lanes, read)
        with code.when(tirx.Not(inside)):
            _columns(code, spec.inner, cpu.lanes, zeros)


def _columns(code: Code, width: int, lanes: int, write: object) -> None:
    whole = width // lanes * lanes
    if whole:
        with code.loop(whole // lanes, "j") as j:
            write(j * lanes, lanes)  # type: ignore[operator]
    for column, fewer in segments(width - whole, lanes):
        write(whole + column, fewer)  # type: ignore[operator]


def read_columns(
    code: Code,
    rows: tirx.Buffer,
    row: Value,
    column: Value,
    lanes: int,
    norm: tirx.Buffer | None,
    read: str,
    slope: float,
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


@dataclass(frozen=True)
class _Nest(Nest):
    """Writes tiles. `rows` are the chunk's, unless the convolution is direct; `scale` is the bias."""

    spec: Convolution  # type: ignore[assignment]

    def write(self, tile: Tile) -> None:
        code, lanes = self.code, self.cpu.lanes
        places = self._places(tile)
        sums = code.registers(tile.rows * tile.vectors * lanes)
        for number in range(tile.rows * tile.vectors):
            code.store(sums, constant(0.0, lanes=lanes), ramp(number * lanes, lanes))
        row = code.let(tile.row, "row")
        self._add_up(tile, places, sums, row)
        for i in range(tile.rows):
            for v, (panel, column) in enumerate(places):
                total = load(sums, ramp((i * tile.vectors + v) * lanes, lanes))
                self._store(total, row + i, panel * PANEL + column, tile.partial)

    def _add_up(
        self, tile: Tile, places: Sequence[tuple[tirx.Expr, tirx.Expr]], sums: tirx.Buffer, row: tirx.Expr
    ) -> None:
        code, lanes, spec = self.code, self.cpu.lanes, self.spec
        start = code.let((self.first + row) * spec.stride if spec.direct else row * spec.stride, "start")
        with code.loop(spec.taps, "tap") as tap:
            shifted = code.let(start + tap * spec.dilation, "shifted")
            with code.loop(spec.inner, "c") as c:
                k = code.let(tap * spec.inner + c, "k")
                weights = [self._weights(panel, k, ramp(column, lanes)) for panel, column in places]
                for i in range(tile.rows):
                    x = code.let(broadcast(load(self.rows, shifted + i * spec.stride, c), lanes))
                    for v, w in enumerate(weights):
                        place = ramp((i * tile.vectors + v) * lanes, lanes)
                        code.store(sums, load(sums, place) + x * w, place)

    def _store_sum(self, value: tirx.Expr, row: tirx.Expr, column: tirx.Expr, lanes: int) -> None:
        spec, code = self.spec, self.code
        assert self.scale is not None
        value = value + load(self.scale, ramp(column, lanes))
        if spec.activation == "gelu":
            value = gelu(code, value, lanes)
        if self.residual is not None:
            kept = tirx.floordiv(row, spec.repeat) if spec.repeat > 1 else row
            value = value + load(self.residual, kept, ramp(column, lanes))
        if spec.factor != 1.0:
            value = value * constant(spec.factor, lanes=lanes)
        code.store(self.result, value, row, ramp(column, lanes))

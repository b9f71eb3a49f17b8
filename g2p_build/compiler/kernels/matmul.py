"""Matmuls with packed weights, with a norm before them, or an activation, a residual or an argmax behind them."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace

from tvm import tirx

from g2p_build.compiler.kernels.code import LEAST_ROWS, Code, Value, constant, load, ramp, tensor
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.compiler.kernels.dots import DOTS
from g2p_build.compiler.kernels.int8_amx import AMX_LEAST_ROWS, AmxNest, amx_tiles
from g2p_build.compiler.kernels.int8_nest import AMX_ROWS, Int8Nest, Integers, rows_at_once
from g2p_build.compiler.kernels.matmul_nest import Nest
from g2p_build.compiler.kernels.matmul_tiles import groups
from g2p_build.compiler.kernels.norm import row_scale
from g2p_build.models.layout import BLOCK_BYTES, GATED, NO_NORM, PANEL, grouped, panels

__all__ = ["Matmul", "matmul"]


@dataclass(frozen=True)
class Matmul:
    """What a matmul's kernel is made for. It takes any number of rows.

    A residual goes with neither a norm nor an activation. Those end in a product, and a compiler may contract a product
    and a sum in some tiles and not in others: a row's result would then depend on where the row is.

    Attributes:
        inner: K, the columns of the rows.
        columns: N, the columns of the result.
        dtype: The weights', ``"float32"``, ``"float16"``, `BFLOAT16` or ``"int8"``.
        epsilon: The norm's; `NO_NORM` if there is no norm.
        activation: ``""``, ``"relu"`` or ``"gated-gelu"``.
        residual: Whether a tensor is added to the result.
        argmax: Whether the kernel also finds the first greatest column of every row.

    Raises:
        ValueError: A residual with a norm or an activation.
    """

    inner: int
    columns: int
    dtype: str = "float32"
    epsilon: float = NO_NORM
    activation: str = ""
    residual: bool = False
    argmax: bool = False

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


def matmul(spec: Matmul, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (rows [M, K], weight [P, K, 32][, residual [M, N]], result [M, N][, ids [M]]).

    Weights are float32 or float16, or int8 as `layout` says; ids int32, and all others float32. The loop nest, with the
    tiles of the table; for int8 see `Int8Nest`, and `AmxNest` for calls with many rows::

        for chunk of rows:                            # stays in the second cache
          scale[:] = 1 / root mean square             # with a norm
          for group of panels:                        # stays there too while the chunk's rows pass over it
            for tile of rows and vectors of columns:  # `tiles`
              sums[rows, vectors] = 0                 # in registers
              for k:
                prefetch(weight[panel + 1, k])        # in tiles of most rows, which leave memory idle
                for v in vectors, i in rows:          # unrolled; weights are loaded once for all rows
                  sums[i, v] += rows[i, k] * weight[panel, k, v]
              result[i, v] = activation(sums[i, v] * scale[i]), or sums[i, v] + residual[i, v]
          ids[:] = argmax of the chunk's results

    Every sum adds its products one by one in the order of k, however many rows there are and wherever a row is. So a
    row's result does not depend on other rows.
    """
    dot = DOTS[cpu.dot] if spec.dtype == "int8" else None
    if dot and dot.tiles:
        cpu = replace(cpu, tiles=dot.tiles)
    code, count = Code(), tirx.Var("rows", "int32")
    rows = tensor("rows", (count, spec.inner))
    panel = (grouped(spec.inner), BLOCK_BYTES) if spec.dtype == "int8" else (spec.inner, PANEL)
    weight = tensor("weight", (panels(spec.columns, spec.width), *panel), spec.dtype)
    result = tensor("result", (count, spec.columns))
    residual = tensor("residual", (count, spec.columns)) if spec.residual else None
    ids = tensor("ids", (count,), "int32") if spec.argmax else None
    most = rows_at_once(spec.inner, cpu) if dot else cpu.chunk
    scale = code.registers(most) if spec.epsilon != NO_NORM else None
    amx = cpu.amx and dot is not None
    block = min(most, AMX_ROWS)
    rounded = Integers.empty(code, spec, most, cpu) if dot else None
    with (
        amx_tiles(code, block) if amx else nullcontext(),
        code.loop(tirx.floordiv(count + (most - 1), most), "chunk") as chunk,
    ):
        first = code.let(chunk * most, "first")
        here = code.let(tirx.min(count - first, constant(most)), "here")
        if scale is not None:
            with code.loop(here, "i") as i:
                code.store(scale, row_scale(code, rows, first + i, spec.inner, spec.epsilon, cpu), i)
        given = (code, spec, cpu, rows, weight, residual, result, scale, first)
        if rounded is None:
            nest = Nest(*given)
        else:
            with code.loop(here, "i") as i:
                rounded.fill(code, rows, first + i, i, cpu.lanes)
            nest = AmxNest(*given, rounded, block) if amx else Int8Nest(*given, rounded)
            if isinstance(nest, AmxNest):
                nest.blank(here)
        for group in groups(spec, cpu):
            # The partial panel is alone and needs no loop.
            with nullcontext(0) if group.partial else code.loop(group.count, "group") as number:
                nest.cover(group, number, here)
        if ids is not None:
            with code.loop(here, "i") as i:
                code.store(ids, _argmax(code, result, first + i, spec.columns, cpu), first + i)
    params = [rows, weight, residual, result, ids]
    kernel = code.kernel(_name(spec), [param for param in params if param is not None])
    least = AMX_LEAST_ROWS if amx else dot.least if dot else 1
    return kernel.with_attr(LEAST_ROWS, least) if least > 1 else kernel


def _name(spec: Matmul) -> str:
    parts = ["norm"] * (spec.epsilon != NO_NORM) + ["matmul"]
    parts += [spec.activation.replace("-", "_")] * bool(spec.activation)
    parts += ["add"] * spec.residual + ["argmax"] * spec.argmax
    return "_".join([*parts, str(spec.inner), str(spec.columns)])


def _argmax(code: Code, values: tirx.Buffer, row: Value, columns: int, cpu: Cpu) -> tirx.Expr:
    """The first greatest of a row: of each lane's first greatest, then the earliest of the greatest."""
    lanes = cpu.lanes if columns >= cpu.lanes else 1
    best, where = code.registers(lanes), code.registers(lanes, "int32")
    all_lanes = ramp(0, lanes)
    code.store(best, load(values, row, all_lanes), all_lanes)
    code.store(where, tirx.Ramp(constant(0), constant(1), lanes) if lanes > 1 else constant(0), all_lanes)
    with code.loop(columns // lanes - 1, "j") as j:
        column = code.let((j + 1) * lanes, "column")
        value = code.let(load(values, row, ramp(column, lanes)))
        greater = value > load(best, all_lanes)
        at = tirx.Ramp(column, constant(1), lanes) if lanes > 1 else column
        code.store(where, tirx.Select(greater, at, load(where, all_lanes)), all_lanes)
        code.store(best, tirx.max(value, load(best, all_lanes)), all_lanes)
    top, found = code.registers(1), code.registers(1, "int32")
    code.store(top, load(best, 0), 0)
    code.store(found, load(where, 0), 0)

    def consider(value: tirx.Expr, at: tirx.Expr) -> None:
        value, at = code.let(value), code.let(at, "at")
        equal = tirx.all(value == load(top, 0), at < load(found, 0))
        better = code.let(tirx.any(value > load(top, 0), equal), "better")
        code.store(found, tirx.Select(better, at, load(found, 0)), 0)
        code.store(top, tirx.Select(better, value, load(top, 0)), 0)

    with code.loop(lanes - 1, "lane") as lane:
        consider(load(best, lane + 1), load(where, lane + 1))
    rest = columns // lanes * lanes
    with code.loop(columns - rest, "j") as j:
        consider(load(values, row, rest + j), rest + j)
    return load(found, 0)

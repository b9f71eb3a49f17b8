"""Matmuls with packed weights, and what comes with them: the norm before; activation, residual or argmax behind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from tvm import tirx

from g2p_build.compiler.kernels.code import Code, Value, broadcast, constant, load, ramp, stored, tensor
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.compiler.kernels.functions import gelu, widened
from g2p_build.compiler.kernels.norm import row_scale
from g2p_build.models.layout import GATED, NO_NORM, PANEL

__all__ = ["Matmul", "matmul"]

_LINE = 64  # bytes that a cache reads together; where it reads more, some are asked for twice


@dataclass(frozen=True)
class Matmul:
    """What a matmul's kernel is made for: any number of rows.

    A residual goes with neither a norm nor an activation: they end in a product, which a compiler may contract with the
    sum in some tiles and not in others, so that a row's result would depend on its place.

    Attributes:
        inner: K, columns of the rows.
        columns: N, those of the result.
        dtype: Of the weights.
        epsilon: Of the norm; `NO_NORM` without one.
        activation: ``""``, ``"relu"`` or ``"gated-gelu"``.
        residual: Something is added to the result.
        argmax: The first greatest column of every row is found too.

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

    The loop nest, whose tiles are those of the table::

        for chunk of rows:                            # stays in the second cache
          scale[:] = 1 / root mean square             # with a norm
          for group of panels:                        # stays there too while the chunk's rows pass over it
            for rows' tile, for panels' tile:         # the rows that are left have smaller and wider tiles
              sums[rows, vectors] = 0                 # in registers
              for k:
                prefetch(weight[panel + 1, k])        # in tiles of most rows, which leave memory idle
                for v in vectors, i in rows:          # unrolled; weights are loaded once for all rows
                  sums[i, v] += rows[i, k] * weight[panel, k, v]
              result[i, v] = activation(sums[i, v] * scale[i]), or sums[i, v] + residual[i, v]
          ids[:] = argmax of the chunk's results

    Every sum adds its products one by one in the order of k, whatever the number of rows and wherever a row is, so that
    no row's result depends on others.
    """
    code, count = Code(), tirx.Var("rows", "int32")
    rows = tensor("rows", (count, spec.inner))
    weight = tensor("weight", (-(-spec.columns // spec.width), spec.inner, PANEL), spec.dtype)
    result = tensor("result", (count, spec.columns))
    residual = tensor("residual", (count, spec.columns)) if spec.residual else None
    ids = tensor("ids", (count,), "int32") if spec.argmax else None
    scale = code.registers(cpu.chunk) if spec.epsilon != NO_NORM else None
    with code.loop(tirx.floordiv(count + (cpu.chunk - 1), cpu.chunk), "chunk") as chunk:
        first = code.let(chunk * cpu.chunk, "first")
        here = code.let(tirx.min(count - first, constant(cpu.chunk)), "here")
        if scale is not None:
            with code.loop(here, "i") as i:
                code.store(scale, row_scale(code, rows, first + i, spec.inner, spec.epsilon, cpu), i)
        tile = _Tile(code, spec, cpu, rows, weight, residual, result, scale, first)
        for start, groups, panels in _groups(spec, cpu):
            with code.loop(groups, "group") as group:
                _sweep(
                    code, cpu, here, panels, lambda r, v, i, p, h, at=start + group * panels: tile(r, v, i, at + p, h)
                )
        if spec.columns % spec.width:
            last = spec.columns // spec.width
            _sweep(code, cpu, here, 1, lambda r, v, i, p, h: tile(r, v, i, last + p, h, partial=True))
        if ids is not None:
            with code.loop(here, "i") as i:
                code.store(ids, _argmax(code, result, first + i, spec.columns, cpu), first + i)
    params = [rows, weight, residual, result, ids]
    return code.kernel(_name(spec), [param for param in params if param is not None])


def _name(spec: Matmul) -> str:
    parts = ["norm"] * (spec.epsilon != NO_NORM) + ["matmul"]
    parts += [spec.activation.replace("-", "_")] * bool(spec.activation)
    parts += ["add"] * spec.residual + ["argmax"] * spec.argmax
    return "_".join([*parts, str(spec.inner), str(spec.columns)])


def _groups(spec: Matmul, cpu: Cpu) -> list[tuple[int, int, int]]:
    """The whole panels as (first, groups, panels a group): all in one size of group, else the last ones one by one."""
    whole = spec.columns // spec.width
    most = max(1, max(vectors for _, vectors in cpu.tiles) * cpu.lanes // PANEL)
    size = math.gcd(whole, most)
    if size > 1 or most == 1:
        return [(0, whole // size, size)]
    grouped = whole // most * most
    return [group for group in ((0, grouped // most, most), (grouped, whole - grouped, 1)) if group[1]]


def _sweep(code: Code, cpu: Cpu, here: tirx.Expr, panels: int, tile: Callable[..., None]) -> None:
    """All of a chunk's rows over a group of panels: `tile(rows, vectors, first row, panel in the group, part)`."""
    per_panel = PANEL // cpu.lanes
    top = cpu.tiles[0][0]
    for size, most in cpu.tiles:
        vectors = min(most, panels * per_panel)
        parts = max(1, per_panel // vectors)  # of a panel that takes several tiles

        def over_panels(first: tirx.Expr, size: int = size, vectors: int = vectors, parts: int = parts) -> None:
            step = max(1, vectors // per_panel)
            with code.loop(panels // step, "panel") as panel, code.loop(parts, "part") as part:
                tile(size, vectors, first, panel * step, part)

        if size == top:
            # The panel outside, so that it is in the first cache for all but the first rows.
            step = max(1, vectors // per_panel)
            with (
                code.loop(panels // step, "panel") as panel,
                code.loop(parts, "part") as part,
                code.loop(tirx.floordiv(here, top), "tile") as i,
            ):
                tile(size, vectors, i * top, panel * step, part)
        else:
            left = tirx.floormod(here, top)
            with code.when(tirx.bitwise_and(left, size) != 0):
                over_panels(here - tirx.bitwise_and(left, 2 * size - 1))


@dataclass(frozen=True)
class _Tile:
    """Writes down one tile."""

    code: Code
    spec: Matmul
    cpu: Cpu
    rows: tirx.Buffer
    weight: tirx.Buffer
    residual: tirx.Buffer | None
    result: tirx.Buffer
    scale: tirx.Buffer | None
    first: tirx.Expr  # of the chunk

    def __call__(
        self, size: int, vectors: int, row: tirx.Expr, panel: tirx.Expr, part: tirx.Expr, partial: bool = False
    ) -> None:
        code, lanes = self.code, self.cpu.lanes
        places = self._places(vectors, panel, part)
        sums = code.registers(size * vectors * lanes)
        for number in range(size * vectors):
            code.store(sums, constant(0.0, lanes=lanes), ramp(number * lanes, lanes))
        row = code.let(row, "row")
        with code.loop(self.spec.inner, "k") as k:
            weights = [self._weights(at, k, ramp(column, lanes)) for at, column in places]
            if size == self.cpu.tiles[0][0] and not partial:
                self._prefetch(places, k)
            for i in range(size):
                x = code.let(broadcast(load(self.rows, self.first + row + i, k), lanes))
                for v, w in enumerate(weights):
                    place = ramp((i * vectors + v) * lanes, lanes)
                    code.store(sums, load(sums, place) + x * w, place)
        finished = vectors // 2 if self.spec.gated else vectors
        for i in range(size):
            for v in range(finished):
                self._finish(sums, i, v, vectors, row + i, *places[v], partial)

    def _weights(self, panel: tirx.Expr, k: Value, columns: Value) -> tirx.Expr:
        if self.spec.dtype == "float16" and not self.cpu.converts:
            return widened(self.code, stored(self.weight, panel, k, columns), self.cpu.lanes)
        return self.code.let(load(self.weight, panel, k, columns), "w")

    def _prefetch(self, places: Sequence[tuple[tirx.Expr, tirx.Expr]], k: Value) -> None:
        """Asks for the next panel's weights, line by line, while there is arithmetic to do."""
        spec, lanes = self.spec, self.cpu.lanes
        line = _LINE // np.dtype(spec.dtype).itemsize
        run = len(places) // 2 if spec.gated else len(places)  # vectors beside each other
        for v, (panel, column) in enumerate(places):
            if v % run * lanes % line == 0:
                following = tirx.min(panel + 1, constant(spec.columns // spec.width - 1))
                self.code.prefetch(self.weight, following, k, column)

    def _places(self, vectors: int, panel: tirx.Expr, part: tirx.Expr) -> list[tuple[tirx.Expr, tirx.Expr]]:
        """The panel and the column in it of each of the tile's vectors; of a gated layer, the gates' first."""
        lanes, per_panel = self.cpu.lanes, PANEL // self.cpu.lanes
        within = min(vectors, per_panel)
        if not self.spec.gated:
            return [(panel + v // within, part * (within * lanes) + v % within * lanes) for v in range(vectors)]
        half = within // 2
        gates = [(panel + v // half, part * (half * lanes) + v % half * lanes) for v in range(vectors // 2)]
        return gates + [(at, column + GATED) for at, column in gates]

    def _finish(
        self,
        sums: tirx.Buffer,
        i: int,
        v: int,
        vectors: int,
        row: tirx.Expr,
        panel: tirx.Expr,
        column: tirx.Expr,
        partial: bool,
    ) -> None:
        code, spec, lanes = self.code, self.spec, self.cpu.lanes

        def scaled(vector: int) -> tirx.Expr:
            total = load(sums, ramp((i * vectors + vector) * lanes, lanes))
            return total if self.scale is None else code.let(total * broadcast(load(self.scale, row), lanes))

        value = scaled(v)
        if spec.gated:
            value = gelu(code, value, lanes) * scaled(vectors // 2 + v)
        elif spec.activation == "relu":
            value = tirx.max(value, constant(0.0, lanes=lanes))
        at, column = self.first + row, panel * spec.width + column
        if not partial:
            self._write(value, at, column, lanes)
            return
        # The last panel's other columns are not there.
        memory = code.registers(lanes)
        code.store(memory, value, ramp(0, lanes))
        end = tirx.max(tirx.min(constant(spec.columns) - column, constant(lanes)), constant(0))
        with code.loop(end, "lane") as lane:
            self._write(load(memory, lane), at, column + lane, 1)

    def _write(self, value: tirx.Expr, row: tirx.Expr, column: tirx.Expr, lanes: int) -> None:
        if self.residual is not None:
            value = value + load(self.residual, row, ramp(column, lanes))
        self.code.store(self.result, value, row, ramp(column, lanes))


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

"""Matmuls with packed weights, with a norm before them, or an activation, a residual or an argmax behind them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
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
    """What a matmul's kernel is made for. It takes any number of rows.

    A residual goes with neither a norm nor an activation. Those end in a product, and a compiler may contract a product
    and a sum in some tiles and not in others: a row's result would then depend on where the row is.

    Attributes:
        inner: K, the columns of the rows.
        columns: N, the columns of the result.
        dtype: The weights', ``"float32"`` or ``"float16"``.
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

    Weights are float32 or float16, ids int32, and all others float32. The loop nest, with the tiles of the table::

        for chunk of rows:                            # stays in the second cache
          scale[:] = 1 / root mean square             # with a norm
          for group of panels:                        # stays there too while the chunk's rows pass over it
            for tile of rows and vectors of columns:  # `_tiles`
              sums[rows, vectors] = 0                 # `_Nest.write`: in registers
              for k:
                prefetch(weight[panel + 1, k])        # in tiles of most rows, which leave memory idle
                for v in vectors, i in rows:          # unrolled; weights are loaded once for all rows
                  sums[i, v] += rows[i, k] * weight[panel, k, v]
              result[i, v] = activation(sums[i, v] * scale[i]), or sums[i, v] + residual[i, v]
          ids[:] = argmax of the chunk's results

    Every sum adds its products one by one in the order of k, however many rows there are and wherever a row is. So a
    row's result does not depend on other rows.
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
        nest = _Nest(code, spec, cpu, rows, weight, residual, result, scale, first)
        for group in _groups(spec, cpu):
            # The partial panel is alone and needs no loop.
            with nullcontext(0) if group.partial else code.loop(group.count, "group") as number:
                for tile in _tiles(code, cpu, here, group, number):
                    nest.write(tile)
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


@dataclass(frozen=True)
class _Group:
    """Groups of panels of one size. A chunk's rows pass over one group before they pass over the next.

    Attributes:
        first: The first panel of the first group.
        count: How many groups there are.
        panels: The panels of each.
        partial: Whether this is the one panel whose last columns are padding.
    """

    first: int
    count: int
    panels: int
    partial: bool = False


def _groups(spec: Matmul, cpu: Cpu) -> list[_Group]:
    """All panels, in order: in groups of one size if any size fits, else the last ones one by one."""
    whole = spec.columns // spec.width
    most = max(1, max(vectors for _, vectors in cpu.tiles) * cpu.lanes // PANEL)
    size = math.gcd(whole, most)
    if size > 1 or most == 1:
        found = [_Group(0, whole // size, size)]
    else:
        grouped = whole // most * most
        both = (_Group(0, grouped // most, most), _Group(grouped, whole - grouped, 1))
        found = [group for group in both if group.count]
    if spec.columns % spec.width:
        found.append(_Group(whole, 1, 1, partial=True))
    return found


@dataclass(frozen=True)
class _Tile:
    """Sums that are in registers at the same time.

    Attributes:
        rows: How many rows it has.
        vectors: How many vectors of columns: parts of a panel, or whole panels beside each other.
        row: Its first row, counted in the chunk.
        panel: Its first panel.
        part: Which part of the panel it is, for a tile narrower than a panel.
        prefetches: Whether it asks for the next panel's weights.
        partial: Whether its last columns may be padding.
    """

    rows: int
    vectors: int
    row: tirx.Expr
    panel: tirx.Expr
    part: tirx.Expr
    prefetches: bool
    partial: bool


def _tiles(code: Code, cpu: Cpu, here: tirx.Expr, group: _Group, number: Value) -> Iterator[_Tile]:
    """The tiles of a chunk over a group of panels. Each is written inside of its loops, before the next is asked for.

    The loops, for every (rows, vectors) of the table::

        if this size is needed:              # the most rows: always; fewer: for the rows that those leave
          for panel, part of a panel:
            for tile of rows:                # the most rows: as often as they fit; fewer: once
              the tile

    The rows are innermost, so that a panel is in the first cache for all but the first of them.

    Args:
        code: The kernel.
        cpu: The vector unit.
        here: The chunk's rows.
        group: The groups of panels.
        number: Which of them.
    """
    per_panel, top = PANEL // cpu.lanes, cpu.tiles[0][0]
    left = tirx.floormod(here, top)
    start = group.first + number * group.panels
    for rows, most in cpu.tiles:
        vectors = min(most, group.panels * per_panel)
        step, parts = max(1, vectors // per_panel), max(1, per_panel // vectors)
        with ExitStack() as loops:
            if rows < top:
                loops.enter_context(code.when(tirx.bitwise_and(left, rows) != 0))
            panel = loops.enter_context(code.loop(group.panels // step, "panel"))
            part = loops.enter_context(code.loop(parts, "part"))
            if rows == top:
                row = loops.enter_context(code.loop(tirx.floordiv(here, top), "tile")) * top
            else:
                row = here - tirx.bitwise_and(left, 2 * rows - 1)
            prefetches = rows == top and not group.partial
            yield _Tile(rows, vectors, row, start + panel * step, part, prefetches, group.partial)


@dataclass(frozen=True)
class _Nest:
    """Writes tiles: all that is inside of the loops over chunks, groups and tiles."""

    code: Code
    spec: Matmul
    cpu: Cpu
    rows: tirx.Buffer
    weight: tirx.Buffer
    residual: tirx.Buffer | None
    result: tirx.Buffer
    scale: tirx.Buffer | None
    first: tirx.Expr  # row of the chunk

    def write(self, tile: _Tile) -> None:
        """Writes one tile."""
        code, lanes = self.code, self.cpu.lanes
        places = self._places(tile)
        sums = code.registers(tile.rows * tile.vectors * lanes)
        for number in range(tile.rows * tile.vectors):
            code.store(sums, constant(0.0, lanes=lanes), ramp(number * lanes, lanes))
        row = code.let(tile.row, "row")
        with code.loop(self.spec.inner, "k") as k:
            weights = [self._weights(panel, k, ramp(column, lanes)) for panel, column in places]
            if tile.prefetches:
                self._prefetch(places, k)
            for i in range(tile.rows):
                x = code.let(broadcast(load(self.rows, self.first + row + i, k), lanes))
                for v, w in enumerate(weights):
                    place = ramp((i * tile.vectors + v) * lanes, lanes)
                    code.store(sums, load(sums, place) + x * w, place)
        for i in range(tile.rows):
            for v in range(tile.vectors // 2 if self.spec.gated else tile.vectors):
                value = self._finished(sums, i * tile.vectors + v, tile.vectors, row + i)
                panel, column = places[v]
                self._store(value, row + i, panel * self.spec.width + column, tile.partial)

    def _places(self, tile: _Tile) -> list[tuple[tirx.Expr, tirx.Expr]]:
        """The panel of each of the tile's vectors, and its column there; the gates' vectors first in a gated layer."""
        lanes, per_panel = self.cpu.lanes, PANEL // self.cpu.lanes
        within = min(tile.vectors, per_panel)
        count = tile.vectors
        if self.spec.gated:
            within, count = within // 2, count // 2
        found = [(tile.panel + v // within, tile.part * (within * lanes) + v % within * lanes) for v in range(count)]
        return found + [(panel, column + GATED) for panel, column in found] if self.spec.gated else found

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

    def _finished(self, sums: tirx.Buffer, vector: int, vectors: int, row: tirx.Expr) -> tirx.Expr:
        """A vector of results: its sums, scaled and activated.

        Args:
            sums: The tile's.
            vector: Which of them.
            vectors: How many a row has; in a gated layer the second half is multiplied with the first.
            row: The row, counted in the chunk.
        """
        code, lanes = self.code, self.cpu.lanes

        def scaled(number: int) -> tirx.Expr:
            total = load(sums, ramp(number * lanes, lanes))
            return total if self.scale is None else code.let(total * broadcast(load(self.scale, row), lanes))

        value = scaled(vector)
        if self.spec.gated:
            return gelu(code, value, lanes) * scaled(vector + vectors // 2)
        return tirx.max(value, constant(0.0, lanes=lanes)) if self.spec.activation == "relu" else value

    def _store(self, value: tirx.Expr, row: tirx.Expr, column: tirx.Expr, partial: bool) -> None:
        """Writes a vector of results; of a partial tile only the columns that the result has."""
        code, lanes = self.code, self.cpu.lanes
        row = self.first + row
        if not partial:
            self._store_sum(value, row, column, lanes)
            return
        memory = code.registers(lanes)
        code.store(memory, value, ramp(0, lanes))
        end = tirx.max(tirx.min(constant(self.spec.columns) - column, constant(lanes)), constant(0))
        with code.loop(end, "lane") as lane:
            self._store_sum(load(memory, lane), row, column + lane, 1)

    def _store_sum(self, value: tirx.Expr, row: tirx.Expr, column: tirx.Expr, lanes: int) -> None:
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

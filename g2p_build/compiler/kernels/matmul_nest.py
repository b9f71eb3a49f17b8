"""What is inside of a matmul's loops over tiles: the sums of one tile, and how they become results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from tvm import tirx

from g2p_build.compiler.kernels.code import Code, Value, broadcast, constant, load, ramp, stored
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.compiler.kernels.functions import gelu, widened
from g2p_build.compiler.kernels.matmul_tiles import Tile, panels_at_once, tiles
from g2p_build.models.layout import GATED, PANEL

__all__ = ["ACTIVATIONS", "Behind", "Nest", "weights_of"]

ACTIVATIONS = ("", "relu", "gated-gelu")
"""What becomes of sums. A kernel is told the place of its own here."""

_RELU, _GATED = 1, 2

_LINE = 64  # bytes that a cache reads together; where it reads more, some are asked for twice


@dataclass(frozen=True)
class Behind:
    """What becomes of sums, as a kernel is told it.

    Attributes:
        columns: N.
        activation: The place of the activation in `ACTIVATIONS`.
        residual: float32 [M, N] if it is added, otherwise any matrix.
        added: Whether it is.
        result: float32 [M, N].
    """

    columns: tirx.Expr
    activation: tirx.Expr
    residual: tirx.Buffer
    added: tirx.Expr
    result: tirx.Buffer


@dataclass(frozen=True)
class Nest:
    """Writes tiles: all that is inside of the loop over chunks.

    Attributes:
        code: The kernel.
        dtype: The weights'.
        cpu: The vector unit.
        rows: float32 [M, K].
        weight: As `matmul` takes it.
        scale: float32, what a chunk's rows are times behind the sums.
        first: The first row of the chunk.
        inner: K.
        panels: Of the weights.
        behind: What becomes of sums.
    """

    code: Code
    dtype: str
    cpu: Cpu
    rows: tirx.Buffer
    weight: tirx.Buffer
    scale: tirx.Buffer
    first: tirx.Expr
    inner: tirx.Expr
    panels: tirx.Expr
    behind: Behind

    def cover(self, here: tirx.Expr) -> None:
        """Writes all results of a chunk with so many rows."""
        code, size = self.code, panels_at_once(self.cpu)
        kept = code.lines(self.cpu.chunk * size * PANEL, "float32")
        with code.loop(tirx.floordiv(self.panels + (size - 1), size), "group") as group:
            first = code.let(group * size, "first_panel")
            here_panels = code.let(tirx.min(self.panels - first, constant(size)), "panels")
            for tile in tiles(code, self.cpu, here, size, here_panels):
                self._write(tile, first, kept, size)
            self._finish(kept, size, here, first)

    def _write(self, tile: Tile, first: tirx.Expr, kept: tirx.Buffer, size: int) -> None:
        """Writes the sums of one tile to `kept`, float32 [rows of the chunk, `size` panels, 32]."""
        code, lanes = self.code, self.cpu.lanes
        places = tile.places(lanes)
        # Beyond the last panel, where a tile has several, the last one is computed again, and not looked at.
        read = [(code.let(tirx.min(first + panel, self.panels - 1), "panel"), column) for panel, column in places]
        row = code.let(tile.row, "row")
        starts = [
            code.let(((row + i) * size + panel) * PANEL + column, "start")
            for i in range(tile.rows)
            for panel, column in places
        ]
        self._add_up(tile, read, row, kept, starts)

    def _add_up(
        self,
        tile: Tile,
        places: Sequence[tuple[tirx.Expr, tirx.Expr]],
        row: tirx.Expr,
        kept: tirx.Buffer,
        starts: Sequence[tirx.Expr],
    ) -> None:
        """Adds up all products of a tile.

        Args:
            tile: The tile.
            places: Of its vectors.
            row: Its first row, counted in the chunk.
            kept: Where sums go.
            starts: Of each row's vectors there, row by row.
        """
        code, lanes = self.code, self.cpu.lanes
        sums, every = code.registers(len(starts) * lanes), [ramp(n * lanes, lanes) for n in range(len(starts))]
        for place in every:
            code.store(sums, constant(0.0, lanes=lanes), place)
        with code.loop(self.inner, "k", self.cpu.index) as k:
            weights = [
                weights_of(code, self.dtype, self.cpu, self.weight, panel, k, ramp(column, lanes))
                for panel, column in places
            ]
            if tile.prefetches:
                self._prefetch(places, k)
            for i in range(tile.rows):
                x = code.let(broadcast(load(self.rows, self.first + row + i, k), lanes))
                for v, w in enumerate(weights):
                    place = every[i * tile.vectors + v]
                    code.store(sums, load(sums, place) + x * w, place)
        for place, start in zip(every, starts, strict=True):
            code.store(kept, load(sums, place), ramp(start, lanes))

    def _prefetch(self, places: Sequence[tuple[tirx.Expr, tirx.Expr]], k: Value) -> None:
        """Asks for the next panel's weights, line by line, while there is arithmetic to do."""
        lanes = self.cpu.lanes
        line = _LINE // np.dtype(self.dtype).itemsize
        for v, (panel, column) in enumerate(places):
            if v * lanes % line == 0:
                following = tirx.min(panel + 1, self.panels - 1)
                self.code.prefetch(self.weight, following, k, column)

    def _finish(self, kept: tirx.Buffer, size: int, here: tirx.Expr, first: tirx.Expr) -> None:
        """Makes results of sums.

        Args:
            kept: The sums, float32 [rows of the chunk, `size`, 32].
            size: Panels that there is room for.
            here: The chunk's rows.
            first: The first panel.
        """
        code, lanes, behind = self.code, self.cpu.lanes, self.behind
        relu, gated = behind.activation == _RELU, behind.activation == _GATED
        with (
            code.when(relu),
            self._rows(here, size) as (start, scale),
            code.loop(size * PANEL // lanes, "v") as v,
        ):
            place = ramp(start + v * lanes, lanes)
            code.store(kept, tirx.max(load(kept, place) * scale, constant(0.0, lanes=lanes)), place)
        with (
            code.when(gated),
            self._rows(here, size) as (start, scale),
            code.loop(size * GATED // lanes, "v") as v,
        ):
            panel = tirx.floordiv(v, GATED // lanes)  # of which the first half are gates
            gate, other = (
                code.let(load(kept, ramp(start + panel * GATED + v * lanes + half, lanes)) * scale)
                for half in (0, GATED)
            )
            code.store(kept, gelu(code, gate, lanes) * other, ramp(start + v * lanes, lanes))
        width = code.let(PANEL - GATED * gated.astype("int32"), "width")
        column = code.let(first * width, "column")
        columns = code.let(tirx.min(behind.columns - column, size * width), "columns")
        whole = code.let(tirx.floordiv(columns, GATED), "whole")
        for added in (False, True):
            with code.when(behind.added == int(added)), code.loop(here, "i") as i:
                start = code.let(i * (size * PANEL), "start")
                factor = code.let(tirx.Select(behind.activation > 0, constant(1.0), load(self.scale, i)), "factor")
                row = code.let(self.first + i, "row")
                with code.loop(whole, "half") as half:
                    for v in range(GATED // lanes):
                        at = half * GATED + v * lanes
                        self._copy(kept, start + at, factor, row, column + at, lanes, added)
                with code.loop(columns - whole * GATED, "v") as v:
                    at = whole * GATED + v
                    self._copy(kept, start + at, factor, row, column + at, 1, added)

    def _copy(
        self,
        kept: tirx.Buffer,
        source: tirx.Expr,
        factor: tirx.Expr,
        row: tirx.Expr,
        column: tirx.Expr,
        lanes: int,
        added: bool,
    ) -> None:
        """Writes a vector of results. A residual goes with no factor but 1, so that the sum has one rounding."""
        behind, columns = self.behind, ramp(column, lanes)
        value = load(kept, ramp(source, lanes)) * broadcast(factor, lanes)
        if added:
            value = value + load(behind.residual, row, columns)
        self.code.store(behind.result, value, row, columns)

    @contextmanager
    def _rows(self, here: tirx.Expr, size: int) -> Iterator[tuple[tirx.Expr, tirx.Expr]]:
        """Loops over a chunk's rows: where a row's sums begin, and a vector of its scale."""
        code = self.code
        with code.loop(here, "i") as i:
            scale = code.let(broadcast(load(self.scale, i), self.cpu.lanes), "scale")
            yield code.let(i * (size * PANEL), "start"), scale


def weights_of(
    code: Code, dtype: str, cpu: Cpu, weight: tirx.Buffer, panel: tirx.Expr, k: Value, columns: Value
) -> tirx.Expr:
    """A vector of weights [P, K, 32] that are float32 or float16, as float32."""
    if dtype == "float16" and not cpu.converts:
        return widened(code, stored(weight, panel, k, columns), cpu.lanes)
    return code.let(load(weight, panel, k, columns), "w")

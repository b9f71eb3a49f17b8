"""What is inside of a matmul's loops over tiles: the sums of one tile, and how they become results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tvm import tirx

from g2p_build.compiler.kernels.code import Code, Value, broadcast, constant, load, ramp, stored
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.compiler.kernels.functions import gelu, widened
from g2p_build.compiler.kernels.matmul_tiles import Group, Tile, tiles
from g2p_build.models.layout import GATED, PANEL

if TYPE_CHECKING:
    from g2p_build.compiler.kernels.matmul import Matmul

__all__ = ["Nest"]

_LINE = 64  # bytes that a cache reads together; where it reads more, some are asked for twice


@dataclass(frozen=True)
class Nest:
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

    def cover(self, group: Group, number: Value, here: tirx.Expr) -> None:
        """Writes all of a chunk's results in a group of panels.

        Args:
            group: The groups of panels.
            number: Which of them.
            here: The chunk's rows.
        """
        for tile in tiles(self.code, self.cpu, here, group, number):
            self._write(tile)

    def _write(self, tile: Tile) -> None:
        """Writes one tile."""
        code, lanes = self.code, self.cpu.lanes
        places = self._places(tile)
        sums = code.registers(tile.rows * tile.vectors * lanes)
        for number in range(tile.rows * tile.vectors):
            code.store(sums, constant(0.0, lanes=lanes), ramp(number * lanes, lanes))
        row = code.let(tile.row, "row")
        self._add_up(tile, places, sums, row)
        if tile.end is not None:
            with code.loop(tirx.min(tile.end - row, constant(tile.rows)), "i") as last:
                self._finish(tile, places, sums, row, last)
            return
        for i in range(tile.rows):
            self._finish(tile, places, sums, row, i)

    def _finish(
        self,
        tile: Tile,
        places: Sequence[tuple[tirx.Expr, tirx.Expr]],
        sums: tirx.Buffer,
        row: tirx.Expr,
        i: Value,
    ) -> None:
        """Writes the results of a tile's row `i`."""
        for v in range(tile.vectors // 2 if self.spec.gated else tile.vectors):
            value = self._finished(sums, i * tile.vectors + v, tile.vectors, row + i)
            panel, column = places[v]
            self._store(value, row + i, panel * self.spec.width + column, tile.partial)

    def _add_up(
        self, tile: Tile, places: Sequence[tuple[tirx.Expr, tirx.Expr]], sums: tirx.Buffer, row: tirx.Expr
    ) -> None:
        """Adds all products to a tile's sums.

        Args:
            tile: The tile.
            places: Of its vectors.
            sums: float32 [rows * vectors * lanes].
            row: Its first row, counted in the chunk.
        """
        code, lanes = self.code, self.cpu.lanes
        with code.loop(self.spec.inner, "k") as k:
            weights = [self._weights(panel, k, ramp(column, lanes)) for panel, column in places]
            if tile.prefetches:
                self._prefetch(places, k)
            for i in range(tile.rows):
                x = code.let(broadcast(load(self.rows, self.first + row + i, k), lanes))
                for v, w in enumerate(weights):
                    place = ramp((i * tile.vectors + v) * lanes, lanes)
                    code.store(sums, load(sums, place) + x * w, place)

    def _places(self, tile: Tile) -> list[tuple[tirx.Expr, tirx.Expr]]:
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

    def _finished(self, sums: tirx.Buffer, vector: Value, vectors: int, row: tirx.Expr) -> tirx.Expr:
        """A vector of results: its sums, scaled and activated.

        Args:
            sums: The tile's.
            vector: Which of them.
            vectors: How many a row has; in a gated layer the second half is multiplied with the first.
            row: The row, counted in the chunk.
        """
        code, lanes = self.code, self.cpu.lanes

        def scaled(number: Value) -> tirx.Expr:
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

"""Matmuls with int8 weights: rows are rounded to integers, products are added up exactly, and the sums are scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tvm import tirx

from g2p_build.compiler.kernels.code import Code, Value, broadcast, constant, load, ramp, stored
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.compiler.kernels.dots import DOTS, EIGHT, Dot, Load, eights, rows_of, zipped
from g2p_build.compiler.kernels.functions import fold
from g2p_build.compiler.kernels.matmul_nest import Nest
from g2p_build.compiler.kernels.matmul_tiles import Tile
from g2p_build.models.layout import GROUP, NARROW, NO_NORM, PANEL, QUAD, WIDE, grouped

if TYPE_CHECKING:
    from g2p_build.compiler.kernels.matmul import Matmul

__all__ = ["AMX_ROWS", "Int8Nest", "Integers", "rows_at_once"]

AMX_ROWS = 16
"""Rows of AMX's tiles at most."""

_MOST_BYTES = 32768  # of a chunk's rounded rows: they are on the stack, and in the first cache
_ROUNDER = 1.5 * 2**23
"""A float32 between -2 ** 22 and 2 ** 22 plus this is rounded to an integer, ties to even: the sum's last bits."""


def rows_at_once(inner: int, cpu: Cpu) -> int:
    """The rows of a chunk: those of the table, or fewer if they are long. They are whole tiles."""
    fit = _MOST_BYTES // (grouped(inner) * GROUP * 2)
    top = AMX_ROWS if cpu.amx and fit >= AMX_ROWS else cpu.tiles[0][0]
    return min(cpu.chunk // top, max(1, fit // top)) * top


@dataclass(frozen=True)
class Integers:
    """A chunk of rows as integers. Those that a norm precedes have 8 bits, others 16.

    Attributes:
        numbers: Of `dot.packed`, [rows, groups, parts, 64]; what fills the last group up is zero. Where `dot` has
            tiles, [pairs of rows, groups, parts, 8 eights, 2 rows, 8].
        scales: float32 [rows * groups]. A row's number is its integer times its group's scale.
        sums: int32 [rows * groups], what has to be added to a group's products.
        inner: K.
        wide: Whether they have 16 bits.
        dot: How products are added up.
    """

    numbers: tirx.Buffer
    scales: tirx.Buffer
    sums: tirx.Buffer
    inner: int
    wide: bool
    dot: Dot

    @staticmethod
    def empty(code: Code, spec: Matmul, rows: int, cpu: Cpu) -> Integers:
        """Memory for some rows."""
        groups, wide, dot = grouped(spec.inner), spec.epsilon == NO_NORM, DOTS[cpu.dot]
        if cpu.amx:  # its tiles take weights as they are, and whole lines of numbers
            dot = replace(dot, taken=None)
        halves = 2 if wide and dot.packed == "int8" else 1
        numbers = (code.lines if cpu.amx else code.registers)(rows * groups * halves * GROUP, dot.packed)
        sums = code.registers(rows * groups, "int32")
        return Integers(numbers, code.registers(rows * groups), sums, spec.inner, wide, dot)

    @property
    def parts(self) -> int:
        """How many of `dot`'s numbers an integer takes."""
        return 2 if self.wide and self.dot.packed == "int8" else 1

    def fill(self, code: Code, rows: tirx.Buffer, row: Value, place: Value, lanes: int) -> None:
        """Rounds a row.

        The loop nest::

            for group of 64 numbers:
              largest = max(abs(row[group]))
              numbers[group] = round(row[group] * (most / largest))
              scales[group] = largest / most

        Args:
            code: The kernel.
            rows: float32 [M, K].
            row: Which of them.
            place: Where it goes.
            lanes: Of a vector.
        """
        whole = self.inner // GROUP
        with code.loop(whole, "group") as group:
            self._fill(code, rows, row, (group * GROUP, GROUP), place, group, lanes)
        if self.inner % GROUP:
            self._fill(code, rows, row, (whole * GROUP, self.inner % GROUP), place, whole, 1)

    def _fill(
        self,
        code: Code,
        rows: tirx.Buffer,
        row: Value,
        columns: tuple[Value, int],
        place: Value,
        group: Value,
        lanes: int,
    ) -> None:
        """Rounds some columns of a row, a group or less of it: the first one, and how many."""
        first, count = columns
        at = place * grouped(self.inner) + group
        every, most = ramp(0, lanes), float(WIDE if self.wide else NARROW)
        largest = code.registers(lanes)
        code.store(largest, constant(1e-30, lanes=lanes), every)  # so that nothing is divided by zero
        with code.loop(count // lanes, "j") as j:
            x = load(rows, row, ramp(first + j * lanes, lanes))
            code.store(largest, tirx.max(load(largest, every), tirx.abs(x)), every)
        found = fold(code, load(largest, every), lanes, tirx.max)
        code.store(self.scales, found * constant(1 / most), at)
        inverse = code.let(broadcast(constant(most) / found, lanes))
        total, staged = code.registers(lanes, "int32"), code.registers(GROUP * self.parts, self.dot.packed)
        code.store(total, constant(0, lanes=lanes), every)
        if count < GROUP:
            with code.loop(GROUP * self.parts, "j") as j:
                code.store(staged, constant(0, self.dot.packed), j)
        with code.loop(count // lanes, "j") as j:
            x = load(rows, row, ramp(first + j * lanes, lanes)) * inverse
            # The bounds change nothing. They keep a compiler from making one operation of a product and a sum.
            x = tirx.max(tirx.min(x, constant(most, lanes=lanes)), constant(-most, lanes=lanes))
            bits = tirx.reinterpret(_wide("int32", lanes), x + constant(_ROUNDER, lanes=lanes))
            number = code.let(bits - constant(0x4B400000, lanes=lanes))  # the bits of _ROUNDER
            code.store(total, load(total, every) + number, every)
            for part, value in enumerate(self._parts(code, number, lanes)):
                code.store(staged, value.astype(_wide(self.dot.packed, lanes)), ramp(part * GROUP + j * lanes, lanes))
        if self.dot.tiles:
            pair = tirx.floordiv(place, 2) * grouped(self.inner) + group
            start = pair * (2 * GROUP * self.parts) + tirx.floormod(place, 2) * EIGHT
            with code.loop(self.parts * GROUP // EIGHT, "eight") as eight:
                value = stored(staged, ramp(eight * EIGHT, EIGHT))
                code.store(self.numbers, value, ramp(start + eight * (2 * EIGHT), EIGHT))
        else:
            with code.loop(self.parts * GROUP // QUAD, "quad") as quad:
                for to, source in enumerate(self.dot.order):
                    start = at * (GROUP * self.parts) + quad * QUAD
                    code.store(self.numbers, stored(staged, quad * QUAD + source), start + to)
        if self.dot.taken:
            together = code.registers(1, "int32")
            code.store(together, constant(0), 0)
            with code.loop(lanes, "lane") as lane:
                code.store(together, load(together, 0) + load(total, lane), 0)
            code.store(self.sums, load(together, 0) * self.dot.taken(code), at)

    def _parts(self, code: Code, number: tirx.Expr, lanes: int) -> list[tirx.Expr]:
        """The upper half of 16 bits, rounded, and what it lacks, from -128 to 127."""
        if self.parts == 1:
            return [number]
        eight = constant(8, lanes=lanes)
        upper = code.let((number + constant(128, lanes=lanes)) >> eight)
        return [upper, number - (upper << eight)]


@dataclass(frozen=True)
class Int8Nest(Nest):
    """Writes tiles of a matmul with int8 weights.

    The loop nest of a tile::

        sums[rows, vectors] = 0
        for group of 64 rows of the matrix:
          counts[rows, vectors] = 0                  # int32
          for part of the integers:                  # the upper half counts 256 times as much as the lower one
            for quad of the group:
              for v in vectors, i in rows:           # unrolled; weights are loaded once for all rows
                counts[i, v] += integers[i, part, quad] . weight[panel, quad, v]
            or, where rows are multiplied two at a time, for eight of the group:
              for v in vectors, two columns of v, two rows:
                counts[rows, v columns] += integers[rows, part, eight] . weight[panel, eight, columns]
          sums[i, v] += counts[i, v] * (scales[i, group] * scale of the weights[panel, group, v])
    """

    integers: Integers

    def _add_up(
        self, tile: Tile, places: Sequence[tuple[tirx.Expr, tirx.Expr]], sums: tirx.Buffer, row: tirx.Expr
    ) -> None:
        code, lanes, dot = self.code, self.cpu.lanes, self.integers.dot
        groups, parts = grouped(self.spec.inner), self.integers.parts
        with code.loop(groups, "group") as group:
            counts = code.registers(tile.rows * tile.vectors * lanes, "int32")
            at = [ramp(number * lanes, lanes) for number in range(tile.rows * tile.vectors)]
            for place in at:
                code.store(counts, constant(0, lanes=lanes), place)
            with code.loop(parts, "part") as part:
                if parts > 1:  # what the upper halves gave; zero before them
                    for place in at:
                        code.store(counts, load(counts, place) << constant(8, lanes=lanes), place)
                add = self._add_eights if dot.tiles else self._add_quads
                add(tile, places, counts, row, group, part)
            if dot.tiles:
                self._tell_rows_apart(tile, counts)
            scales = [self._scales(*place, group) for place in places]
            for i in range(tile.rows):
                first = (row + i) * groups + group
                scale = code.let(broadcast(load(self.integers.scales, first), lanes))
                for v, of_weights in enumerate(scales):
                    place = at[i * tile.vectors + v]
                    counted = load(counts, place)
                    if dot.taken:
                        counted = counted + broadcast(load(self.integers.sums, first), lanes)
                    counted = counted.astype(_wide("float32", lanes))
                    code.store(sums, load(sums, place) + counted * (scale * of_weights), place)

    def _add_quads(
        self,
        tile: Tile,
        places: Sequence[tuple[tirx.Expr, tirx.Expr]],
        counts: tirx.Buffer,
        row: tirx.Expr,
        group: tirx.Expr,
        part: tirx.Expr,
    ) -> None:
        """Adds the products of a group's quads to the counts."""
        code, lanes, dot = self.code, self.cpu.lanes, self.integers.dot
        groups, parts = grouped(self.spec.inner), self.integers.parts
        with code.loop(GROUP // QUAD, "quad") as quad:
            weights = [dot.weights(code, self._read(*place, group, quad), lanes) for place in places]
            for i in range(tile.rows):
                start = (((row + i) * groups + group) * parts + part) * GROUP + quad * QUAD
                numbers = dot.numbers(code, self.integers.numbers, start, lanes)
                for v, w in enumerate(weights):
                    place = ramp((i * tile.vectors + v) * lanes, lanes)
                    code.store(counts, dot.add(load(counts, place), w, numbers, lanes), place)

    def _add_eights(
        self,
        tile: Tile,
        places: Sequence[tuple[tirx.Expr, tirx.Expr]],
        counts: tirx.Buffer,
        row: tirx.Expr,
        group: tirx.Expr,
        part: tirx.Expr,
    ) -> None:
        """Adds the products of a group's eights. The counts of two rows have two columns each, then the other two."""
        code, groups, parts = self.code, grouped(self.spec.inner), self.integers.parts
        pair = tirx.floordiv(row, 2)
        with code.loop(GROUP // EIGHT, "eight") as eight:
            numbers = []
            for i in range(tile.rows // 2):
                start = (((pair + i) * groups + group) * parts + part) * (2 * GROUP) + eight * (2 * EIGHT)
                numbers.append(code.let(stored(self.integers.numbers, ramp(start, 2 * EIGHT))))
            for v, place in enumerate(places):
                quads = [self._read(*place, group, eight * 2 + quad)(0, 2 * EIGHT) for quad in range(2)]
                for half, weights in enumerate(zipped(*(code.let(quad) for quad in quads))):
                    weights = code.let(weights, "w")
                    for i, x in enumerate(numbers):
                        at = self._pair(tile, i, v)[half]
                        code.store(counts, eights(load(counts, at), weights, x), at)

    def _tell_rows_apart(self, tile: Tile, counts: tirx.Buffer) -> None:
        """Brings counts of pairs of rows into the order of rows."""
        for i in range(tile.rows // 2):
            for v in range(tile.vectors):
                places = self._pair(tile, i, v)
                rows = rows_of(*(self.code.let(load(counts, place)) for place in places))
                for place, value in zip(places, rows, strict=True):
                    self.code.store(counts, value, place)

    def _pair(self, tile: Tile, pair: int, vector: int) -> list[Value]:
        """Where the counts of two rows are."""
        lanes = self.cpu.lanes
        return [ramp(((2 * pair + odd) * tile.vectors + vector) * lanes, lanes) for odd in range(2)]

    def _read(self, panel: tirx.Expr, column: Value, group: Value, quad: Value) -> Load:
        def read(first: int, count: int) -> tirx.Expr:
            start = quad * (PANEL * QUAD) + column * QUAD + first
            return stored(self.weight, panel, group, ramp(start, count))

        return read

    def _scales(self, panel: tirx.Expr, column: Value, group: Value) -> tirx.Expr:
        lanes = self.cpu.lanes
        halves = stored(self.weight, panel, group, ramp(GROUP * PANEL + column * 2, 2 * lanes))
        bits = tirx.reinterpret(_wide("int16", lanes), halves).astype(_wide("int32", lanes))
        return self.code.let(tirx.reinterpret(_wide("float32", lanes), bits << constant(16, lanes=lanes)))


def _wide(dtype: str, lanes: int) -> str:
    return dtype if lanes == 1 else f"{dtype}x{lanes}"

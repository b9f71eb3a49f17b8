"""Matmuls with int8 weights: rows are rounded to integers, products are added up exactly, and the sums are scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from tvm import tirx

from g2p_build.compiler.kernels.code import Code, Value, broadcast, constant, load, ramp, stored
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.compiler.kernels.dots import DOTS, EIGHT, Dot, Load, eights, rows_of, zipped
from g2p_build.compiler.kernels.functions import fold
from g2p_build.compiler.kernels.matmul_nest import Nest
from g2p_build.compiler.kernels.matmul_tiles import Tile
from g2p_build.models.layout import GROUP, NARROW, PANEL, QUAD, WIDE, grouped

__all__ = ["AMX_ROWS", "Int8Nest", "Integers", "room", "rows_at_once"]

AMX_ROWS = 16
"""Rows of AMX's tiles at most."""

_MOST_BYTES = 32768  # of a chunk's rounded rows: they are on the stack, and in the first cache
_ROUNDER = 1.5 * 2**23
"""A float32 between -2 ** 22 and 2 ** 22 plus this is rounded to an integer, ties to even: the sum's last bits."""


def rows_at_once(inner: int, cpu: Cpu) -> int:
    """The rows of a chunk: those of the table, or fewer if they are long. They are whole tiles."""
    top = _block(cpu)
    fit = max(1, _MOST_BYTES // (_row_bytes(inner) * top))
    return min(cpu.chunk // top, fit) * top


def room(inner: int, cpu: Cpu) -> int:
    """The bytes that a kernel has on its stack for a chunk's rounded rows: most kernels the same."""
    needed = rows_at_once(inner, cpu) * _row_bytes(inner)
    return max(_MOST_BYTES, 1 << (needed - 1).bit_length())


def _row_bytes(inner: int) -> int:
    return grouped(inner) * GROUP * 2


def _block(cpu: Cpu) -> int:
    """The rows of the highest tile."""
    if cpu.amx:
        return AMX_ROWS
    [(top, _), *_] = DOTS[cpu.dot].tiles or cpu.tiles
    return top


@dataclass(frozen=True)
class Integers:
    """A chunk of rows as integers. Those that a norm precedes have 8 bits, others 16.

    Attributes:
        numbers: Of `dot.packed`, [groups, parts, rows, 64]; what fills the last group up is zero. Where rows are
            `paired`, [groups, parts, pairs of rows, 8 eights, 2 rows, 8].
        scales: float32 [groups, rows]. A row's number is its integer times its group's scale.
        sums: int32 [groups, rows], what has to be added to a group's products.
        inner: K.
        groups: Of K.
        most: The rows that they are laid out for: a chunk's.
        narrow: 1 if they have 8 bits, 0 if 16.
        dot: How products are added up.
        index: The dtype of addresses.
    """

    numbers: tirx.Buffer
    scales: tirx.Buffer
    sums: tirx.Buffer
    inner: tirx.Expr
    groups: tirx.Expr
    most: tirx.Expr
    narrow: tirx.Expr
    dot: Dot
    index: str

    @staticmethod
    def empty(
        code: Code, inner: tirx.Expr, groups: tirx.Expr, most: tirx.Expr, narrow: tirx.Expr, of_rows: int, cpu: Cpu
    ) -> Integers:
        """Memory for some rows: `of_rows` bytes of numbers, and what belongs to them."""
        dot = DOTS[cpu.dot]
        if cpu.amx:  # its tiles take weights as they are, and whole lines of numbers
            dot = replace(dot, taken=None)
        numbers = code.lines(of_rows // np.dtype(dot.packed).itemsize, dot.packed)
        count = of_rows // (2 * GROUP)
        sums = code.registers(count, "int32")
        return Integers(numbers, code.registers(count), sums, inner, groups, most, narrow, dot, cpu.index)

    @property
    def halved(self) -> bool:
        """Whether 16 bits are two of `dot`'s numbers."""
        return self.dot.packed == "int8"

    @property
    def parts(self) -> Value:
        """How many of `dot`'s numbers an integer takes."""
        return 2 - self.narrow if self.halved else 1

    def start(self, group: Value, part: Value, row: Value) -> tirx.Expr:
        """Where a row's numbers of a group begin; with `dot.paired`, those of a pair of rows, by its first one."""
        return ((group * self.parts + part) * self.most + row) * GROUP

    def place(self, group: Value, row: Value) -> tirx.Expr:
        """Where a group's scale and sum are."""
        return group * self.most + row

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
        whole = code.let(tirx.floordiv(self.inner, GROUP), "whole")
        with code.loop(whole, "group") as group:
            self._fill(code, rows, row, constant(GROUP), place, group, lanes)
        # The last group may have fewer numbers: then it has them one by one.
        with code.when(self.groups > whole):
            self._fill(code, rows, row, self.inner - whole * GROUP, place, whole, 1)

    def _fill(
        self, code: Code, rows: tirx.Buffer, row: Value, count: Value, place: Value, group: Value, lanes: int
    ) -> None:
        """Rounds a group of a row's columns: `count` of them, whole vectors."""
        every, first = ramp(0, lanes), group * GROUP
        largest = code.registers(lanes)
        code.store(largest, constant(1e-30, lanes=lanes), every)  # so that nothing is divided by zero
        with code.loop(tirx.floordiv(count, lanes), "j", self.index) as j:
            x = load(rows, row, ramp(first + j * lanes, lanes))
            code.store(largest, tirx.max(load(largest, every), tirx.abs(x)), every)
        found = fold(code, load(largest, every), lanes, tirx.max)
        for narrow in (True, False):
            with code.when(self.narrow == int(narrow)):
                self._round(code, rows, row, count, found, place, group, narrow, lanes)

    def _round(
        self,
        code: Code,
        rows: tirx.Buffer,
        row: Value,
        count: Value,
        found: tirx.Expr,
        place: Value,
        group: Value,
        narrow: bool,
        lanes: int,
    ) -> None:
        """As `_fill`, with the largest number that was found, to 8 bits or to 16."""
        most, parts = float(NARROW if narrow else WIDE), 2 if self.halved and not narrow else 1
        every, first, at = ramp(0, lanes), group * GROUP, self.place(group, place)
        code.store(self.scales, found * constant(1 / most), at)
        inverse = code.let(broadcast(constant(most) / found, lanes))
        total = code.registers(lanes, "int32")
        code.store(total, constant(0, lanes=lanes), every)
        memory, starts = self._memory(code, group, place)
        if lanes == 1:
            for part in range(parts):
                with code.loop(GROUP, "j") as j:
                    code.store(memory, constant(0, self.dot.packed), starts[part] + j)
        with code.loop(tirx.floordiv(count, lanes), "j", self.index) as j:
            x = load(rows, row, ramp(first + j * lanes, lanes)) * inverse
            # The bounds change nothing. They keep a compiler from making one operation of a product and a sum.
            x = tirx.max(tirx.min(x, constant(most, lanes=lanes)), constant(-most, lanes=lanes))
            bits = tirx.reinterpret(_wide("int32", lanes), x + constant(_ROUNDER, lanes=lanes))
            number = code.let(bits - constant(0x4B400000, lanes=lanes))  # the bits of _ROUNDER
            code.store(total, load(total, every) + number, every)
            for value, start in zip(self._parts(code, number, parts, lanes), starts, strict=False):
                value = value.astype(_wide(self.dot.packed, lanes))
                code.store(memory, value, ramp(start + j * lanes, lanes))
        if memory is not self.numbers:
            for part in range(parts):
                self._order(code, memory, group, part, place)
        if self.dot.taken:
            together = code.registers(1, "int32")
            code.store(together, constant(0), 0)
            with code.loop(lanes, "lane") as lane:
                code.store(together, load(together, 0) + load(total, lane), 0)
            code.store(self.sums, load(together, 0) * self.dot.taken(code), at)

    def _memory(self, code: Code, group: Value, place: Value) -> tuple[tirx.Buffer, tuple[Value, Value]]:
        """Where a group's numbers are kept first, and where each part begins: there, or where they are put in order."""
        if self.dot.order == (0, 1, 2, 3) and not self.dot.paired:
            return self.numbers, (self.start(group, 0, place), self.start(group, 1, place))
        return code.registers(GROUP * 2, self.dot.packed), (0, GROUP)

    def _parts(self, code: Code, number: tirx.Expr, parts: int, lanes: int) -> list[tirx.Expr]:
        """An integer; or the upper half of 16 bits, rounded, and what it lacks, from -128 to 127."""
        if parts == 1:
            return [number]
        eight = constant(8, lanes=lanes)
        upper = code.let((number + constant(128, lanes=lanes)) >> eight)
        return [upper, number - (upper << eight)]

    def _order(self, code: Code, memory: tirx.Buffer, group: Value, part: Value, place: Value) -> None:
        """Puts a part of a group's numbers where products take them from."""
        start = self.start(group, part, place)
        if self.dot.paired:
            start = start - tirx.floormod(place, 2) * (GROUP - EIGHT)
            with code.loop(GROUP // EIGHT, "eight") as eight:
                value = stored(memory, ramp(part * GROUP + eight * EIGHT, EIGHT))
                code.store(self.numbers, value, ramp(start + eight * (2 * EIGHT), EIGHT))
            return
        with code.loop(GROUP // QUAD, "quad") as quad:
            for to, source in enumerate(self.dot.order):
                code.store(self.numbers, stored(memory, part * GROUP + quad * QUAD + source), start + quad * QUAD + to)


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
        self,
        tile: Tile,
        places: Sequence[tuple[tirx.Expr, tirx.Expr]],
        row: tirx.Expr,
        kept: tirx.Buffer,
        starts: Sequence[tirx.Expr],
    ) -> None:
        code, lanes, dot = self.code, self.cpu.lanes, self.integers.dot
        add = self._add_eights if dot.paired else self._add_quads
        for start in starts:
            code.store(kept, constant(0.0, lanes=lanes), ramp(start, lanes))
        with code.loop(self.integers.groups, "group") as group:
            counts = code.registers(tile.rows * tile.vectors * lanes, "int32")
            at = [ramp(number * lanes, lanes) for number in range(tile.rows * tile.vectors)]
            for place in at:
                code.store(counts, constant(0, lanes=lanes), place)
            given = (tile, places, counts, row, group)
            if self.integers.halved:
                with code.when(self.integers.narrow == 0), code.loop(2, "part") as part:
                    for place in at:  # what the upper halves gave; zero before them
                        code.store(counts, load(counts, place) << constant(8, lanes=lanes), place)
                    add(*given, part)
                with code.when(self.integers.narrow == 1):
                    add(*given, constant(0))
            else:
                add(*given, constant(0))
            if dot.paired:
                self._tell_rows_apart(tile, counts)
            scales, nothing = [self._scales(*place, group) for place in places], group >> constant(30)
            for i in range(tile.rows):
                first = self.integers.place(group, row + i)
                scale = code.let(broadcast(load(self.integers.scales, first), lanes))
                for v, of_weights in enumerate(scales):
                    place = at[i * tile.vectors + v]
                    counted = load(counts, place)
                    if dot.taken:
                        counted = counted + broadcast(load(self.integers.sums, first), lanes)
                    counted = counted.astype(_wide("float32", lanes))
                    # Counts need the registers, and sums wait in memory: nothing is 0, but LLVM does not know it.
                    start = ramp(starts[i * tile.vectors + v] + nothing, lanes)
                    code.store(kept, load(kept, start) + counted * (scale * of_weights), start)

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
        with code.loop(GROUP // QUAD, "quad", self.cpu.index) as quad:
            weights = [dot.weights(code, self._read(*place, group, quad), lanes) for place in places]
            for i in range(tile.rows):
                start = self.integers.start(group, part, row + i) + quad * QUAD
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
        code = self.code
        with code.loop(GROUP // EIGHT, "eight", self.cpu.index) as eight:
            numbers = []
            for i in range(tile.rows // 2):
                start = self.integers.start(group, part, row + 2 * i) + eight * (2 * EIGHT)
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

"""Matmuls with int8 weights by AMX, whose tiles multiply 16 rows of 64 bytes with 64 rows of 16 columns at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tvm import tirx

from g2p_build.compiler.kernels.code import Code, Value, address, broadcast, constant, load, ramp
from g2p_build.compiler.kernels.int8_nest import Int8Nest
from g2p_build.compiler.kernels.matmul_tiles import Group
from g2p_build.models.layout import GROUP, PANEL, QUAD, grouped

__all__ = ["AMX_LEAST_ROWS", "AmxNest", "amx_tiles"]

AMX_LEAST_ROWS = 5
"""Calls with fewer rows are left to the form of the kernel without AMX.

By counting, for 64 rows of 16 columns of a matrix and rows of 8 bits, on a core that does two operations with vectors
and two loads a cycle, and a product of tiles in 16 cycles: a tile of any number of rows takes 32 cycles, because 32 of
the tiles' rows, 16 vectors of counts and 16 scales are loaded; the product, 16 cycles of stores and 24 of conversions
go beside that. VNNI takes 16 operations to turn the weights' signs, and 19 for each row: 18 cycles for one row, 27 for
two, 46 for four and, in tiles of four and one, 63 for five. So tiles are ahead from three rows on. A product takes 52
cycles until its sums are there, and a store some more until they can be loaded: five rows leave room for what is not
hidden. No processor with AMX was there to measure it.
"""

_SUMS, _NUMBERS, _WEIGHTS = (0, 1), (2, 3), 4
"""The tiles: sums and rows, of each part of the integers, and weights."""


@contextmanager
def amx_tiles(code: Code, rows: int) -> Iterator[None]:
    """Tiles of 64 bytes a row for the statements written inside. Before and after them the thread has none.

    Args:
        code: The kernel.
        rows: Of tiles of numbers and sums: at most `AMX_ROWS`.
    """
    # Bytes: which palette; from 16 on the bytes of each tile's rows, two for each; from 48 on each tile's rows.
    sizes = [0] * 64
    sizes[0] = 1
    for tile in (*_SUMS, *_NUMBERS, _WEIGHTS):
        sizes[16 + 2 * tile] = GROUP
        sizes[48 + tile] = GROUP // QUAD if tile == _WEIGHTS else rows
    configuration = code.registers(len(sizes) // 4, "int32")
    for word in range(len(sizes) // 4):
        value = int.from_bytes(bytes(sizes[4 * word : 4 * word + 4]), "little")
        code.store(configuration, constant(value), word)
    code.intrinsic("llvm.x86.ldtilecfg", address(configuration, 0))
    yield
    code.intrinsic("llvm.x86.tilerelease")


@dataclass(frozen=True)
class AmxNest(Int8Nest):
    """Writes blocks of a matmul with int8 weights: `AMX_ROWS` rows or fewer, of one panel.

    The loop nest of a block::

        for half of the panel:                       # 16 columns
          sums[16 rows] = 0
          for group of 64 rows of the matrix:
            for part of the integers:
              tile = integers[rows, group, part] . weight[panel, group, half]      # int32
              counts[part] = tile
            count = counts[the upper half] * 256 + counts[the lower half], or counts
            sums[i] += count[i] * (scales[i, group] * scale of the weights[panel, group, half])
        results of the rows

    Every sum is that of `Int8Nest`, to the bit: counts are exact, and what follows is the same. A block always has all
    of its rows. Those beyond the chunk's have scales of zero, and nothing of them is stored.

    Attributes:
        block: Rows of a block: at most `AMX_ROWS`. A chunk has room for whole blocks.
    """

    block: int

    def cover(self, group: Group, number: Value, here: tirx.Expr) -> None:
        code = self.code
        start = group.first + number * group.panels
        with (
            code.loop(group.panels, "panel") as panel,
            code.loop(tirx.floordiv(here + (self.block - 1), self.block), "block") as block,
        ):
            self._write_block(
                code.let(start + panel, "panel"), code.let(block * self.block, "row"), here, group.partial
            )

    def blank(self, here: tirx.Expr) -> None:
        """Gives the rows that fill the last block up scales of zero. What their numbers are does not matter then."""
        code, groups = self.code, grouped(self.spec.inner)
        filled = tirx.floordiv(here + (self.block - 1), self.block) * self.block
        with code.loop((filled - here) * groups, "i") as i:
            code.store(self.integers.scales, constant(0.0), here * groups + i)

    def _write_block(self, panel: tirx.Expr, row: tirx.Expr, here: tirx.Expr, partial: bool) -> None:
        code, lanes, halves = self.code, self.cpu.lanes, PANEL // self.cpu.lanes
        found = code.lines(self.block * PANEL, "float32")
        with code.loop(halves, "half") as half:
            sums = code.registers(self.block * lanes)
            for i in range(self.block):
                code.store(sums, constant(0.0, lanes=lanes), ramp(i * lanes, lanes))
            with code.loop(grouped(self.spec.inner), "group") as group:
                counts = self._counts(panel, half, row, group)
                of_weights = self._scales(panel, half * lanes, group)
                for i, count in enumerate(counts):
                    at, place = ramp(i * lanes, lanes), (row + i) * grouped(self.spec.inner) + group
                    scale = code.let(broadcast(load(self.integers.scales, place), lanes))
                    code.store(sums, load(sums, at) + count.astype(f"float32x{lanes}") * (scale * of_weights), at)
            for i in range(self.block):
                code.store(found, load(sums, ramp(i * lanes, lanes)), ramp(i * PANEL + half * lanes, lanes))
        with code.loop(tirx.min(here - row, constant(self.block)), "i") as i:
            for v in range(1 if self.spec.gated else halves):
                value = self._finished(found, i * halves + v, halves, row + i)
                self._store(value, row + i, panel * self.spec.width + v * lanes, partial)

    def _counts(self, panel: tirx.Expr, half: Value, row: tirx.Expr, group: Value) -> list[tirx.Expr]:
        """Products of a group, added up: for each of the block's rows a vector of int32."""
        code, parts, lanes = self.code, self.integers.parts, self.cpu.lanes
        row_bytes = grouped(self.spec.inner) * parts * GROUP
        kept = code.lines(parts * self.block * lanes, "int32")
        start = row * row_bytes + group * (parts * GROUP)

        def tile(name: str, *tiles_and_memory: int | tirx.Expr, stride: int = 0) -> None:
            given = [constant(each, "int8") if isinstance(each, int) else each for each in tiles_and_memory]
            code.intrinsic(f"llvm.x86.{name}", *given, *([constant(stride, "int64")] if stride else []))

        weights = address(self.weight, panel, group, half * (lanes * QUAD))
        tile("tileloadd64", _WEIGHTS, weights, stride=PANEL * QUAD)
        for part in range(parts):
            to, numbers = _SUMS[part], _NUMBERS[part]
            tile("tilezero", to)
            tile("tileloadd64", numbers, address(self.integers.numbers, start + part * GROUP), stride=row_bytes)
            tile("tdpbssd", to, numbers, _WEIGHTS)
            tile("tilestored64", to, address(kept, part * self.block * lanes), stride=lanes * 4)
        found = []
        for i in range(self.block):
            vectors = [load(kept, ramp((part * self.block + i) * lanes, lanes)) for part in range(parts)]
            count = vectors[0]
            for lower in vectors[1:]:  # the upper half counts 256 times as much
                count = (count << constant(8, lanes=lanes)) + lower
            found.append(count)
        return found

"""Matmuls with int8 weights by AMX, whose tiles multiply 16 rows of 64 bytes with 64 rows of 16 columns at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tvm import tirx

from g2p_build.compiler.kernels.code import Code, Value, address, broadcast, constant, load, ramp
from g2p_build.compiler.kernels.int8_nest import AMX_ROWS, Int8Nest
from g2p_build.models.layout import GROUP, PANEL, QUAD

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

_SUMS, _NUMBERS, _WEIGHTS = range(3)
"""The tiles."""


@contextmanager
def amx_tiles(code: Code) -> Iterator[None]:
    """Tiles of 64 bytes a row for the statements written inside. Before and after them the thread has none."""
    # Bytes: which palette; from 16 on the bytes of each tile's rows, two for each; from 48 on each tile's rows.
    sizes = [0] * 64
    sizes[0] = 1
    for tile in (_SUMS, _NUMBERS, _WEIGHTS):
        sizes[16 + 2 * tile] = GROUP
        sizes[48 + tile] = GROUP // QUAD if tile == _WEIGHTS else AMX_ROWS
    configuration = code.registers(len(sizes) // 4, "int32")
    for word in range(len(sizes) // 4):
        value = int.from_bytes(bytes(sizes[4 * word : 4 * word + 4]), "little")
        code.store(configuration, constant(value), word)
    code.intrinsic("llvm.x86.ldtilecfg", address(configuration, 0))
    yield
    code.intrinsic("llvm.x86.tilerelease")


@dataclass(frozen=True)
class AmxNest(Int8Nest):
    """Writes blocks of a matmul with int8 weights: `AMX_ROWS` rows of one panel.

    The loop nest of a block::

        for half of the panel:                       # 16 columns
          sums[16 rows] = 0
          for group of 64 rows of the matrix:
            count = integers[rows, group] . weight[panel, group, half]             # int32, by tiles
            or, of the halves of 16 bits: that of the upper ones * 256 + that of the lower ones
            sums[i] += count[i] * (scales[i, group] * scale of the weights[panel, group, half])
        results of the rows

    Every sum is that of `Int8Nest`, to the bit: counts are exact, and what follows is the same. A block always has all
    of its rows. Those beyond the chunk's have scales of zero, and nothing of them is stored.
    """

    def cover(self, here: tirx.Expr) -> None:
        code = self.code
        self._blank(here)
        kept = code.lines(self.cpu.chunk * PANEL, "float32")
        with code.loop(self.panels, "panel") as panel:
            with code.loop(tirx.floordiv(here + (AMX_ROWS - 1), AMX_ROWS), "block") as block:
                self._write_block(panel, code.let(block * AMX_ROWS, "row"), kept)
            self._finish(kept, 1, here, panel)

    def _blank(self, here: tirx.Expr) -> None:
        """Gives the rows that fill the last block up scales of zero. What their numbers are does not matter then."""
        code = self.code
        filled = tirx.floordiv(here + (AMX_ROWS - 1), AMX_ROWS) * AMX_ROWS
        with code.loop(self.integers.groups, "group") as group, code.loop(filled - here, "i") as i:
            code.store(self.integers.scales, constant(0.0), self.integers.place(group, here + i))

    def _write_block(self, panel: tirx.Expr, row: tirx.Expr, kept: tirx.Buffer) -> None:
        """Writes the sums of a block to `kept`, float32 [rows of the chunk, 32]."""
        code, lanes = self.code, self.cpu.lanes
        with code.loop(PANEL // lanes, "half") as half:
            sums = code.registers(AMX_ROWS * lanes)
            for i in range(AMX_ROWS):
                code.store(sums, constant(0.0, lanes=lanes), ramp(i * lanes, lanes))
            with code.loop(self.integers.groups, "group") as group:
                counts = self._counts(panel, half, row, group)
                of_weights = self._scales(panel, half * lanes, group)
                for i in range(AMX_ROWS):
                    at, count = ramp(i * lanes, lanes), load(counts, ramp(i * lanes, lanes))
                    scale = code.let(broadcast(load(self.integers.scales, self.integers.place(group, row + i)), lanes))
                    code.store(sums, load(sums, at) + count.astype(f"float32x{lanes}") * (scale * of_weights), at)
            for i in range(AMX_ROWS):
                found = load(sums, ramp(i * lanes, lanes))
                code.store(kept, found, ramp((row + i) * PANEL + half * lanes, lanes))

    def _counts(self, panel: tirx.Expr, half: Value, row: tirx.Expr, group: Value) -> tirx.Buffer:
        """Products of a group, added up: int32 [rows of the block * lanes]."""
        code, integers, lanes = self.code, self.integers, self.cpu.lanes
        kept, counts = code.lines(AMX_ROWS * lanes, "int32"), code.registers(AMX_ROWS * lanes, "int32")
        at = [ramp(i * lanes, lanes) for i in range(AMX_ROWS)]

        def tile(name: str, *tiles_and_memory: int | tirx.Expr, stride: int = 0) -> None:
            given = [constant(each, "int8") if isinstance(each, int) else each for each in tiles_and_memory]
            code.intrinsic(f"llvm.x86.{name}", *given, *([constant(stride, "int64")] if stride else []))

        def multiply(part: int) -> None:
            tile("tilezero", _SUMS)
            tile("tileloadd64", _NUMBERS, address(integers.numbers, integers.start(group, part, row)), stride=GROUP)
            tile("tdpbssd", _SUMS, _NUMBERS, _WEIGHTS)
            tile("tilestored64", _SUMS, address(kept, 0), stride=lanes * 4)

        tile("tileloadd64", _WEIGHTS, address(self.weight, panel, group, half * (lanes * QUAD)), stride=PANEL * QUAD)
        multiply(0)
        for place in at:
            code.store(counts, load(kept, place), place)
        with code.when(integers.narrow == 0):
            multiply(1)
            for place in at:  # the upper half counts 256 times as much
                code.store(counts, (load(counts, place) << constant(8, lanes=lanes)) + load(kept, place), place)
        return counts

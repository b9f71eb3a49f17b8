"""Which tiles of a matmul's result are computed together, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from tvm import tirx

from g2p_build.compiler.kernels.code import Code, Value
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.models.layout import PANEL

__all__ = ["Tile", "panels_at_once", "tiles"]


def panels_at_once(cpu: Cpu) -> int:
    """The panels of the widest tile: a chunk's rows pass over so many before they pass over the next ones."""
    return max(1, max(vectors for _, vectors in cpu.tiles) * cpu.lanes // PANEL)


@dataclass(frozen=True)
class Tile:
    """Sums that are in registers at the same time.

    Attributes:
        rows: How many rows it has.
        vectors: How many vectors of columns: parts of a panel, or whole panels beside each other.
        row: Its first row, counted in the chunk.
        panel: Its first panel, counted in the group.
        part: Which part of the panel it is, for a tile narrower than a panel.
        prefetches: Whether it asks for the next panel's weights.
    """

    rows: int
    vectors: int
    row: tirx.Expr
    panel: tirx.Expr
    part: tirx.Expr
    prefetches: bool

    def places(self, lanes: int) -> list[tuple[tirx.Expr, Value]]:
        """The panel of each of its vectors, counted in the group, and its column there."""
        within = min(self.vectors, PANEL // lanes)
        found = (divmod(v, within) for v in range(self.vectors))
        return [(self.panel + panel, (self.part * within + v) * lanes) for panel, v in found]


def tiles(code: Code, cpu: Cpu, here: tirx.Expr, most: int, panels: Value) -> Iterator[Tile]:
    """The tiles of a chunk over a group of panels. Each is written inside of its loops, before the next is asked for.

    The loops, for every (rows, vectors) of the table::

        if this size is needed:              # the most rows: always; fewer: for the rows that those leave
          for panel, part of a panel:
            for tile of rows:                # the most rows: as often as they fit; fewer: once
              the tile

    If the fewest rows are more than one, tiles cover a multiple of them, which may be more rows than there are, but not
    more than a whole chunk has.

    The rows are innermost, so that a panel is in the first cache for all but the first of them.

    Args:
        code: The kernel.
        cpu: The vector unit.
        here: The chunk's rows.
        most: The most panels that a group has: a power of two. A tile has no more.
        panels: How many this one has. Tiles may reach beyond them, but not beyond `most`.
    """
    per_panel, top = PANEL // cpu.lanes, cpu.tiles[0][0]
    least = cpu.tiles[-1][0]
    if least > 1:
        here = code.let(tirx.floordiv(here + (least - 1), least) * least, "covered")
    left = tirx.floormod(here, top)
    for rows, widest in cpu.tiles:
        vectors = min(widest, most * per_panel)
        step, parts = max(1, vectors // per_panel), max(1, per_panel // vectors)
        with ExitStack() as loops:
            if rows < top:
                loops.enter_context(code.when(tirx.bitwise_and(left, rows) != 0))
            count = panels if step == 1 else tirx.floordiv(panels + (step - 1), step)
            panel = loops.enter_context(code.loop(count, "panel"))
            part = loops.enter_context(code.loop(parts, "part"))
            if rows == top:
                row = loops.enter_context(code.loop(tirx.floordiv(here, top), "tile")) * top
            else:
                row = here - tirx.bitwise_and(left, 2 * rows - 1)
            yield Tile(rows, vectors, row, panel * step, part, rows == top)

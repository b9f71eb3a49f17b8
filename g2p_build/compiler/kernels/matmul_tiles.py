"""Which tiles of a matmul's result are computed together, and in which order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tvm import tirx

from g2p_build.compiler.kernels.code import Code, Value
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.models.layout import PANEL

if TYPE_CHECKING:
    from g2p_build.compiler.kernels.matmul import Matmul

__all__ = ["Group", "Tile", "groups", "tiles"]


@dataclass(frozen=True)
class Group:
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


def groups(spec: Matmul, cpu: Cpu) -> list[Group]:
    """All panels, in order: in groups of one size if any size fits, else the last ones one by one."""
    whole = spec.columns // spec.width
    most = max(1, max(vectors for _, vectors in cpu.tiles) * cpu.lanes // PANEL)
    size = math.gcd(whole, most)
    if size > 1 or most == 1:
        found = [Group(0, whole // size, size)]
    else:
        grouped = whole // most * most
        both = (Group(0, grouped // most, most), Group(grouped, whole - grouped, 1))
        found = [group for group in both if group.count]
    if spec.columns % spec.width:
        found.append(Group(whole, 1, 1, partial=True))
    return found


@dataclass(frozen=True)
class Tile:
    """Sums that are in registers at the same time.

    Attributes:
        rows: How many rows it has.
        vectors: How many vectors of columns: parts of a panel, or whole panels beside each other.
        row: Its first row, counted in the chunk.
        panel: Its first panel.
        part: Which part of the panel it is, for a tile narrower than a panel.
        prefetches: Whether it asks for the next panel's weights.
        partial: Whether its last columns may be padding.
        end: How many rows the chunk has, where the tile may reach beyond; otherwise None.
    """

    rows: int
    vectors: int
    row: tirx.Expr
    panel: tirx.Expr
    part: tirx.Expr
    prefetches: bool
    partial: bool
    end: tirx.Expr | None


def tiles(code: Code, cpu: Cpu, here: tirx.Expr, group: Group, number: Value) -> Iterator[Tile]:
    """The tiles of a chunk over a group of panels. Each is written inside of its loops, before the next is asked for.

    The loops, for every (rows, vectors) of the table::

        if this size is needed:              # the most rows: always; fewer: for the rows that those leave
          for panel, part of a panel:
            for tile of rows:                # the most rows: as often as they fit; fewer: once
              the tile

    If the fewest rows are more than one, tiles cover a multiple of them, which may be more rows than there are.

    The rows are innermost, so that a panel is in the first cache for all but the first of them.

    Args:
        code: The kernel.
        cpu: The vector unit.
        here: The chunk's rows.
        group: The groups of panels.
        number: Which of them.
    """
    per_panel, top = PANEL // cpu.lanes, cpu.tiles[0][0]
    least, end = cpu.tiles[-1][0], None
    if least > 1:
        end, here = here, code.let(tirx.floordiv(here + (least - 1), least) * least, "covered")
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
            yield Tile(rows, vectors, row, start + panel * step, part, prefetches, group.partial, end)

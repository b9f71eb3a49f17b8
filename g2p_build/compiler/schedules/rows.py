"""Kernels that reduce the last axis and then use the result along it: softmax, RMSNorm."""

from __future__ import annotations

from tvm import s_tir

from g2p_build.compiler.schedules.cpu import Cpu, vector_width

__all__ = ["schedule_rows", "split_reduction"]


def schedule_rows(sch: s_tir.Schedule, cpu: Cpu) -> None:
    """Computes all of a row before the next one, every block vectorised along it.

    The loop nest, for softmax::

        for row:                                 # all axes but the last
          partial[lanes] = maximum of the row's vectors; highest = max(partial)
          exps[:] = exp(scores[row, :] - highest)
          partial[lanes] = sum of the row's vectors; total = sum(partial)
          out[row, :] = exps[:] / total
    """
    for block in sch.get_child_blocks(sch.get_sblock("root")):
        if _is_reduction(sch, block):
            split_reduction(sch, block, cpu)
    *blocks, output = sch.get_child_blocks(sch.get_sblock("root"))
    *outer, column = sch.get_loops(output)
    row = sch.fuse(*outer)
    _vectorize(sch, column, cpu)
    for block in reversed(blocks):
        sch.compute_at(block, row, preserve_unit_loops=True)
        *_, last = sch.get_loops(block)
        if not _is_reduction(sch, block):
            _vectorize(sch, last, cpu)


def split_reduction(sch: s_tir.Schedule, block: s_tir.schedule.SBlockRV, cpu: Cpu) -> s_tir.schedule.SBlockRV:
    """Splits a reduction over its innermost loop into one per lane, vectorised, and one over the lanes.

    Returns:
        The block of the lanes' partial results; `block` becomes the one that reduces them.
    """
    *_, k = sch.get_loops(block)
    _, lane = sch.split(k, [None, vector_width(int(sch.get(k).extent), cpu)])
    partial = sch.rfactor(lane, factor_axis=0)
    return partial


def _is_reduction(sch: s_tir.Schedule, block: s_tir.schedule.SBlockRV) -> bool:
    return sch.get(block).init is not None


def _vectorize(sch: s_tir.Schedule, loop: s_tir.schedule.LoopRV, cpu: Cpu) -> None:
    _, lane = sch.split(loop, [None, vector_width(int(sch.get(loop).extent), cpu)])
    sch.vectorize(lane)

"""Kernels that reduce along contiguous rows: softmax, RMSNorm, products with a transposed operand."""

from __future__ import annotations

from tvm import s_tir

from g2p_build.compiler.schedules.cpu import Cpu, vector_width
from g2p_build.compiler.schedules.elementwise import inline_all_but_last

__all__ = ["schedule_dot", "schedule_rows"]


def schedule_rows(sch: s_tir.Schedule, cpu: Cpu) -> None:
    """Schedules kernels whose output has as many rows as its reductions: all of a row before the next one.

    The loop nest, for softmax::

        for row:                                 # all axes but the last
          partial[lanes] = maximum over the row's vectors; highest = max(partial)
          partial[lanes] = sum over the row's vectors of exp(x - highest); total = sum(partial)
          out[row, :] = exp(x - highest) / total

    What is needed twice is computed twice, because a buffer for it would need memory from the runtime.
    """
    output = inline_all_but_last(sch, keep=_is_reduction)
    assert output is not None
    *outer, column = sch.get_loops(output)
    _, lane = sch.split(column, [None, vector_width(int(sch.get(column).extent), cpu)])
    sch.vectorize(lane)
    _reduce_at(sch, sch.fuse(*outer), cpu)


def schedule_dot(sch: s_tir.Schedule, cpu: Cpu) -> None:
    """Schedules ``C[.., i, j] = sum_k A[.., i, k] * B[.., j, k]`` and what is fused to it.

    The loop nest::

        for .., i, j:
          partial[lanes] = 0                     # in a register
          for ko:
            partial[:] += A[.., i, ko, :] * B[.., j, ko, :]
          C = epilogue(sum(partial))
    """
    output = inline_all_but_last(sch, keep=_is_reduction)
    if output is None:
        output = sch.cache_write(sch.get_sblock("dot"), 0, "global")
    _reduce_at(sch, sch.fuse(*sch.get_loops(output)), cpu)


def _reduce_at(sch: s_tir.Schedule, row: s_tir.schedule.LoopRV, cpu: Cpu) -> None:
    """Computes every reduction inside the outermost loop `row`: lanes apart first, then over the lanes."""
    reductions = [block for block in sch.get_child_blocks(sch.get_sblock("root")) if _is_reduction(sch, block)]
    for block in reversed(reductions):
        *_, k = sch.get_loops(block)
        _, lane = sch.split(k, [None, vector_width(int(sch.get(k).extent), cpu)])
        partial = sch.rfactor(lane, factor_axis=0)
        for part in (block, partial):
            sch.compute_at(part, row, preserve_unit_loops=True)
            sch.set_scope(part, 0, "global")
        lane, *_, step = sch.get_loops(partial)[1:]
        sch.reorder(step, lane)
        sch.vectorize(lane)
        sch.decompose_reduction(partial, step)


def _is_reduction(sch: s_tir.Schedule, block: s_tir.schedule.SBlockRV) -> bool:
    return sch.get(block).init is not None

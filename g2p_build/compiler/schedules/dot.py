"""Products with a transposed operand: many dot products of contiguous vectors."""

from __future__ import annotations

from tvm import s_tir

from g2p_build.compiler.schedules.cpu import Cpu, divisor
from g2p_build.compiler.schedules.elementwise import inline_all_but_last
from g2p_build.compiler.schedules.rows import split_reduction

__all__ = ["schedule_dot"]


def schedule_dot(sch: s_tir.Schedule, cpu: Cpu) -> None:
    """Schedules ``C[.., i, j] = sum_k A[.., i, k] * B[.., j, k]`` and what is fused to it.

    The loop nest::

        for .., i, j:
          partial[lanes] = 0                     # in a register
          for ko:
            partial[:] += A[.., ko, :] * B[.., ko, :]
          C = epilogue(sum(partial))
    """
    output = inline_all_but_last(sch, keep="dot")
    dot = sch.get_sblock("dot")
    partial = split_reduction(sch, dot, cpu)
    if output is None:
        output = dot
    else:
        sch.reverse_compute_at
    raise NotImplementedError

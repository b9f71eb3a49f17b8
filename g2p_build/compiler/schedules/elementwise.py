"""Kernels in which each output element depends on no other."""

from __future__ import annotations

from tvm import s_tir

from g2p_build.compiler.schedules.cpu import Cpu

__all__ = ["inline_all_but_last", "schedule_elementwise"]


def schedule_elementwise(sch: s_tir.Schedule, cpu: Cpu) -> None:
    """Makes one loop nest of a chain of elementwise blocks; LLVM vectorises its innermost loop."""
    inline_all_but_last(sch)


def inline_all_but_last(sch: s_tir.Schedule, keep: str | None = None) -> s_tir.schedule.SBlockRV | None:
    """Inlines every block into its consumers except the last and the one named `keep`.

    Returns:
        The last block, or None where that is `keep`.
    """
    *inner, last = sch.get_child_blocks(sch.get_sblock("root"))
    for block in inner:
        if sch.get(block).name_hint != keep:
            sch.compute_inline(block)
    return None if sch.get(last).name_hint == keep else last

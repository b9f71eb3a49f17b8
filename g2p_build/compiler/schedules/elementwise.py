"""Kernels in which each output element depends on no other."""

from __future__ import annotations

from collections.abc import Callable

from tvm import s_tir

__all__ = ["inline_all_but_last", "schedule_elementwise"]


def schedule_elementwise(sch: s_tir.Schedule) -> None:
    """Makes one loop nest of a chain of blocks; LLVM vectorises its innermost loop where that pays."""
    inline_all_but_last(sch, keep=lambda *_: False)


def inline_all_but_last(
    sch: s_tir.Schedule, keep: Callable[[s_tir.Schedule, s_tir.schedule.SBlockRV], bool]
) -> s_tir.schedule.SBlockRV | None:
    """Inlines every block into its consumers, except the last one and those that `keep` picks.

    Returns:
        The last block, or None where `keep` picks that too.
    """
    *inner, last = sch.get_child_blocks(sch.get_sblock("root"))
    for block in inner:
        if not keep(sch, block):
            sch.compute_inline(block)
    return None if keep(sch, last) else last

"""Matmuls with accumulators in registers."""

from __future__ import annotations

from tvm import s_tir

from g2p_build.compiler.schedules.cpu import Cpu, divisor
from g2p_build.compiler.schedules.elementwise import inline_all_but_last

__all__ = ["schedule_matmul"]


def schedule_matmul(sch: s_tir.Schedule, cpu: Cpu) -> None:
    """Schedules ``C[.., i, j] = sum_k A[.., i, k] * B[.., k, j]`` and what is fused to it.

    The loop nest, for a tile of `rows` x `columns` (columns being a few vectors)::

        for ..:                                  # outer axes: batch and heads
          for jo, io:                            # a panel of B stays in cache while io passes over A
            tile[rows, columns] = 0              # in registers
            for k:
              for i in rows (unrolled):          # B's vectors are loaded once for all rows
                tile[i, :] += A[.., k] * B[.., k, :]
            for i in rows (unrolled):
              C[.., :] = epilogue(tile[i, :])

    The order of additions is the same for every row, whatever the number of rows. Tiles divide the extents evenly: an
    extent without a divisor near the wanted size gets smaller or odd vectors, which is slower and still right.
    """
    output = inline_all_but_last(sch, keep="matmul")
    matmul = sch.get_sblock("matmul")
    if output is None:
        output = sch.cache_write(matmul, 0, "local")
    *_, i, j = sch.get_loops(output)
    rows = divisor(int(sch.get(i).extent), 8)
    columns = divisor(int(sch.get(j).extent), max(cpu.accumulators // rows, 1) * cpu.lanes, cpu.lanes)
    io, ii = sch.split(i, [None, rows])
    jo, ji = sch.split(j, [None, columns])
    sch.reorder(jo, io, ii, ji)
    sch.compute_at(matmul, io, preserve_unit_loops=True)
    sch.set_scope(matmul, 0, "local")
    *_, mi, mj, k = sch.get_loops(matmul)
    sch.reorder(k, mi, mj)
    for row, column in ((ii, ji), (mi, mj)):
        sch.unroll(row)
        sch.vectorize(column)
    sch.decompose_reduction(matmul, k)

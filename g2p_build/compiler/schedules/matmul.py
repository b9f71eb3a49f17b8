"""Matmuls with accumulators in registers."""

from __future__ import annotations

import math

from tvm import s_tir

from g2p_build.compiler.schedules.cpu import Cpu, divisor, vector_width
from g2p_build.compiler.schedules.elementwise import inline_all_but_last

__all__ = ["schedule_matmul"]


def schedule_matmul(sch: s_tir.Schedule, cpu: Cpu) -> None:
    """Schedules ``C[.., i, j] = sum_k A[.., i, k] * B[.., k, j]`` and what is fused to it.

    The loop nest, whose tile is `rows` by `vectors * lanes`::

        for ..:                                  # outer axes: batch and heads
          for jo, io:                            # a panel of B stays in cache while io passes over A
            tile[rows, vectors, lanes] = 0       # in registers
            for k:
              for i in rows, v in vectors:       # unrolled; B's vectors are loaded once for all rows
                tile[i, v, :] += A[.., k] * B[.., k, :]
            for i in rows, v in vectors:
              C[.., :] = epilogue(tile[i, v, :])

    The order of additions is the same for every row, whatever the number of rows. Tiles divide the extents evenly: an
    extent without a divisor near the wanted size gets smaller or odd vectors, which is slower and still right.
    """
    output = inline_all_but_last(sch, keep=lambda sch, block: sch.get(block).name_hint == "matmul")
    matmul = sch.get_sblock("matmul")
    if output is None:
        output = sch.cache_write(matmul, 0, "global")
    *_, i, j = sch.get_loops(output)
    row_count, column_count = int(sch.get(i).extent), int(sch.get(j).extent)
    lanes = vector_width(column_count, cpu)
    tiles = max(cpu.accumulators // math.ceil(lanes / cpu.lanes), 1)
    rows = divisor(row_count, min(tiles, cpu.rows))
    vectors = divisor(column_count // lanes, tiles // rows)
    io, ii = sch.split(i, [None, rows])
    jo, jv, ji = sch.split(j, [None, vectors, lanes])
    sch.reorder(jo, io, ii, jv, ji)
    sch.compute_at(matmul, io, preserve_unit_loops=True)
    sch.set_scope(matmul, 0, "global")
    *_, mi, mj, k = sch.get_loops(matmul)
    mv, mj = sch.split(mj, [vectors, lanes])
    sch.reorder(k, mi, mv, mj)
    for row, vector, column in ((ii, jv, ji), (mi, mv, mj)):
        sch.unroll(row)
        sch.unroll(vector)
        sch.vectorize(column)
    sch.decompose_reduction(matmul, k)

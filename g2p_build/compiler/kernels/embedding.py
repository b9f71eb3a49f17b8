"""Kernels that read rows of tables."""

from __future__ import annotations

from tvm import tirx

from g2p_build.compiler.kernels.code import Code, Value, constant, load, ramp, segments, tensor
from g2p_build.compiler.kernels.cpu import Cpu

__all__ = ["embed", "spread_bias"]


def embed(vocabulary: int, width: int, dtype: str, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (ids int32 [M], table [V, D] of `dtype`, result float32 [M, D]).

    It does ``result[i, :] = table[ids[i], :]``.
    """
    code, count = Code(), tirx.Var("rows", "int32")
    ids, table = tensor("ids", (count,), "int32"), tensor("table", (vocabulary, width), dtype)
    result = tensor("result", (count, width))
    with code.loop(count, "i") as i:
        # No id may read outside of the table, so those out of range get the nearest row.
        row = code.let(tirx.min(tirx.max(load(ids, i), constant(0)), constant(vocabulary - 1)), "row")

        def vector(column: Value, lanes: int) -> None:
            code.store(result, load(table, row, ramp(column, lanes)), i, ramp(column, lanes))

        whole = width // cpu.lanes * cpu.lanes
        with code.loop(whole // cpu.lanes, "j") as j:
            vector(j * cpu.lanes, cpu.lanes)
        for column, lanes in segments(width - whole, cpu.lanes):
            vector(whole + column, lanes)
    return code.kernel(f"embed_{width}", [ids, table, result])


def spread_bias(buckets: int, heads: int, dtype: str) -> tirx.PrimFunc:
    """The kernel (bucket int32 [n], table [buckets, H] of `dtype`, result float32 [H, n]).

    It does ``result[h, i] = table[bucket[i], h]``.
    """
    code, count = Code(), tirx.Var("distances", "int32")
    bucket, table = tensor("bucket", (count,), "int32"), tensor("table", (buckets, heads), dtype)
    result = tensor("result", (heads, count))
    with code.loop(heads, "h") as h, code.loop(count, "i") as i:
        code.store(result, load(table, load(bucket, i), h), h, i)
    return code.kernel("spread_bias", [bucket, table, result])

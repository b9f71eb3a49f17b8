"""Reads of tables become kernels."""

from __future__ import annotations

from tvm import relax

from g2p_build.compiler.kernels.cpu import cpu_of
from g2p_build.compiler.kernels.embedding import embed, spread_bias
from g2p_build.compiler.rewrites.calls import Kernels, extents

__all__ = ["lower_embed", "lower_spread_bias"]


def lower_embed(kernels: Kernels, call: relax.Call) -> relax.Expr:
    """``embed(ids, table)``."""
    ids, table = call.args[1]
    (vocabulary, width), dtype = extents(table), str(table.ty.dtype)
    key = ("embed", vocabulary, width, dtype)
    return kernels.call(lambda: embed(vocabulary, width, dtype, cpu_of(kernels.target)), key, [ids, table], [call.ty])


def lower_spread_bias(kernels: Kernels, call: relax.Call) -> relax.Expr:
    """``spread_bias(buckets, table)``."""
    buckets, table = call.args[1]
    (rows, heads), dtype = extents(table), str(table.ty.dtype)
    key = ("spread_bias", rows, heads, dtype)
    return kernels.call(lambda: spread_bias(rows, heads, dtype), key, [buckets, table], [call.ty])

"""Reads of tables become kernels."""

from __future__ import annotations

import tvm
from tvm import relax

from g2p_build.compiler.kernels.embedding import embed, spread_bias
from g2p_build.compiler.passes.lowering import Kernels, extents, lower

__all__ = ["LowerEmbeddings"]


@tvm.transform.module_pass(opt_level=0, name="LowerEmbeddings")
class LowerEmbeddings:
    """Replaces ``embed(ids, table)`` and ``spread_bias(buckets, table)`` of `g2p_build.models.ops`."""

    def transform_module(self, module: tvm.IRModule, _: tvm.transform.PassContext) -> tvm.IRModule:
        return lower(module, {"embed": _embed, "spread_bias": _spread_bias})


def _embed(kernels: Kernels, call: relax.Call) -> relax.Expr:
    ids, table = call.args[1]
    (vocabulary, width), dtype = extents(table), str(table.ty.dtype)
    key = ("embed", vocabulary, width, dtype)
    return kernels.call(lambda: embed(vocabulary, width, dtype, kernels.cpu), key, [ids, table], [call.ty])


def _spread_bias(kernels: Kernels, call: relax.Call) -> relax.Expr:
    buckets, table = call.args[1]
    (rows, heads), dtype = extents(table), str(table.ty.dtype)
    key = ("spread_bias", rows, heads, dtype)
    return kernels.call(lambda: spread_bias(rows, heads, dtype), key, [buckets, table], [call.ty])

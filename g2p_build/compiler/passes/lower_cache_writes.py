"""Cache writes become kernels that write into the caller's buffer."""

from __future__ import annotations

import tvm
from tvm import ir, relax
from tvm.relax.expr_functor import PyExprMutator, mutator
from tvm.script import tirx as T

__all__ = ["WRITE_CACHE", "LowerCacheWrites"]

WRITE_CACHE = "g2p.write_cache"
"""What the exporter calls for `g2p_build.models.layers.write_cache`: (new, position, cache) to the updated cache."""


@tvm.transform.module_pass(opt_level=0, name="LowerCacheWrites")
class LowerCacheWrites:
    """Replaces every ``call_dps_packed("g2p.write_cache", (new, position, cache))`` by a kernel called in place.

    A functional update would copy a whole cache for every token; the kernel touches only the new positions.
    """

    def transform_module(self, module: tvm.IRModule, _: tvm.transform.PassContext) -> tvm.IRModule:
        lowering = _Lowering(module)
        for name, function in module.functions_items():
            if isinstance(function, relax.Function):
                lowering.builder_.update_func(name, lowering.visit_expr(function))
        return lowering.builder_.get()


@mutator
class _Lowering(PyExprMutator):
    def visit_call_(self, call: relax.Call) -> relax.Expr:
        call = super().visit_call_(call)
        if call.op != ir.Op.get("relax.call_dps_packed") or call.args[0].global_symbol != WRITE_CACHE:
            return call
        new, _, cache = call.args[1]
        kernel = self.builder_.add_func(_kernel(_extents(new), _extents(cache)[2]), "write_cache")
        return relax.op.call_tir_inplace(kernel, call.args[1], inplace_indices=[2], out_ty=cache.ty)


def _extents(tensor: relax.Expr) -> list[int]:
    return [int(extent) for extent in tensor.ty.shape]


def _kernel(extents: list[int], length: int) -> tvm.tirx.PrimFunc:
    """``cache[b, h, position[b] + t, d] = new[b, h, t, d]``, where that is inside the cache."""
    rows, heads, tokens, width = extents

    @T.prim_func(private=True, s_tir=True)
    def write_cache(  # type: ignore[no-untyped-def]
        new: T.Buffer((rows, heads, tokens, width), "float32"),  # type: ignore[valid-type]
        position: T.Buffer((rows,), "int32"),  # type: ignore[valid-type]
        cache: T.Buffer((rows, heads, length, width), "float32"),  # type: ignore[valid-type]
    ):
        T.func_attr({"tirx.noalias": True})
        for b, h, t, d in T.grid(rows, heads, tokens, width):
            with T.sblock("write_cache"):
                vb, vh, vt, vd = T.axis.remap("SSSS", [b, h, t, d])
                if position[vb] + vt >= 0 and position[vb] + vt < length:
                    cache[vb, vh, position[vb] + vt, vd] = new[vb, vh, vt, vd]

    return write_cache

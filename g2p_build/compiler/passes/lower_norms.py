"""RMSNorms that no matmul follows become kernels."""

from __future__ import annotations

import tvm
from tvm import relax

from g2p_build.compiler.kernels.norm import norm
from g2p_build.compiler.passes.lowering import Kernels, extents, lower

__all__ = ["LowerNorms"]


@tvm.transform.module_pass(opt_level=0, name="LowerNorms")
class LowerNorms:
    """Replaces ``norm(rows, weight, epsilon)`` of `g2p_build.models.ops`."""

    def transform_module(self, module: tvm.IRModule, _: tvm.transform.PassContext) -> tvm.IRModule:
        return lower(module, {"norm": _norm})


def _norm(kernels: Kernels, call: relax.Call) -> relax.Expr:
    rows, weight, epsilon = call.args[1]
    key = (extents(rows)[1], str(weight.ty.dtype), float(epsilon))
    return kernels.call(lambda: norm(*key, kernels.cpu), key, [rows, weight], [call.ty])

"""Matmuls become kernels that read their second operand as it is stored."""

from __future__ import annotations

import tvm
from tvm import ir, relax, te
from tvm.relax.expr_functor import PyExprMutator, mutator

__all__ = ["LowerMatmuls"]

OUT_ELEMWISE_FUSABLE = 4
"""Relax's pattern kind for kernels whose result elementwise kernels may be fused to."""

FEW_ROWS = 4
"""Up to so many rows, reading a transposed operand in place is cheaper than transposing it first."""


@tvm.transform.module_pass(opt_level=0, name="LowerMatmuls")
class LowerMatmuls:
    """Replaces ``relax.matmul`` by kernels in one of two forms, which `schedules` knows by the name of their block.

    - ``matmul``: C[.., i, j] = sum_k A[.., i, k] * B[.., k, j]. Where B is a half-precision weight converted to
      float32, the kernel converts as it reads: a float32 copy would be written and read back at every call.
    - ``dot``: C[.., i, j] = sum_k A[.., i, k] * B[.., j, k], where B is a transposed tensor and A has few rows
      (attention's scores in a decoding step, over a cache).
    """

    def transform_module(self, module: tvm.IRModule, _: tvm.transform.PassContext) -> tvm.IRModule:
        lowering = _Lowering(module)
        for name, function in module.functions_items():
            if isinstance(function, relax.Function):
                lowering.builder_.update_func(name, lowering.visit_expr(function))
        return relax.transform.DeadCodeElimination()(lowering.builder_.get())


@mutator
class _Lowering(PyExprMutator):
    def visit_call_(self, call: relax.Call) -> relax.Expr:
        call = super().visit_call_(call)
        if call.op != ir.Op.get("relax.matmul"):
            return call
        left, right = call.args
        stored = self.lookup_binding(right) if isinstance(right, relax.Var) else None
        compute = _matmul
        if isinstance(stored, relax.Call) and stored.op == ir.Op.get("relax.astype"):
            right = stored.args[0]
        elif isinstance(stored, relax.Call) and _swaps_last_two(stored) and int(left.ty.shape[-2]) <= FEW_ROWS:
            right, compute = stored.args[0], _dot
        return self.builder_.call_te(
            compute,
            left,
            right,
            primfunc_name_hint=compute.__name__.strip("_"),
            primfunc_attrs={"op_pattern": OUT_ELEMWISE_FUSABLE},
        )


def _swaps_last_two(call: relax.Call) -> bool:
    if call.op != ir.Op.get("relax.permute_dims"):
        return False
    axes = [int(axis) for axis in call.attrs.axes]
    identity = list(range(len(axes)))
    return axes == [*identity[:-2], identity[-1], identity[-2]]


def _matmul(left: te.Tensor, right: te.Tensor) -> te.Tensor:
    *outer, rows, inner = left.shape
    k = te.reduce_axis((0, inner), "k")

    def product(*indices: tvm.tirx.Var) -> tvm.tirx.Expr:
        *batch, i, j = indices
        return te.sum(left(*batch, i, k) * right(*batch, k, j).astype("float32"), axis=k)

    return te.compute((*outer, rows, right.shape[-1]), product, name="matmul")


def _dot(left: te.Tensor, right: te.Tensor) -> te.Tensor:
    *outer, rows, inner = left.shape
    k = te.reduce_axis((0, inner), "k")

    def product(*indices: tvm.tirx.Var) -> tvm.tirx.Expr:
        *batch, i, j = indices
        return te.sum(left(*batch, i, k) * right(*batch, j, k), axis=k)

    return te.compute((*outer, rows, right.shape[-2]), product, name="dot")

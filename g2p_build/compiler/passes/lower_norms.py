"""RMSNorm becomes one kernel."""

from __future__ import annotations

import tvm
from tvm import ir, relax, te
from tvm.relax.expr_functor import PyExprMutator, mutator

__all__ = ["LowerNorms"]


@tvm.transform.module_pass(opt_level=0, name="LowerNorms")
class LowerNorms:
    """Replaces ``relax.nn.rms_norm`` over the last axis of a matrix by a kernel.

    out[i, j] = weight[j] * (x[i, j] * rsqrt(mean_k(x[i, k] ** 2) + epsilon)), the weight converted as it is read.
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
        if call.op != ir.Op.get("relax.nn.rms_norm"):
            return call
        rows, weight = call.args
        stored = self.lookup_binding(weight) if isinstance(weight, relax.Var) else None
        if isinstance(stored, relax.Call) and stored.op == ir.Op.get("relax.astype"):
            weight = stored.args[0]
        return self.builder_.call_te(_rms_norm, rows, weight, float(call.attrs.epsilon), primfunc_name_hint="rms_norm")


def _rms_norm(rows: te.Tensor, weight: te.Tensor, epsilon: float) -> te.Tensor:
    count, width = rows.shape
    k = te.reduce_axis((0, width), "k")
    squares = te.compute((count,), lambda i: te.sum(rows[i, k] * rows[i, k], axis=k), name="squares")
    scale = te.compute(
        (count,),
        lambda i: tvm.tirx.rsqrt(squares[i] / width.astype("float32") + tvm.tirx.const(epsilon, "float32")),
        name="scale",
    )
    return te.compute((count, width), lambda i, j: weight[j].astype("float32") * (rows[i, j] * scale[i]), name="normed")

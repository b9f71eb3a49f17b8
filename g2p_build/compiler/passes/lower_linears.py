"""Linear layers become matmuls with packed weights."""

from __future__ import annotations

import tvm
from tvm import relax

from g2p_build.compiler.kernels.matmul import Matmul, matmul
from g2p_build.compiler.passes.lowering import Kernels, extents, float32, lower

__all__ = ["LowerLinears"]


@tvm.transform.module_pass(opt_level=0, name="LowerLinears")
class LowerLinears:
    """Replaces `linear` and `project` of `g2p_build.models.ops`, each with all that it does by one kernel.

    ``linear(rows, weight, columns, epsilon, activation[, residual])``, ``project(rows, weight, columns, epsilon)``.
    """

    def transform_module(self, module: tvm.IRModule, _: tvm.transform.PassContext) -> tvm.IRModule:
        return lower(module, {"linear": _linear, "project": _project})


def _linear(kernels: Kernels, call: relax.Call) -> relax.Expr:
    rows, weight, columns, epsilon, activation, *residual = call.args[1]
    spec = Matmul(
        inner=extents(rows)[1],
        columns=int(columns),
        dtype=str(weight.ty.dtype),
        epsilon=float(epsilon),
        activation=str(activation.value),
        residual=bool(residual),
    )
    return kernels.call(lambda: matmul(spec, kernels.cpu), spec, [rows, weight, *residual], [call.ty])


def _project(kernels: Kernels, call: relax.Call) -> relax.Expr:
    rows, weight, columns, epsilon = call.args[1]
    count, inner = extents(rows)
    spec = Matmul(inner, int(columns), str(weight.ty.dtype), float(epsilon), argmax=True)
    outputs = [float32(count, spec.columns), relax.TensorType((count,), "int32")]
    return kernels.call(lambda: matmul(spec, kernels.cpu), spec, [rows, weight], outputs)

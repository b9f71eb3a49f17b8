"""Linear layers become matmuls with packed weights."""

from __future__ import annotations

import tvm
from tvm import relax

from g2p_build.compiler.kernels.matmul import Matmul, matmul
from g2p_build.compiler.passes.lowering import Kernels, extents, float32, lower, operation

__all__ = ["LowerLinears", "matmul_of"]


@tvm.transform.module_pass(opt_level=0, name="LowerLinears")
class LowerLinears:
    """Replaces `linear` and `project` of `g2p_build.models.ops`, each with all that it does by one kernel.

    ``linear(rows, weight, columns, epsilon, activation[, residual])``, ``project(rows, weight, columns, epsilon)``.
    """

    def transform_module(self, module: tvm.IRModule, _: tvm.transform.PassContext) -> tvm.IRModule:
        return lower(module, {"linear": _linear, "project": _project})


def matmul_of(call: relax.Call) -> Matmul:
    """What the kernel for a call of `linear` or `project` is made for."""
    rows, weight, columns, epsilon, *more = call.args[1]
    common = (extents(rows)[1], int(columns), str(weight.ty.dtype), float(epsilon))
    if operation(call) == "project":
        return Matmul(*common, argmax=True)
    activation, *residual = more
    return Matmul(*common, activation=str(activation.value), residual=bool(residual))


def _linear(kernels: Kernels, call: relax.Call) -> relax.Expr:
    rows, weight, _, _, _, *residual = call.args[1]
    spec = matmul_of(call)
    return kernels.call(lambda: matmul(spec, kernels.cpu), spec, [rows, weight, *residual], [call.ty])


def _project(kernels: Kernels, call: relax.Call) -> relax.Expr:
    rows, weight, _, _ = call.args[1]
    count, spec = extents(rows)[0], matmul_of(call)
    outputs = [float32(count, spec.columns), relax.TensorType((count,), "int32")]
    return kernels.call(lambda: matmul(spec, kernels.cpu), spec, [rows, weight], outputs)

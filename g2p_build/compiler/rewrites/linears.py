"""Linear layers become matmuls with packed weights: one kernel a layer, with its norm, activation or residual."""

from __future__ import annotations

from tvm import relax

from g2p_build.compiler.kernels.cpu import cpu_of
from g2p_build.compiler.kernels.matmul import Matmul, matmul
from g2p_build.compiler.rewrites.calls import Kernels, extents, float32, operation

__all__ = ["lower_linear", "lower_project", "matmul_of"]


def matmul_of(call: relax.Call) -> Matmul:
    """What the kernel for a call of `linear` or `project` is made for."""
    rows, weight, columns, epsilon, *more = call.args[1]
    common = (extents(rows)[1], int(columns), str(weight.ty.dtype), float(epsilon))
    if operation(call) == "project":
        return Matmul(*common, argmax=True)
    activation, *residual = more
    return Matmul(*common, activation=str(activation.value), residual=bool(residual))


def lower_linear(kernels: Kernels, call: relax.Call) -> relax.Expr:
    """``linear(rows, weight, columns, epsilon, activation[, residual])``."""
    rows, weight, _, _, _, *residual = call.args[1]
    spec = matmul_of(call)
    return kernels.call(lambda: matmul(spec, cpu_of(kernels.target)), spec, [rows, weight, *residual], [call.ty])


def lower_project(kernels: Kernels, call: relax.Call) -> relax.Expr:
    """``project(rows, weight, columns, epsilon)``, the search for the greatest included."""
    rows, weight, _, _ = call.args[1]
    count, spec = extents(rows)[0], matmul_of(call)
    outputs = [float32(count, spec.columns), relax.TensorType((count,), "int32")]
    return kernels.call(lambda: matmul(spec, cpu_of(kernels.target)), spec, [rows, weight], outputs)

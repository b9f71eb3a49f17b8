"""Linear layers become matmuls with packed weights: one kernel for all, told of their norm, activation or residual."""

from __future__ import annotations

from tvm import relax

from g2p_build.compiler.kernels.argmax import argmax
from g2p_build.compiler.kernels.cpu import cpu_of
from g2p_build.compiler.kernels.matmul import Matmul, matmul
from g2p_build.compiler.rewrites.calls import Kernels, extents, float32, numbers, operation

__all__ = ["lower_linear", "lower_project", "matmul_of"]


def matmul_of(call: relax.Call) -> Matmul:
    """What the kernel for a call of `linear` or `project` is told."""
    rows, weight, columns, epsilon, *more = call.args[1]
    common = (extents(rows)[1], int(columns), str(weight.ty.dtype), float(epsilon))
    if operation(call) == "project":
        return Matmul(*common)
    activation, *residual = more
    return Matmul(*common, activation=str(activation.value), residual=bool(residual))


def lower_linear(kernels: Kernels, call: relax.Call) -> relax.Expr:
    """``linear(rows, weight, columns, epsilon, activation[, residual])``."""
    return _multiplied(kernels, call, call.ty)


def lower_project(kernels: Kernels, call: relax.Call) -> relax.Expr:
    """``project(rows, weight, columns, epsilon)``, the search for the greatest included."""
    count, columns = extents(call.args[1][0])[0], matmul_of(call).columns
    logits = kernels.builder.emit(_multiplied(kernels, call, float32(count, columns)))
    ids = kernels.call(
        lambda: argmax(cpu_of(kernels.target)), "argmax", [logits], [relax.TensorType((count,), "int32")]
    )
    return relax.Tuple([logits, kernels.builder.emit(ids)])


def _multiplied(kernels: Kernels, call: relax.Call, result: relax.TensorType) -> relax.Call:
    rows, weight, _, _, *more = call.args[1]
    residual = more[1] if len(more) > 1 else rows  # the rows stand for what there is not
    spec, cpu = matmul_of(call), cpu_of(kernels.target)
    made_for = spec.made_for(cpu)
    tensors = [rows, weight, residual, numbers(*spec.numbers(cpu))]
    return kernels.call(lambda: matmul(*made_for, cpu), ("matmul", *made_for), tensors, [result])

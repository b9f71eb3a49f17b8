"""RMSNorms that no matmul follows become one kernel each."""

from __future__ import annotations

from tvm import relax

from g2p_build.compiler.kernels.cpu import cpu_of
from g2p_build.compiler.kernels.norm import norm
from g2p_build.compiler.rewrites.calls import Kernels, extents

__all__ = ["lower_norm"]


def lower_norm(kernels: Kernels, call: relax.Call) -> relax.Expr:
    """``norm(rows, weight, epsilon)``."""
    rows, weight, epsilon = call.args[1]
    made_for = (extents(rows)[1], str(weight.ty.dtype), float(epsilon))
    return kernels.call(lambda: norm(*made_for, cpu_of(kernels.target)), ("norm", *made_for), [rows, weight], [call.ty])

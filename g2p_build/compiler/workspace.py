"""How much memory a planned function needs besides its arguments."""

from __future__ import annotations

from tvm import relax

from g2p_build.compiler.linear import Linear, linear

__all__ = ["ALIGNMENT", "storage_bytes", "workspace_bytes"]

ALIGNMENT = 64
"""Bytes. Every tensor begins at a multiple of it. It is G2P_ALIGNMENT in program.h."""


def storage_bytes(value: relax.Expr) -> Linear | None:
    """The bytes of the workspace that a binding's value takes, a multiple of `ALIGNMENT`; None if it takes none."""
    if isinstance(value, relax.Call) and getattr(value.op, "name", "") == "relax.memory.alloc_storage":
        [size] = value.args[0].values
        return linear(size).rounded_up(ALIGNMENT)
    return None


def workspace_bytes(function: relax.Function) -> Linear:
    """The bytes of workspace that a function needs, after the phase "plan"."""
    values = (binding.value for block in function.body.blocks for binding in block.bindings)
    return sum((storage_bytes(value) or Linear() for value in values), Linear())

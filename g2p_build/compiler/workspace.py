"""How much memory a planned function needs besides its arguments."""

from __future__ import annotations

import math

from tvm import relax

__all__ = ["ALIGNMENT", "storage_bytes", "workspace_bytes"]

ALIGNMENT = 64
"""Bytes. Every tensor begins at a multiple of it. It is G2P_ALIGNMENT in program.h."""


def storage_bytes(value: relax.Expr) -> int | None:
    """The bytes of the workspace that a binding's value takes, a multiple of `ALIGNMENT`; None if it takes none."""
    if isinstance(value, relax.Call) and getattr(value.op, "name", "") == "relax.memory.alloc_storage":
        size = math.prod(int(extent) for extent in value.args[0].values)
        return -(-size // ALIGNMENT) * ALIGNMENT
    return None


def workspace_bytes(function: relax.Function) -> int:
    """The bytes of workspace that a function needs, after the phase "plan"."""
    values = (binding.value for block in function.body.blocks for binding in block.bindings)
    return sum(storage_bytes(value) or 0 for value in values)

"""How much memory a planned function works in, besides what it is given."""

from __future__ import annotations

import math

from tvm import relax

__all__ = ["ALIGNMENT", "storage_bytes", "workspace_bytes"]

ALIGNMENT = 64
"""Bytes: of every tensor; G2P_ALIGNMENT in program.h."""


def storage_bytes(value: relax.Expr) -> int | None:
    """The bytes that a binding's value takes of the workspace, if it takes any: a multiple of `ALIGNMENT`."""
    if isinstance(value, relax.Call) and getattr(value.op, "name", "") == "relax.memory.alloc_storage":
        size = math.prod(int(extent) for extent in value.args[0].values)
        return -(-size // ALIGNMENT) * ALIGNMENT
    return None


def workspace_bytes(function: relax.Function) -> int:
    """The workspace of a function after the phase "plan"."""
    values = (binding.value for block in function.body.blocks for binding in block.bindings)
    return sum(storage_bytes(value) or 0 for value in values)

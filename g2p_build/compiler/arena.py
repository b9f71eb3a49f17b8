"""Where a function's tensors lie in its workspace: those that are never needed together share memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import tvm
from tvm import relax, tirx

from g2p_build.compiler.kernels.code import SCRATCH
from g2p_build.compiler.linear import Linear, linear

__all__ = ["ALIGNMENT", "Arena", "plan"]

ALIGNMENT = 64
"""Bytes. Every tensor begins at a multiple of it. It is G2P_ALIGNMENT in program.h."""

_BYTES = {"float64": 8, "float32": 4, "int32": 4, "float16": 2, "uint16": 2, "int8": 1}


@dataclass(frozen=True)
class Arena:
    """A function's workspace.

    Attributes:
        size: In bytes.
        offsets: Of each tensor that lies in it, by the variable that it is allocated for.
    """

    size: Linear
    offsets: Mapping[relax.Var, Linear]


@dataclass
class _Slot:
    """Memory for one tensor at a time."""

    size: Linear
    tensors: list[relax.Var] = field(default_factory=list)


def plan(function: relax.Function, kernels: Mapping[str, tirx.PrimFunc]) -> Arena:
    """Lays out the tensors that a function allocates (``relax.builtin.alloc_tensor``) and does not return.

    Sizes may vary with what the function is told, so there are no fixed addresses to fit tensors to. Each tensor gets a
    slot for as long as it is needed: a free one that it fits, else the free one that has to grow least, else a new one.
    The slots lie one after the other.

    Args:
        function: After `relax.transform.CallTIRRewrite`.
        kernels: What it calls. Scratch memory of their parameters named `SCRATCH` is not the function's.
    """
    bindings = [binding for block in function.body.blocks for binding in block.bindings]
    roots: dict[relax.Var, list[relax.Var]] = {}  # a variable to the tensors that it is, or that are in it
    parts: dict[relax.Var, list[list[relax.Var]]] = {}  # a tuple to those of each of its parts
    last: dict[relax.Var, int] = {}
    elsewhere: set[relax.Var] = set()
    for number, binding in enumerate(bindings):
        if _allocated(binding.value) is not None:
            roots[binding.var] = [binding.var]
            last[binding.var] = number
            continue
        used = _used(binding.value, roots, parts)
        last |= dict.fromkeys(used, number)
        if _is_kernel(binding.value):
            params = kernels[binding.value.op.name_hint].params
            for buffer, argument in zip(params, binding.value.args, strict=True):
                if buffer.name == SCRATCH:
                    elsewhere.update(roots[argument])
        else:
            roots[binding.var] = used
            if isinstance(binding.value, relax.Tuple):
                parts[binding.var] = [_used(item, roots, parts) for item in binding.value.fields]
    elsewhere.update(_used(function.body.body, roots, parts))
    slots: list[_Slot] = []
    free: list[_Slot] = []
    held: dict[relax.Var, _Slot] = {}
    for number, binding in enumerate(bindings):
        size = _allocated(binding.value)
        if size is not None and binding.var not in elsewhere:
            slot = _chosen(free, size)
            if slot is None:
                slot = _Slot(size)
                slots.append(slot)
            else:
                free.remove(slot)
                slot.size = slot.size.most(size)
            slot.tensors.append(binding.var)
            held[binding.var] = slot
        for root in [root for root in held if last[root] == number]:
            free.append(held.pop(root))
    offsets: dict[relax.Var, Linear] = {}
    start = Linear()
    for slot in slots:
        offsets |= dict.fromkeys(slot.tensors, start)
        start = start + slot.size
    return Arena(start, offsets)


def _allocated(value: relax.Expr) -> Linear | None:
    """The bytes of the tensor that a binding's value allocates; None if it allocates none."""
    if not isinstance(value, relax.Call) or getattr(value.op, "name", "") != "relax.builtin.alloc_tensor":
        return None
    size = Linear(_BYTES[str(value.args[1].value)])
    for extent in value.args[0].values:
        size = size.times(linear(extent))
    return size.rounded_up(ALIGNMENT)


def _chosen(free: list[_Slot], size: Linear) -> _Slot | None:
    def growth(slot: _Slot) -> tuple[int, int, int, int]:
        grown, fits = slot.size.most(size), slot.size
        # First what it grows by, then what it leaves unused.
        return (*_weight(grown, fits), *_weight(fits, size))

    best = min(free, key=growth, default=None)
    if best is None or _weight(best.size.most(size), best.size) >= _weight(size, Linear()):
        return None
    return best


def _weight(more: Linear, less: Linear) -> tuple[int, int]:
    """How much more one size is: in what varies, then in what does not."""
    return (
        sum(scale for _, scale in more.each) - sum(scale for _, scale in less.each),
        more.constant - less.constant,
    )


def _used(
    value: Any, roots: Mapping[relax.Var, list[relax.Var]], parts: Mapping[relax.Var, list[list[relax.Var]]]
) -> list[relax.Var]:
    """The tensors that an expression needs."""
    if isinstance(value, relax.TupleGetItem) and value.tuple_value in parts:
        return parts[value.tuple_value][value.index]
    return [root for variable in _variables(value) for root in roots.get(variable, ())]


def _is_kernel(value: relax.Expr) -> bool:
    return isinstance(value, relax.Call) and isinstance(value.op, tvm.ir.GlobalVar)


def _variables(value: Any) -> Iterator[relax.Var]:
    if isinstance(value, relax.Var):
        yield value
    elif isinstance(value, relax.Tuple):
        for item in value.fields:
            yield from _variables(item)
    elif isinstance(value, relax.TupleGetItem):
        yield from _variables(value.tuple_value)
    elif isinstance(value, relax.Call):
        for argument in value.args:
            yield from _variables(argument)

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
    slot that is free for as long as it is needed: one that it fits, else the one that has to grow least, else a new
    one. The slots lie one after the other. Tensors come in the order in which they are needed, or the largest ones
    first (the "greedy by size" of Pisarchyk and Lee, 2020, for shared objects): whichever takes less.

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
    needed: dict[relax.Var, range] = {}
    sizes: dict[relax.Var, Linear] = {}
    for number, binding in enumerate(bindings):
        size = _allocated(binding.value)
        if size is not None and binding.var not in elsewhere:
            sizes[binding.var], needed[binding.var] = size, range(number, last[binding.var] + 1)
    by_size = sorted(sizes, key=lambda tensor: _weight(sizes[tensor], Linear()), reverse=True)
    slots = min((_slots(order, sizes, needed) for order in (list(sizes), by_size)), key=_taken)
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


def _slots(order: list[relax.Var], sizes: Mapping[relax.Var, Linear], needed: Mapping[relax.Var, range]) -> list[_Slot]:
    """Gives each tensor a slot, one after the other."""
    slots: list[_Slot] = []
    for tensor in order:
        free = [slot for slot in slots if not any(_meet(needed[tensor], needed[other]) for other in slot.tensors)]
        slot = _chosen(free, sizes[tensor])
        if slot is None:
            slot = _Slot(sizes[tensor])
            slots.append(slot)
        slot.size = slot.size.most(sizes[tensor])
        slot.tensors.append(tensor)
    return slots


def _taken(slots: list[_Slot]) -> tuple[int, int]:
    return _weight(sum((slot.size for slot in slots), Linear()), Linear())


def _meet(one: range, other: range) -> bool:
    """Whether two tensors are needed together."""
    return one.start < other.stop and other.start < one.stop


def _chosen(free: list[_Slot], size: Linear) -> _Slot | None:
    def growth(slot: _Slot) -> tuple[int, int, int, int]:
        grown, fits = slot.size.most(size), slot.size
        # First what it grows by, then what it leaves unused.
        return (*_weight(grown, fits), *_weight(fits, size))

    best = min(free, key=growth, default=None)
    if best is None:
        return None
    more, whole = _weight(best.size.most(size), best.size), _weight(size, Linear())
    # No slot grows much for a tensor that does not vary: the next such tensor would find it taken by small ones.
    return best if (more < whole if size.each else 2 * more[1] <= whole[1]) else None


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

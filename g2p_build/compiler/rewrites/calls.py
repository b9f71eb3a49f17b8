"""What rewrites have in common: how an operation's call is read, and how a kernel's call is made."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeAlias

import numpy as np
import tvm
from tvm import ir, relax, tirx
from tvm.target import Target

__all__ = [
    "NOTHING",
    "PREFIX",
    "Kernels",
    "Rewrite",
    "arguments",
    "extents",
    "float32",
    "numbers",
    "operation",
    "type_extents",
]

PREFIX = "g2p."
"""Operations' names in a module begin with this. The exporter writes operations as calls of external functions."""

NOTHING = "nothing"
"""Stands among an operation's arguments where it is given no tensor."""


class Kernels:
    """The kernels of the module that is being lowered. Each is made once, and all calls that it fits share it.

    Attributes:
        target: What the kernels are made for.
        builder: Builds the lowered module.
        dying: Of the operation's call that is being lowered: the places of arguments that nothing needs after it. A
            kernel may write its result to one of them.
    """

    def __init__(self, target: Target, builder: relax.BlockBuilder) -> None:
        self.target = target
        self.builder = builder
        self.dying: frozenset[int] = frozenset()
        self._made: dict[Hashable, relax.GlobalVar] = {}

    def call(
        self,
        make: Callable[[], tirx.PrimFunc],
        key: Hashable,
        arguments: Sequence[relax.Expr],
        outputs: Sequence[relax.TensorType],
        in_place: Sequence[int] = (),
    ) -> relax.Call:
        """Calls a kernel.

        The kernel's parameters are the arguments, then a tensor for each result that is not written in place.

        Args:
            make: Makes the kernel. It runs only for a new key.
            key: All that the kernel depends on, and the operation's name where other operations may have equal keys.
            arguments: Tensors.
            outputs: The types of the call's results: first of those in memory of their own, then of those in place.
            in_place: The positions of the arguments that the kernel writes results to.

        Returns:
            A call that gives one tensor for one output, and a tuple for several. It is not emitted yet.
        """
        if key not in self._made:
            kernel = make()
            name = str(kernel.attrs["global_symbol"])
            self._made[key] = self.builder.add_func(kernel.without_attr("global_symbol"), name)
        kernel, types = self._made[key], list(outputs)
        out_type = types if len(types) > 1 else types[0]
        if not in_place:
            return relax.op.call_tir(kernel, list(arguments), out_ty=out_type)
        indices = [-1] * (len(types) - len(in_place)) + list(in_place)
        return relax.op.call_tir_inplace(kernel, relax.Tuple(arguments), indices, out_ty=out_type)


Rewrite: TypeAlias = Callable[[Kernels, relax.Call], relax.Expr]
"""Turns an operation's call into calls of kernels with the same result."""


def operation(call: relax.Expr) -> str | None:
    """The name of the called operation, without `PREFIX`; None if the call is of something else, or no call."""
    if not isinstance(call, relax.Call) or call.op != tvm.ir.Op.get("relax.call_dps_packed"):
        return None
    symbol = str(call.args[0].global_symbol)
    return symbol.removeprefix(PREFIX) if symbol.startswith(PREFIX) else None


def arguments(call: relax.Call) -> list[Any]:
    """What an operation is called with: tensors, None for those that it is not given, numbers and text."""
    return [_plain(argument) for argument in call.args[1]]


def _plain(argument: Any) -> Any:
    if isinstance(argument, ir.StringImm):
        return None if argument.value == NOTHING else str(argument.value)
    if isinstance(argument, tirx.IntImm):
        return int(argument.value)
    if isinstance(argument, tirx.FloatImm):
        return float(argument.value)
    return argument


def extents(tensor: relax.Expr) -> tuple[Any, ...]:
    """A tensor's shape: integers, and expressions where it varies."""
    return type_extents(tensor.ty)


def type_extents(found: relax.TensorType) -> tuple[Any, ...]:
    """The shape of a tensor's type: integers, and expressions where it varies."""
    return tuple(int(extent) if isinstance(extent, tirx.IntImm) else extent for extent in found.shape)


def float32(*shape: Any) -> relax.TensorType:
    """The type of a float32 tensor."""
    return relax.TensorType(shape, "float32")


def numbers(*told: int) -> relax.Expr:
    """What a kernel is told: int32."""
    return relax.const(np.array(told, np.int32))

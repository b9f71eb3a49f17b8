"""What a planned Relax function does, read so that it can be written as C: which kernels it calls, in order, with which
tensors, and where these lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import tvm
from tvm import relax, tirx

from g2p_build.compiler.arena import ALIGNMENT, Arena, plan
from g2p_build.compiler.kernels.code import PART
from g2p_build.compiler.linear import Linear, linear, size_of
from g2p_build.errors import BuildError
from g2p_build.models.extents import Size

__all__ = ["C_TYPES", "PACKED", "Function", "Place", "Tensor", "own_extents", "read"]

C_TYPES = {
    "float32": "float",
    "int32": "int32_t",
    "float16": "uint16_t",
    "uint16": "uint16_t",
    "int8": "int8_t",
    "float64": "double",
}
"""What C calls the dtypes."""

PACKED = "packed"
"""The attribute of a Relax function that names its arguments with a row for each position of the inputs."""


@dataclass
class Place:
    """Where a tensor is.

    Attributes:
        text: The C expression of its address; a result gets it when its place is chosen.
        read_only: Whether nothing may be written there.
        packed: Whether the tensor has a row for each position of the inputs.
    """

    text: str = ""
    read_only: bool = False
    packed: bool = False


@dataclass(frozen=True)
class Tensor:
    """A tensor of a function.

    Attributes:
        shape: Its extents.
        dtype: As Relax names it.
        place: Where it is. Views of a tensor have its place.
        values: Of a constant of int32, else nothing.
    """

    shape: tuple[Size, ...]
    dtype: str
    place: Place
    values: tuple[int, ...] = ()


@dataclass
class Function:
    """A function.

    Attributes:
        name: In the module.
        symbol: Of the C function.
        batch: Rows at most.
        tokens: That a row takes at most; 1 where the function has none.
        extents: Names of those that its shapes are told in.
        arena: Its workspace.
        tensors: Those of the arena, with their offsets.
        calls: The kernels that it calls, in order, and what each is given.
    """

    name: str
    symbol: str
    batch: int
    tokens: int
    extents: tuple[str, ...]
    arena: Arena
    tensors: list[tuple[Linear, Tensor]] = field(default_factory=list)
    calls: list[tuple[str, list[Tensor]]] = field(default_factory=list)


def own_extents(function: relax.Function) -> tuple[str, ...]:
    """The names of the extents that a function is told, in the order in which its inputs first have them."""
    shapes = [param.ty.shape.values for param in function.params]
    return tuple(dict.fromkeys(name for shape in shapes for extent in shape for name, _ in linear(extent).each))


def read(
    function: relax.Function,
    description: Mapping[str, Any],
    places: Mapping[str, Mapping[str, str]],
    kernels: Mapping[str, tirx.PrimFunc],
    constants: dict[tuple[str, bytes], str],
    definitions: list[str],
) -> Function:
    """Follows a Relax function's bindings.

    Args:
        function: After the phase "plan".
        description: As manifests give it.
        places: The C expressions of what it is given, by kind and name.
        kernels: By name.
        constants: The symbols of those that are defined, by dtype and content. What is new is added.
        definitions: Theirs in C. What is new is added.

    Raises:
        BuildError: It does what has no form in C; the message names both.
    """
    tokens = description.get("tokens")
    symbol = f"{description['role']}_{tokens}" if tokens else description["role"]
    made = Function(
        description["name"],
        symbol,
        description["batch"],
        tokens or 1,
        own_extents(function),
        plan(function, kernels),
    )
    packed = {str(name) for name in (function.attrs or {}).get(PACKED, ())}
    values: dict[Any, Any] = {
        param: Tensor(
            _shape(param.ty.shape),
            entry["dtype"],
            Place(
                places[entry["kind"]][entry["name"]],
                read_only=entry["kind"] == "weight" or entry["dtype"] == "int32",
                packed=entry["name"] in packed,
            ),
        )
        for param, entry in zip(function.params, description["inputs"], strict=True)
    }
    for block in function.body.blocks:
        for binding in block.bindings:
            values[binding.var] = _value(binding.value, values, made, kernels, constants, definitions)
            if binding.var in made.arena.offsets:
                tensor = values[binding.var]
                tensor.place.text = f"t{len(made.tensors)}"
                made.tensors.append((made.arena.offsets[binding.var], tensor))
    results = _value(function.body.body, values, made, kernels, constants, definitions)
    for entry, tensor in zip(description["outputs"], results if isinstance(results, list) else [results], strict=True):
        if not tensor.place.text:
            tensor.place.text = places["argument"][entry["name"]]
        elif not tensor.place.text.startswith("run->states"):
            raise BuildError(
                f"function {made.name} gives {entry['name']} where it cannot be written as C: in its arena"
            )
    return made


def _value(
    value: Any,
    values: Mapping[Any, Any],
    made: Function,
    kernels: Mapping[str, tirx.PrimFunc],
    constants: dict[tuple[str, bytes], str],
    definitions: list[str],
) -> Any:
    """A tensor, a list of them, or None for a call of a kernel."""

    def follow(argument: Any) -> Any:
        return _value(argument, values, made, kernels, constants, definitions)

    if isinstance(value, relax.Var):
        return values[value]
    if isinstance(value, relax.Tuple):
        return [follow(item) for item in value.fields]
    if isinstance(value, relax.TupleGetItem):
        return follow(value.tuple_value)[value.index]
    if isinstance(value, tvm.ir.GenericConst):
        return _constant(value.value.numpy(), constants, definitions)
    if not isinstance(value, relax.Call):
        raise BuildError(f"function {made.name}: {type(value).__name__} cannot be written as C")
    if isinstance(value.op, tvm.ir.GlobalVar):
        params = kernels[value.op.name_hint].params
        given = [
            Tensor((2,), "int32", Place(PART, read_only=True)) if buffer.name == PART else follow(argument)
            for buffer, argument in zip(params, value.args, strict=True)
        ]
        made.calls.append((value.op.name_hint, given))
        return None
    name = str(value.op.name)
    if name == "relax.builtin.alloc_tensor":
        return Tensor(_shape(value.args[0]), str(value.args[1].value), Place())
    if name == "relax.reshape":
        return replace(follow(value.args[0]), shape=_shape(value.args[1]))
    raise BuildError(f"function {made.name}: the operation {name} cannot be written as C")


def _shape(shape: relax.ShapeExpr) -> tuple[Size, ...]:
    return tuple(size_of(extent) for extent in shape.values)


def _constant(array: np.ndarray, constants: dict[tuple[str, bytes], str], definitions: list[str]) -> Tensor:
    """A constant's place; equal ones share one definition."""
    key = (str(array.dtype), array.tobytes())
    if key not in constants:
        constants[key] = f"constant_{len(constants)}"
        c_type, numbers = C_TYPES[str(array.dtype)], ", ".join(str(number) for number in array.ravel().tolist())
        definitions.append(
            f"static _Alignas({ALIGNMENT}) const {c_type} {constants[key]}[{array.size}] = {{{numbers}}};\n"
        )
    values = tuple(array.tolist()) if array.dtype == np.int32 else ()
    return Tensor(tuple(array.shape), str(array.dtype), Place(constants[key], read_only=True), values)

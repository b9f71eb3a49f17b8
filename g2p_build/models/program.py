"""A program: one function of a library before it is compiled, with a name for every tensor that it takes or gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from g2p_build.models.extents import Size

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Program", "TensorSpec", "nested_arguments"]


@dataclass(frozen=True)
class TensorSpec:
    """A tensor that a program takes or returns.

    Attributes:
        name: Unique within the program.
        shape: Its extents.
        dtype: Of its elements, such as ``"float32"`` or ``"int32"``.
    """

    name: str
    shape: tuple[Size, ...]
    dtype: str


@dataclass(frozen=True)
class Program:
    """One function of the library, before it is exported.

    The torch module returns the outputs, then the updated state. The compiled function returns the outputs only, and
    updates the state in the caller's buffers.

    Attributes:
        name: The function's name in the library, such as ``"encode_b8_i32"``.
        role: What it is for, as the family's core asks for it: ``"encode"``, ``"step"``.
        batch: Rows.
        input_len: The longest input, in positions; None if its inputs are of any length.
        output_len: Output positions; None if the program does not depend on them.
        tokens: New tokens a row, of a step; None for other programs.
        module: Takes its inputs nested as `nested_arguments` gives them.
        inputs: The compiled function's parameters, in order, each with its kind. The program reads an ``"argument"``
            and a ``"weight"``. The caller owns a ``"state"``, and this program or an earlier one writes into it.
        outputs: What the compiled function returns: one tensor, or several as a tuple.
        packed: Names of the arguments that have a row for each position of the inputs, one input after the other.
    """

    name: str
    role: str
    batch: int
    input_len: int | None
    output_len: int | None
    tokens: int | None
    module: nn.Module
    inputs: tuple[tuple[str, TensorSpec], ...]
    outputs: tuple[TensorSpec, ...]
    packed: tuple[str, ...] = ()


def nested_arguments(program: Program, tensors: Sequence[Any]) -> tuple[Any, ...]:
    """Arranges tensors as a program's module takes them.

    Args:
        program: Whose inputs they are.
        tensors: One for each of the inputs, in order.

    Returns:
        The arguments, with the caches as lists, and last the weights by name.
    """
    found: list[Any] = []
    weights: dict[str, Any] = {}
    caches: dict[str, list[Any]] = {}
    for (kind, spec), tensor in zip(program.inputs, tensors, strict=True):
        if kind == "weight":
            weights[spec.name] = tensor
        elif kind == "state":
            group = spec.name.split("_")[0]  # "self" or "cross"
            if group not in caches:
                found.append(caches.setdefault(group, []))
            caches[group].append(tensor)
        else:
            found.append(tensor)
    return *found, weights

"""The programs of a variant: torch modules with names for everything that goes in and out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from g2p_build.models import t5
from g2p_build.models.architecture import Architecture
from g2p_build.models.weights import TensorSpec, tensor_specs

__all__ = ["Program", "nested_arguments", "programs"]


@dataclass(frozen=True)
class Program:
    """One function of the library, before it is exported.

    Its parameters, in order: the arguments, the state, the weights. The torch module returns the outputs followed by
    the updated state; the compiled function updates the state in place and returns the outputs only.

    Attributes:
        name: The function's name in the library, such as ``"encode_b8"``.
        role: ``"encode"``, ``"decode"``, ``"prefill"`` or ``"step"``.
        batch: Rows.
        input_len: Input positions.
        output_len: Output positions; None where the program does not depend on them.
        module: Takes tensors nested as `nested_arguments` gives them.
        arguments: What the caller passes and the program only reads.
        state: What the caller owns and the program updates.
        weights: What comes from the weights archive.
        outputs: What the compiled function returns.
    """

    name: str
    role: str
    batch: int
    input_len: int
    output_len: int | None
    module: nn.Module
    arguments: tuple[TensorSpec, ...]
    state: tuple[TensorSpec, ...]
    weights: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @property
    def inputs(self) -> tuple[tuple[str, TensorSpec], ...]:
        """The compiled function's parameters in order, each with its kind."""
        return (*(("argument", spec) for spec in self.arguments), *(("state", spec) for spec in self.state),
                *(("weight", spec) for spec in self.weights))


def programs(arch: Architecture, batch: Sequence[int], input_len: int, output_len: int, dtype: str,
             kv_cache: bool) -> list[Program]:
    """The programs of a library, for every batch size in turn.

    Args:
        arch: The model's architecture.
        batch: Batch sizes, each of which gets functions of its own.
        input_len: Longest input, in tokens.
        output_len: Longest output, in tokens, the start token included.
        dtype: What the weights are stored in, ``"float32"`` or ``"float16"``.
        kv_cache: Decode by `t5.Prefill` and `t5.Step`, else by `t5.Decode`.
    """
    found = []
    for rows in batch:
        found.append(_encode(arch, rows, input_len, dtype))
        if kv_cache:
            found.append(_prefill(arch, rows, input_len, dtype))
            found.append(_step(arch, rows, input_len, output_len, dtype))
        else:
            found.append(_decode(arch, rows, input_len, output_len, dtype))
    return found


def nested_arguments(program: Program, tensors: Sequence[Any]) -> tuple[Any, ...]:
    """Arranges tensors, one for each of the program's inputs in order, as its module's arguments."""
    weights = len(program.arguments) + len(program.state)
    named = dict(zip((spec.name for spec in program.weights), tensors[weights:], strict=True))
    if program.role != "step":
        return *tensors[:weights], named
    # Arguments are token, position, mask, then the cross-attention's keys and values.
    arguments, state = tensors[:len(program.arguments)], tensors[len(program.arguments):weights]
    return *arguments[:3], list(state), list(arguments[3:]), named


def _encode(arch: Architecture, rows: int, input_len: int, dtype: str) -> Program:
    return Program(
        f"encode_b{rows}", "encode", rows, input_len, None, t5.Encode(arch, rows, input_len),
        arguments=(TensorSpec("input_ids", (rows, input_len), "int32"), _mask(rows, input_len)),
        state=(),
        weights=_weights(arch, dtype, "encode"),
        outputs=(_hidden(arch, rows, input_len),),
    )


def _decode(arch: Architecture, rows: int, input_len: int, output_len: int, dtype: str) -> Program:
    return Program(
        f"decode_b{rows}", "decode", rows, input_len, output_len, t5.Decode(arch, rows, input_len, output_len),
        arguments=(TensorSpec("decoder_ids", (rows, output_len), "int32"), _hidden(arch, rows, input_len),
                   _mask(rows, input_len)),
        state=(),
        weights=_weights(arch, dtype, "decode"),
        outputs=(TensorSpec("logits", (rows, output_len, arch.vocab_size), "float32"),),
    )


def _prefill(arch: Architecture, rows: int, input_len: int, dtype: str) -> Program:
    return Program(
        f"prefill_b{rows}", "prefill", rows, input_len, None, t5.Prefill(arch, rows, input_len),
        arguments=(_hidden(arch, rows, input_len),),
        state=(),
        weights=_weights(arch, dtype, "prefill"),
        outputs=_cache(arch, "cross", rows, input_len),
    )


def _step(arch: Architecture, rows: int, input_len: int, output_len: int, dtype: str, tokens: int = 1) -> Program:
    return Program(
        f"step_b{rows}", "step", rows, input_len, output_len, t5.Step(arch, rows, input_len, output_len, tokens),
        arguments=(TensorSpec("token", (rows, tokens), "int32"), TensorSpec("position", (rows,), "int32"),
                   _mask(rows, input_len), *_cache(arch, "cross", rows, input_len)),
        state=_cache(arch, "self", rows, output_len),
        weights=_weights(arch, dtype, "step"),
        outputs=(TensorSpec("logits", (rows, tokens, arch.vocab_size), "float32"),),
    )


def _mask(rows: int, input_len: int) -> TensorSpec:
    return TensorSpec("mask", (rows, input_len), "int32")


def _hidden(arch: Architecture, rows: int, input_len: int) -> TensorSpec:
    return TensorSpec("hidden", (rows, input_len, arch.d_model), "float32")


def _cache(arch: Architecture, name: str, rows: int, length: int) -> tuple[TensorSpec, ...]:
    shape = (rows, arch.num_heads, length, arch.d_kv)
    return tuple(TensorSpec(f"{name}_{part}_{block}", shape, "float32")
                 for block in range(arch.num_decoder_layers) for part in ("key", "value"))


def _weights(arch: Architecture, dtype: str, role: str) -> tuple[TensorSpec, ...]:
    return tuple(spec for spec in tensor_specs(arch, dtype) if _reads(role, spec.name))


def _reads(role: str, weight: str) -> bool:
    """Whether programs of this role read the weight: a weight that is passed and not read would bind a library to it."""
    if role == "encode":
        return weight == "embedding" or weight.startswith("encoder.")
    from_encoder = weight.endswith((".cross.key", ".cross.value"))
    if role == "prefill":
        return from_encoder
    return (weight in ("embedding", "lm_head") or weight.startswith("decoder.")) and not (
        role == "step" and from_encoder)

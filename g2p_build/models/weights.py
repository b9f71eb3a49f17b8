"""The weights as the programs take them: names, layout, order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from g2p_build.errors import BuildError
from g2p_build.models.architecture import EMBEDDINGS, Architecture

if TYPE_CHECKING:
    import torch

__all__ = ["DTYPES", "LAYOUT", "TensorSpec", "pack", "tensor_specs"]

LAYOUT = "kn"
"""Version of the layout below. Linear weights are [in, out], so that a kernel reads rows of consecutive outputs."""

DTYPES = ("float32", "float16")
"""Data types that weights can be stored in; programs compute in float32 either way."""


@dataclass(frozen=True)
class TensorSpec:
    """One tensor that a program takes or gives.

    Attributes:
        name: Unique within the program.
        shape: Extents, all static.
        dtype: ``"float32"``, ``"float16"`` or ``"int32"``.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str


def tensor_specs(arch: Architecture, dtype: str) -> list[TensorSpec]:
    """Every weight of all programs, in the one order used everywhere.

    The embedding is [vocab_size, d_model]; ``lm_head`` is [d_model, vocab_size] even where the checkpoint ties the two,
    so that tied and untied checkpoints share their programs.

    Args:
        arch: The model's architecture.
        dtype: One of `DTYPES`.
    """
    return [TensorSpec(name, _packed_shape(name, shape), dtype) for name, (_, shape) in _sources(arch).items()]


def pack(arch: Architecture, state: Mapping[str, torch.Tensor], dtype: str) -> dict[str, torch.Tensor]:
    """Converts a checkpoint's tensors to the programs' layout.

    Args:
        arch: The model's architecture.
        state: The checkpoint's tensors by transformers' names, any floating dtype.
        dtype: One of `DTYPES`.

    Returns:
        A contiguous tensor for each of `tensor_specs`, in that order; none shares memory with `state`.

    Raises:
        BuildError: A weight is NaN or infinite, or becomes so in `dtype`; or the checkpoint's copies of the embedding
            differ.
    """
    import torch

    embeddings = [name for name in EMBEDDINGS if name in state]
    for name in embeddings[1:]:
        if not torch.equal(state[name], state[embeddings[0]]):
            raise BuildError(
                f"{name} differs from {embeddings[0]}: separate encoder and decoder embeddings are not supported"
            )
    packed = {}
    for name, (source, shape) in _sources(arch).items():
        original = state[embeddings[0] if source == EMBEDDINGS[0] else source]
        tensor = original.to(getattr(torch, dtype))
        if not bool(torch.isfinite(original).all()):
            raise BuildError(f"the tensor {source} has values that are NaN or infinite: the checkpoint is damaged")
        if not bool(torch.isfinite(tensor).all()):
            raise BuildError(
                f"the tensor {source} does not fit {dtype} (its largest value is "
                f"{float(original.abs().max()):.4g}): use dtype=float32"
            )
        tensor = tensor.T if _is_linear(name, shape) else tensor
        packed[name] = tensor.contiguous().clone()
    return packed


def _sources(arch: Architecture) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The programs' weights: name to (name in the checkpoint, shape in the checkpoint), in order."""
    narrow, wide, inner = arch.d_model, arch.d_ff, arch.inner
    sources: dict[str, tuple[str, tuple[int, ...]]] = {"embedding": (EMBEDDINGS[0], (arch.vocab_size, narrow))}
    stacks = {
        "encoder": (arch.num_encoder_layers, {"self": "SelfAttention"}),
        "decoder": (arch.num_decoder_layers, {"self": "SelfAttention", "cross": "EncDecAttention"}),
    }
    feed_forward = {"gate": "wi_0", "up": "wi_1"} if arch.feed_forward == "gated-gelu" else {"up": "wi"}
    for stack, (depth, attentions) in stacks.items():
        bias = f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        sources[f"{stack}.position_bias"] = (bias, (arch.relative_attention_num_buckets, arch.num_heads))
        for block in range(depth):
            for layer, (name, theirs) in enumerate(attentions.items()):
                ours, prefix = f"{stack}.{block}.{name}", f"{stack}.block.{block}.layer.{layer}"
                sources[f"{ours}.norm"] = (f"{prefix}.layer_norm.weight", (narrow,))
                for part in ("query", "key", "value"):
                    sources[f"{ours}.{part}"] = (f"{prefix}.{theirs}.{part[0]}.weight", (inner, narrow))
                sources[f"{ours}.output"] = (f"{prefix}.{theirs}.o.weight", (narrow, inner))
            ours, prefix = f"{stack}.{block}.feed_forward", f"{stack}.block.{block}.layer.{len(attentions)}"
            sources[f"{ours}.norm"] = (f"{prefix}.layer_norm.weight", (narrow,))
            for part, theirs in feed_forward.items():
                sources[f"{ours}.{part}"] = (f"{prefix}.DenseReluDense.{theirs}.weight", (wide, narrow))
            sources[f"{ours}.down"] = (f"{prefix}.DenseReluDense.wo.weight", (narrow, wide))
        sources[f"{stack}.norm"] = (f"{stack}.final_layer_norm.weight", (narrow,))
    head = "lm_head.weight" if arch.separate_lm_head else EMBEDDINGS[0]
    sources["lm_head"] = (head, (arch.vocab_size, narrow))
    return sources


def _is_linear(name: str, shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 and name != "embedding" and not name.endswith("position_bias")


def _packed_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[::-1] if _is_linear(name, shape) else shape

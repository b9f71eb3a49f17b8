"""The weights as programs take them: their names, layout and order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from g2p_build.errors import BuildError
from g2p_build.models.architecture import EMBEDDINGS, Architecture
from g2p_build.models.layout import (
    BLOCK_BYTES,
    GATED,
    PANEL,
    grouped,
    pack_columns,
    pack_gated,
    panels,
    quantise_panels,
)
from g2p_build.models.program import TensorSpec

if TYPE_CHECKING:
    import torch

__all__ = ["DTYPES", "LAYOUT", "pack", "tensor_specs"]

LAYOUT = "panels-1"
"""Names the layout. It changes when `pack` would make other tensors of the same checkpoint."""

DTYPES = ("float32", "float16", "bfloat16", "int8")
"""The dtypes that weights can be stored in. Programs compute in float32 with any; in int8, matmuls count in int32."""


def tensor_specs(arch: Architecture, dtype: str) -> list[TensorSpec]:
    """The weights of all programs together, in the order that is used everywhere.

    The embedding is [vocab_size, d_model], and linear weights are panels: see `layout`. With int8 the panels have
    another shape, the embedding is float16, and position biases and the encoder's norm stay float32. ``lm_head`` is
    always among them, so that checkpoints whose projection is tied to the embedding share programs with those where it
    is not.

    Args:
        arch: The model's architecture.
        dtype: One of `DTYPES`.
    """
    return [TensorSpec(name, *weight.packed(dtype)) for name, weight in _weights(arch).items()]


def pack(
    arch: Architecture,
    state: Mapping[str, torch.Tensor],
    dtype: str,
    grams: Mapping[str, torch.Tensor] | None = None,
) -> dict[str, torch.Tensor]:
    """Converts a checkpoint's tensors to the programs' layout.

    Matrices with the same input become one. A norm's weight is multiplied into the matrix behind the norm, and the
    output's scale into the last matrix. All this is done in float32; then the result is rounded to `dtype`, in int8 to
    multiples of scales.

    Args:
        arch: The model's architecture.
        state: The checkpoint's tensors by transformers' names, any floating dtype.
        dtype: One of `DTYPES`, or ``"float64"``.
        grams: How each matrix is used, as `calibration` gives it; for int8. None: every number is rounded by itself.

    Returns:
        A contiguous tensor for each of `tensor_specs`, in that order. None shares memory with `state`.

    Raises:
        BuildError: A weight is NaN or infinite, or becomes infinite in `dtype`. Or the checkpoint's copies of the
            embedding differ.
    """
    import torch

    embeddings = [name for name in EMBEDDINGS if name in state]
    for name in embeddings[1:]:
        if not torch.equal(state[name], state[embeddings[0]]):
            raise BuildError(
                f"{name} differs from {embeddings[0]}: separate encoder and decoder embeddings are not supported"
            )

    def read(source: str) -> torch.Tensor:
        tensor = state[embeddings[0] if source == EMBEDDINGS[0] else source]
        if not bool(torch.isfinite(tensor).all()):
            raise BuildError(f"the tensor {source} has values that are NaN or infinite: the checkpoint is damaged")
        return tensor.to(torch.float32)

    packed = {}
    for name, weight in _weights(arch).items():
        parts = [read(source) for source in weight.sources]
        if weight.kind in ("linear", "gated"):
            scale = weight.scale * (read(weight.norm) if weight.norm else torch.ones(parts[0].shape[1]))
            parts = [(part * scale).T for part in parts]
        if weight.kind == "gated":
            whole = pack_gated(*parts)
        else:
            whole = pack_columns(torch.cat(parts, dim=1)) if weight.kind == "linear" else parts[0]
        stored = weight.packed(dtype)[1]
        if stored == "int8":
            packed[name] = quantise_panels(whole, grams[name] if grams else None)
        else:
            packed[name] = whole.to(getattr(torch, stored)).clone()
        if not bool(torch.isfinite(packed[name]).all()):
            raise BuildError(
                f"the tensor {weight.sources[0]} does not fit {stored} (the largest value of {name} is "
                f"{float(whole.abs().max()):.4g}): use dtype=float32"
            )
    return packed


@dataclass(frozen=True)
class _Weight:
    """What a weight of the programs is made of.

    Attributes:
        sources: Names of the checkpoint's tensors: one, or several matrices with the same input.
        shape: The shape of each of these tensors; [out, in] of a matrix.
        kind: ``"plain"``: the tensor as it is. ``"table"``: so too, and with int8 in float16. ``"linear"``: the
            matrices side by side, in panels. ``"gated"``: two matrices in shared panels.
        norm: The name of the norm's weight that is multiplied into the matrices; empty if there is none.
        scale: A number that is multiplied into them too.
    """

    sources: tuple[str, ...]
    shape: tuple[int, ...]
    kind: str = "plain"
    norm: str = ""
    scale: float = 1.0

    def packed(self, dtype: str) -> tuple[tuple[int, ...], str]:
        """The shape and dtype that it has in a file of weights of some dtype."""
        if self.kind == "plain":
            return self.shape, "float32" if dtype == "int8" else dtype
        if self.kind == "table":
            return self.shape, "float16" if dtype == "int8" else dtype
        outputs, inputs = self.shape
        count = panels(outputs, GATED) if self.kind == "gated" else panels(outputs * len(self.sources))
        return (count, *((grouped(inputs), BLOCK_BYTES) if dtype == "int8" else (inputs, PANEL))), dtype


def _weights(arch: Architecture) -> dict[str, _Weight]:
    """The programs' weights by name, in order."""
    narrow, inner = arch.d_model, arch.inner
    weights = {"embedding": _Weight((EMBEDDINGS[0],), (arch.vocab_size, narrow), "table")}

    def linear(name: str, prefix: str, parts: str, shape: tuple[int, int], norm: str = "") -> None:
        sources = tuple(f"{prefix}.{part}.weight" for part in parts.split())
        weights[name] = _Weight(sources, shape, "linear", norm)

    def feed_forward(name: str, prefix: str) -> None:
        norm, inside = f"{prefix}.layer_norm.weight", f"{prefix}.DenseReluDense"
        if arch.feed_forward == "gated-gelu":
            sources = (f"{inside}.wi_0.weight", f"{inside}.wi_1.weight")
            weights[f"{name}.up"] = _Weight(sources, (arch.d_ff, narrow), "gated", norm)
        else:
            linear(f"{name}.up", inside, "wi", (arch.d_ff, narrow), norm)
        linear(f"{name}.down", inside, "wo", (narrow, arch.d_ff))

    for stack, depth in (("encoder", arch.num_encoder_layers), ("decoder", arch.num_decoder_layers)):
        bias = f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        weights[f"{stack}.position_bias"] = _Weight((bias,), (arch.relative_attention_num_buckets, arch.num_heads))
        for block in range(depth):
            ours, theirs = f"{stack}.{block}", f"{stack}.block.{block}.layer"
            norm, attention = f"{theirs}.0.layer_norm.weight", f"{theirs}.0.SelfAttention"
            linear(f"{ours}.self.query_key_value", attention, "q k v", (inner, narrow), norm)
            linear(f"{ours}.self.output", attention, "o", (narrow, inner))
            if stack == "decoder":
                norm, attention = f"{theirs}.1.layer_norm.weight", f"{theirs}.1.EncDecAttention"
                linear(f"{ours}.cross.query", attention, "q", (inner, narrow), norm)
                linear(f"{ours}.cross.key_value", attention, "k v", (inner, narrow))
                linear(f"{ours}.cross.output", attention, "o", (narrow, inner))
            feed_forward(f"{ours}.feed_forward", f"{theirs}.{2 if stack == 'decoder' else 1}")
    weights["encoder.norm"] = _Weight(("encoder.final_layer_norm.weight",), (narrow,))
    head = "lm_head.weight" if arch.separate_lm_head else EMBEDDINGS[0]
    scale = narrow**-0.5 if arch.scale_decoder_outputs else 1.0
    weights["lm_head"] = _Weight((head,), (arch.vocab_size, narrow), "linear", "decoder.final_layer_norm.weight", scale)
    return weights

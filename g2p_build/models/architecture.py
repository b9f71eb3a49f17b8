"""What a T5 checkpoint is, apart from the values of its weights."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from g2p_build.errors import BuildError

__all__ = [
    "EMBEDDINGS",
    "FEED_FORWARDS",
    "IGNORED_TENSORS",
    "VOCABULARY",
    "Architecture",
    "architecture_of",
    "checkpoint_tensors",
    "from_json",
    "to_json",
]

FEED_FORWARDS = {"relu": "relu", "gated-gelu": "gelu_new"}
"""The supported feed-forward blocks, and the activation that transformers uses for each."""

VOCABULARY = range(259, 1025)
"""Vocabulary sizes that count as ByT5's. The usual one is 384; 256 bytes and 3 special ids are used, the rest pads."""

EMBEDDINGS = ("shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
"""Names of the token embedding. A checkpoint has only one embedding, under one or more of these names."""

IGNORED_TENSORS = ("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",)
"""Tensors of old checkpoints that no forward pass reads. transformers drops them too."""

# The defaults of transformers' T5Config, for files that leave a field out.
_DEFAULTS: dict[str, Any] = {
    "vocab_size": 32128,
    "d_model": 512,
    "d_kv": 64,
    "d_ff": 2048,
    "num_layers": 6,
    "num_heads": 8,
    "relative_attention_num_buckets": 32,
    "relative_attention_max_distance": 128,
    "layer_norm_epsilon": 1e-6,
    "feed_forward_proj": "relu",
}


@dataclass(frozen=True)
class Architecture:
    """Everything about a T5 encoder-decoder that decides its programs.

    Attributes:
        vocab_size: Rows of the embedding and of the output projection.
        d_model: Width of the residual stream.
        d_kv: Width of one attention head. ``num_heads * d_kv`` need not equal `d_model`.
        d_ff: Width inside the feed-forward block.
        num_heads: Attention heads, in both stacks.
        num_encoder_layers: Depth of the encoder.
        num_decoder_layers: Depth of the decoder.
        relative_attention_num_buckets: Rows of each stack's table of relative position biases.
        relative_attention_max_distance: Distance from which all positions share a bucket.
        layer_norm_epsilon: Added to the mean square in RMSNorm.
        feed_forward: ``"relu"`` or ``"gated-gelu"``.
        separate_lm_head: Whether the output projection is a tensor of its own, rather than the embedding.
        scale_decoder_outputs: Whether the decoder's output is scaled by ``d_model ** -0.5`` before the projection.
    """

    vocab_size: int
    d_model: int
    d_kv: int
    d_ff: int
    num_heads: int
    num_encoder_layers: int
    num_decoder_layers: int
    relative_attention_num_buckets: int
    relative_attention_max_distance: int
    layer_norm_epsilon: float
    feed_forward: str
    separate_lm_head: bool
    scale_decoder_outputs: bool

    @property
    def inner(self) -> int:
        """Width of all heads together."""
        return self.num_heads * self.d_kv


def architecture_of(config: Mapping[str, Any], tensor_shapes: Mapping[str, tuple[int, ...]]) -> Architecture:
    """Reads the architecture out of a transformers checkpoint, and checks that the checkpoint is whole.

    The tensors decide whether the output projection is separate. The file decides whether the decoder's output is
    scaled: by its ``scale_decoder_outputs``, or without that by its ``tie_word_embeddings``. transformers 5 cannot be
    asked, because it gives these fields another meaning in memory than they have in files.

    Args:
        config: The contents of ``config.json``.
        tensor_shapes: Shape of each tensor in the checkpoint, by name.

    Raises:
        BuildError: The checkpoint is not a T5 encoder-decoder with ByT5's vocabulary. Or its tensors are not those that
            the config describes: some are missing, unknown or of another shape.
    """
    model_type = config.get("model_type")
    if model_type != "t5":
        raise BuildError(f"model_type {model_type!r} is not supported: only 't5' with ByT5's vocabulary is")
    vocab_size = _size(config, "vocab_size")
    if vocab_size not in VOCABULARY:
        raise BuildError(
            f"vocab_size {vocab_size} is not ByT5's (384; {VOCABULARY[0]} to {VOCABULARY[-1]} are taken): "
            "use a checkpoint trained on bytes"
        )
    layers = _size(config, "num_layers")
    decoder_layers = layers if config.get("num_decoder_layers") is None else _size(config, "num_decoder_layers")
    scaled = config.get("scale_decoder_outputs", config.get("tie_word_embeddings") is not False)
    if not isinstance(scaled, bool):
        raise BuildError(f"scale_decoder_outputs {scaled!r} is not true or false")
    arch = Architecture(
        vocab_size=vocab_size,
        d_model=_size(config, "d_model"),
        d_kv=_size(config, "d_kv"),
        d_ff=_size(config, "d_ff"),
        num_heads=_size(config, "num_heads"),
        num_encoder_layers=layers,
        num_decoder_layers=decoder_layers,
        relative_attention_num_buckets=_size(config, "relative_attention_num_buckets"),
        relative_attention_max_distance=_size(config, "relative_attention_max_distance"),
        layer_norm_epsilon=_epsilon(config),
        feed_forward=_feed_forward(config),
        separate_lm_head="lm_head.weight" in tensor_shapes,
        scale_decoder_outputs=scaled,
    )
    _check_buckets(arch)
    _check_tensors(arch, tensor_shapes)
    return arch


def checkpoint_tensors(arch: Architecture) -> dict[str, tuple[int, ...]]:
    """The tensors of a checkpoint of this architecture: names as in transformers, and shapes."""
    narrow, wide, inner, biases = arch.d_model, arch.d_ff, arch.inner, arch.relative_attention_num_buckets
    gated = arch.feed_forward == "gated-gelu"
    tensors: dict[str, tuple[int, ...]] = {EMBEDDINGS[0]: (arch.vocab_size, narrow)}
    stacks = {
        "encoder": (arch.num_encoder_layers, ("SelfAttention",)),
        "decoder": (arch.num_decoder_layers, ("SelfAttention", "EncDecAttention")),
    }
    for stack, (depth, attentions) in stacks.items():
        for block in range(depth):
            for layer, attention in enumerate(attentions):
                prefix = f"{stack}.block.{block}.layer.{layer}"
                for part in "qkv":
                    tensors[f"{prefix}.{attention}.{part}.weight"] = (inner, narrow)
                tensors[f"{prefix}.{attention}.o.weight"] = (narrow, inner)
                if block == 0 and layer == 0:
                    tensors[f"{prefix}.{attention}.relative_attention_bias.weight"] = (biases, arch.num_heads)
                tensors[f"{prefix}.layer_norm.weight"] = (narrow,)
            prefix = f"{stack}.block.{block}.layer.{len(attentions)}"
            for part in ("wi_0", "wi_1") if gated else ("wi",):
                tensors[f"{prefix}.DenseReluDense.{part}.weight"] = (wide, narrow)
            tensors[f"{prefix}.DenseReluDense.wo.weight"] = (narrow, wide)
            tensors[f"{prefix}.layer_norm.weight"] = (narrow,)
        tensors[f"{stack}.final_layer_norm.weight"] = (narrow,)
    if arch.separate_lm_head:
        tensors["lm_head.weight"] = (arch.vocab_size, narrow)
    return tensors


def to_json(arch: Architecture) -> dict[str, Any]:
    """The architecture as plain data."""
    return dataclasses.asdict(arch)


def from_json(data: Mapping[str, Any]) -> Architecture:
    """The inverse of `to_json`."""
    return Architecture(**data)


def _size(config: Mapping[str, Any], field: str) -> int:
    value = config.get(field, _DEFAULTS.get(field))
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BuildError(f"{field} {value!r} is not a positive integer")
    return value


def _epsilon(config: Mapping[str, Any]) -> float:
    value = config.get("layer_norm_epsilon", _DEFAULTS["layer_norm_epsilon"])
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or value < 0:
        raise BuildError(f"layer_norm_epsilon {value!r} is not a number of at least 0")
    return float(value)


def _feed_forward(config: Mapping[str, Any]) -> str:
    name = config.get("feed_forward_proj", _DEFAULTS["feed_forward_proj"])
    if name not in FEED_FORWARDS:
        raise BuildError(f"feed_forward_proj {name!r} is not supported: only {' and '.join(FEED_FORWARDS)} are")
    activation = config.get("dense_act_fn", FEED_FORWARDS[name])
    if activation != FEED_FORWARDS[name]:
        raise BuildError(
            f"dense_act_fn {activation!r} is not supported with feed_forward_proj {name!r}: "
            f"only {FEED_FORWARDS[name]!r} is"
        )
    return str(name)


def _check_buckets(arch: Architecture) -> None:
    # The formula divides by zero in two cases: with fewer buckets the encoder has no exact distance, and with a shorter
    # maximum there is no room for logarithmic ones.
    buckets, furthest = arch.relative_attention_num_buckets, arch.relative_attention_max_distance
    if buckets < 4:
        raise BuildError(f"relative_attention_num_buckets {buckets} is too small: it must be at least 4")
    if furthest <= buckets // 2:
        raise BuildError(
            f"relative_attention_max_distance {furthest} is too small for {buckets} buckets: "
            f"it must be more than {buckets // 2}"
        )


def _check_tensors(arch: Architecture, found: Mapping[str, tuple[int, ...]]) -> None:
    expected = checkpoint_tensors(arch)
    embedding = expected.pop(EMBEDDINGS[0])
    aliases = [name for name in EMBEDDINGS if name in found]
    missing = [] if aliases else [EMBEDDINGS[0]]
    missing += [name for name in expected if name not in found]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise BuildError(
            f"the checkpoint lacks the tensor {missing[0]}{more}: it is truncated, or not the model "
            "that its config.json describes"
        )
    expected |= dict.fromkeys(aliases, embedding)
    extra = [name for name in found if name not in expected and name not in IGNORED_TENSORS]
    if extra:
        near = difflib.get_close_matches(extra[0], expected, 1, 0.9)
        raise BuildError(
            f"the checkpoint has a tensor that its config.json does not describe: {extra[0]}"
            + (f" (near {near[0]})" if near else "")
        )
    for name, shape in expected.items():
        if tuple(found[name]) != shape:
            raise BuildError(f"the tensor {name} has shape {list(found[name])}, but its config.json says {list(shape)}")

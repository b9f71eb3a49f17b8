"""Seeded random weights of any shape, for benchmarks and tests. What such a model says means nothing."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import torch

from g2p_build.models.architecture import Architecture, architecture_of, checkpoint_tensors

__all__ = ["architecture_from_shape", "random_checkpoint"]

_EOS = 1  # ByT5's end token


def random_checkpoint(shape: Mapping[str, Any], seed: int) -> tuple[Architecture, dict[str, torch.Tensor]]:
    """Makes a checkpoint of a shape.

    Each tensor has its own generator, seeded by the seed and the tensor's name. Values are uniform, because scaled
    random bits are the same on every machine. Normally distributed values are not: they need logarithms and cosines.

    Args:
        shape: fields named as in transformers' T5Config. With `tie_word_embeddings` the output projection is the
            embedding, and its input is scaled. Without, it is a separate tensor.
        seed: any integer.

    Returns:
        The architecture, and its tensors (float32) by name.

    Raises:
        BuildError: a model of this shape cannot be built.
    """
    architecture = architecture_from_shape(shape)
    sizes = checkpoint_tensors(architecture)
    return architecture, {name: _values(architecture, name, size, seed) for name, size in sizes.items()}


def architecture_from_shape(shape: Mapping[str, Any]) -> Architecture:
    """The architecture of a shape, which is given as for `random_checkpoint`.

    Raises:
        BuildError: a model of this shape cannot be built.
    """
    tied = bool(shape["tie_word_embeddings"])
    names = {"num_layers": "num_encoder_layers", "feed_forward_proj": "feed_forward"}
    fields = {names.get(name, name): value for name, value in shape.items() if name != "tie_word_embeddings"}
    architecture = Architecture(**fields, separate_lm_head=not tied, scale_decoder_outputs=tied)
    return architecture_of({"model_type": "t5", **shape}, checkpoint_tensors(architecture))


def _values(arch: Architecture, name: str, size: tuple[int, ...], seed: int) -> torch.Tensor:
    if name.endswith("norm.weight"):
        return torch.ones(size)
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    bound = math.sqrt(3) * _deviation(arch, name)
    values = torch.rand(size, generator=generator).mul_(2 * bound).sub_(bound)
    if name == ("lm_head.weight" if arch.separate_lm_head else "shared.weight"):
        values[_EOS] *= 2  # otherwise words hardly ever end
    return values


def _deviation(arch: Architecture, name: str) -> float:
    """A standard deviation that keeps activations near one. T5 does not scale attention scores, so its weights must."""
    width = arch.d_model**-0.5
    if name.endswith(".q.weight"):
        return width * arch.d_kv**-0.5
    if name.endswith(".o.weight"):
        return arch.inner**-0.5
    if name.endswith(".wo.weight"):
        return arch.d_ff**-0.5
    if name.endswith("relative_attention_bias.weight") or (name == "shared.weight" and arch.separate_lm_head):
        return 1.0
    return width  # a tied embedding of order one would make the model repeat its last token

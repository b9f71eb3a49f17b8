"""What T5's programs are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from g2p_build.models import ops
from g2p_build.models.architecture import Architecture
from g2p_build.models.layout import NO_NORM, POSITIONS

__all__ = [
    "Weights",
    "add",
    "add_feed_forward",
    "cross_key_value",
    "decoder_block",
    "decoder_buckets",
    "encoder_buckets",
    "position_buckets",
    "project",
    "query_key_value",
]

Weights = Mapping[str, Tensor]
"""The weights that a program takes, by name, in the layout of `weights`."""


def position_buckets(distance: Tensor, bidirectional: bool, buckets: int, furthest: int) -> Tensor:
    """The row of the position bias table for each relative position.

    Near positions have a bucket each, further ones share logarithmically growing ones. It is evaluated while building,
    with the operations and precision of the reference: one rounding apart, a logarithm near a whole number would pick
    the neighbouring bucket.

    Args:
        distance: Key position minus query position, integers of any shape.
        bidirectional: Half of the buckets are for keys after the query; otherwise those count as distance 0.
        buckets: Rows of the table.
        furthest: Distance from which all positions share the last bucket.

    Returns:
        int32, the shape of `distance`.
    """
    offset = torch.zeros_like(distance)
    if bidirectional:
        buckets //= 2
        offset = (distance > 0) * buckets
        distance = distance.abs()
    else:
        distance = (-distance).clamp(min=0)
    exact = buckets // 2
    growth = torch.log(distance.float() / exact) / math.log(furthest / exact) * (buckets - exact)
    # The logarithm of 0 is replaced below; it must only not be converted to an integer.
    far = (exact + growth.clamp(min=0).long()).clamp(max=buckets - 1)
    return (offset + torch.where(distance < exact, distance, far)).to(torch.int32)


def encoder_buckets(arch: Architecture, length: int) -> Tensor:
    """The bucket of every distance in an input, int32: from 1 - `length` on, and `POSITIONS` more than there are."""
    distance = torch.arange(1 - length, length + POSITIONS)
    return position_buckets(distance, True, arch.relative_attention_num_buckets, arch.relative_attention_max_distance)


def decoder_buckets(arch: Architecture, length: int) -> Tensor:
    """The bucket of every distance backwards in an output, int32 [length]; 0 is the query's own position."""
    return position_buckets(
        -torch.arange(length), False, arch.relative_attention_num_buckets, arch.relative_attention_max_distance
    )


def add(stream: Tensor, rows: Tensor, weight: Tensor) -> Tensor:
    """The stream [M, D] plus rows [M, K] times a weight."""
    return ops.linear(rows, weight, stream.shape[1], NO_NORM, "", stream)


def query_key_value(arch: Architecture, stream: Tensor, weights: Weights, block: str) -> Tensor:
    """A stream [M, D] to the self-attention's queries, keys and values in a block, side by side: [M, 3 * I]."""
    weight = weights[f"{block}.self.query_key_value"]
    return ops.linear(stream, weight, 3 * arch.inner, arch.layer_norm_epsilon, "")


def add_feed_forward(arch: Architecture, stream: Tensor, weights: Weights, block: str) -> Tensor:
    """A stream [M, D] after the feed-forward layer of a block, named such as ``"encoder.0"``."""
    name = f"{block}.feed_forward"
    inside = ops.linear(stream, weights[f"{name}.up"], arch.d_ff, arch.layer_norm_epsilon, arch.feed_forward)
    return add(stream, inside, weights[f"{name}.down"])


def cross_key_value(
    arch: Architecture, hidden: Tensor, length: Tensor, weights: Weights, block: int, *cache: Tensor
) -> list[Tensor]:
    """One layer's cache of cross-attention's keys and values after the encoder's packed output [M, D] went into it."""
    weight = weights[f"decoder.{block}.cross.key_value"]
    key_value = ops.linear(hidden, weight, 2 * arch.inner, NO_NORM, "")
    return list(ops.write_cross(key_value, length, arch.num_heads, *cache))


def decoder_block(
    arch: Architecture,
    stream: Tensor,
    weights: Weights,
    block: int,
    position: Tensor,
    length: Tensor,
    buckets: Tensor,
    self_cache: Sequence[Tensor],
    cross_cache: Sequence[Tensor],
) -> tuple[Tensor, Tensor, Tensor]:
    """The decoder's stream [B * Q, D] after a block, and that block's updated cache of keys and values."""
    name = f"decoder.{block}"
    new = query_key_value(arch, stream, weights, name)
    attended, key, value = ops.attend_self(new, position, buckets, weights["decoder.position_bias"], *self_cache)
    stream = add(stream, attended, weights[f"{name}.self.output"])
    query = ops.linear(stream, weights[f"{name}.cross.query"], arch.inner, arch.layer_norm_epsilon, "")
    attended = ops.attend_cross(query, length, *cross_cache)
    stream = add(stream, attended, weights[f"{name}.cross.output"])
    return add_feed_forward(arch, stream, weights, name), key, value


def project(arch: Architecture, stream: Tensor, weights: Weights) -> tuple[Tensor, Tensor]:
    """The decoder's stream [M, D] to logits [M, V] and the ids of the greatest [M]."""
    return ops.project(stream, weights["lm_head"], arch.vocab_size, arch.layer_norm_epsilon)

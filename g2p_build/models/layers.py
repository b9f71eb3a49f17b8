"""The layers that T5's programs are made of.

M counts rows of a stream, K columns; D is d_model, V the vocabulary, I the width of all heads. Streams are float32.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from g2p_build.models import ops
from g2p_build.models.architecture import Architecture
from g2p_build.models.layout import NO_NORM, POSITIONS

__all__ = [
    "Decoding",
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

    A near position has a bucket of its own. Further positions share buckets, which grow with the logarithm of the
    distance. (T5's ``_relative_position_bucket`` in transformers.)

    This runs while building, with the operations and precision of the reference. With another rounding, a logarithm
    near a whole number would pick the neighbouring bucket.

    Args:
        distance: Key position minus query position, integers of any shape.
        bidirectional: True: half of the buckets are for keys after the query. False: such keys count as distance 0.
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
    # The logarithm of 0 is replaced in the end. Until then, clamping keeps it convertible to an integer.
    far = (exact + growth.clamp(min=0).long()).clamp(max=buckets - 1)
    return (offset + torch.where(distance < exact, distance, far)).to(torch.int32)


def encoder_buckets(arch: Architecture, length: int) -> Tensor:
    """The bucket of every distance in an input, int32 [2 * length - 1 + POSITIONS].

    The first is that of distance 1 - `length`. The last `POSITIONS` are of distances that no input has, because kernels
    read whole vectors.
    """
    distance = torch.arange(1 - length, length + POSITIONS)
    return position_buckets(distance, True, arch.relative_attention_num_buckets, arch.relative_attention_max_distance)


def decoder_buckets(arch: Architecture, length: int) -> Tensor:
    """The bucket of every distance backwards in an output, int32 [length]. Distance 0 is the query's own position."""
    return position_buckets(
        -torch.arange(length), False, arch.relative_attention_num_buckets, arch.relative_attention_max_distance
    )


def add(stream: Tensor, rows: Tensor, weight: Tensor) -> Tensor:
    """A stream [M, D] plus rows [M, K] times a weight, in panels."""
    return ops.linear(rows, weight, stream.shape[1], NO_NORM, "", stream)


def query_key_value(arch: Architecture, stream: Tensor, weights: Weights, block: str) -> Tensor:
    """The queries, keys and values of a block's self-attention, side by side [M, 3 * I], from a stream [M, D]."""
    weight = weights[f"{block}.self.query_key_value"]
    return ops.linear(stream, weight, 3 * arch.inner, arch.layer_norm_epsilon, "")


def add_feed_forward(arch: Architecture, stream: Tensor, weights: Weights, block: str) -> Tensor:
    """A stream [M, D] after a block's feed-forward layer. Blocks have names like ``"encoder.0"``."""
    name = f"{block}.feed_forward"
    inside = ops.linear(stream, weights[f"{name}.up"], arch.d_ff, arch.layer_norm_epsilon, arch.feed_forward)
    return add(stream, inside, weights[f"{name}.down"])


def cross_key_value(
    arch: Architecture, hidden: Tensor, length: Tensor, weights: Weights, block: int, *cache: Tensor
) -> list[Tensor]:
    """Projects the encoder's output to one layer's keys and values, and writes them into that layer's cache.

    Args:
        arch: The model's architecture.
        hidden: float32 [M, D], packed.
        length: int32 [B].
        weights: The programs' weights.
        block: The layer's number.
        cache: Its key and value, as `ops.write_cross` takes them; nothing where there is no cache yet.

    Returns:
        The updated key and value.
    """
    weight = weights[f"decoder.{block}.cross.key_value"]
    key_value = ops.linear(hidden, weight, 2 * arch.inner, NO_NORM, "")
    return list(ops.write_cross(key_value, length, arch.num_heads, *cache))


@dataclass(frozen=True)
class Decoding:
    """What all blocks of the decoder share.

    Attributes:
        arch: The model's architecture.
        weights: The program's weights.
        position: int32 [B], the position of each row's first new token.
        length: int32 [B], how many input positions each row has.
        buckets: As `decoder_buckets` gives them, int32 [T].
    """

    arch: Architecture
    weights: Weights
    position: Tensor
    length: Tensor
    buckets: Tensor


def decoder_block(
    shared: Decoding, stream: Tensor, block: int, self_cache: Sequence[Tensor], cross_cache: Sequence[Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Runs one block of the decoder.

    Args:
        shared: What all blocks share.
        stream: float32 [B * Q, D].
        block: The block's number.
        self_cache: Its key and value, as `ops.attend_self` takes them; empty where nothing is cached.
        cross_cache: Its key and value, as `ops.attend_cross` takes them.

    Returns:
        The stream after the block, and the updated key and value of `self_cache`.
    """
    arch, weights, name = shared.arch, shared.weights, f"decoder.{block}"
    new, table = query_key_value(arch, stream, weights, name), weights["decoder.position_bias"]
    attended, key, value = ops.attend_self(new, shared.position, shared.buckets, table, *self_cache)
    stream = add(stream, attended, weights[f"{name}.self.output"])
    query = ops.linear(stream, weights[f"{name}.cross.query"], arch.inner, arch.layer_norm_epsilon, "")
    attended = ops.attend_cross(query, shared.length, *cross_cache)
    stream = add(stream, attended, weights[f"{name}.cross.output"])
    return add_feed_forward(arch, stream, weights, name), key, value


def project(arch: Architecture, stream: Tensor, weights: Weights) -> tuple[Tensor, Tensor]:
    """The decoder's stream [M, D] to logits, float32 [M, V], and the ids of the greatest logits, int32 [M]."""
    return ops.project(stream, weights["lm_head"], arch.vocab_size, arch.layer_norm_epsilon)

"""What T5's programs are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from g2p_build.models.architecture import Architecture

__all__ = [
    "MASKED",
    "Weights",
    "add_cross_attention",
    "add_feed_forward",
    "attend",
    "cross_key_value",
    "embed",
    "linear",
    "norm",
    "padding_bias",
    "pairwise_buckets",
    "position_bias",
    "position_buckets",
    "project",
    "self_query_key_value",
    "split_heads",
    "write_cache",
]

Weights = Mapping[str, Tensor]
"""The weights that a program takes, by name, in the layout of `weights`."""

MASKED = torch.finfo(torch.float32).min
"""Added to the scores of masked positions. Finite, so that a row with every position masked gives finite numbers."""


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


@torch.library.custom_op("g2p::write_cache", mutates_args=())
def write_cache(new: Tensor, position: Tensor, cache: Tensor) -> Tensor:
    """The cache with new keys or values written, each row at its own position.

    In torch this gives a new tensor; in the compiled program it writes into the caller's.

    Args:
        new: float32 [B, H, K, dk], the keys or values of K consecutive tokens a row.
        position: int32 [B], where the first of them goes. Those that fall outside the cache are dropped.
        cache: float32 [B, H, T, dk].

    Returns:
        float32 [B, H, T, dk].
    """
    written = cache.clone()
    for row, start in enumerate(position.tolist()):
        for token in range(new.shape[2]):
            if 0 <= start + token < cache.shape[2]:
                written[row, :, start + token] = new[row, :, token]
    return written


@write_cache.register_fake
def _(new: Tensor, position: Tensor, cache: Tensor) -> Tensor:
    return torch.empty_like(cache)


def pairwise_buckets(arch: Architecture, length: int, bidirectional: bool) -> Tensor:
    """`position_buckets` of every key (columns) for every query (rows), int32 [length, length]."""
    order = torch.arange(length)
    return position_buckets(
        order[None, :] - order[:, None],
        bidirectional,
        arch.relative_attention_num_buckets,
        arch.relative_attention_max_distance,
    )


def position_bias(buckets: Tensor, table: Tensor) -> Tensor:
    """[Q, K] buckets and the [buckets, H] table to float32 [1, H, Q, K]."""
    return functional.embedding(buckets, table).to(torch.float32).permute(2, 0, 1).unsqueeze(0)


def embed(ids: Tensor, weights: Weights) -> Tensor:
    """int32 [B, L] to float32 [B * L, D]."""
    return functional.embedding(ids.reshape(-1), weights["embedding"]).to(torch.float32)


def linear(rows: Tensor, weight: Tensor) -> Tensor:
    """[M, in] times [in, out]."""
    return rows @ weight.to(torch.float32)


def norm(arch: Architecture, rows: Tensor, weight: Tensor) -> Tensor:
    """RMSNorm of [M, D]."""
    return functional.rms_norm(rows, (arch.d_model,), weight.to(torch.float32), arch.layer_norm_epsilon)


def split_heads(arch: Architecture, rows: Tensor, size: tuple[int, int]) -> Tensor:
    """[B * L, H * dk] to [B, H, L, dk]."""
    batch, length = size
    if length == 1:
        return rows.view(batch, arch.num_heads, 1, arch.d_kv)  # the same bytes: nothing to move
    return rows.view(batch, length, arch.num_heads, arch.d_kv).permute(0, 2, 1, 3)


def self_query_key_value(
    arch: Architecture, stream: Tensor, weights: Weights, block: str, size: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """A stream [B * L, D] to the self-attention's query, key and value in a block, each [B, H, L, dk]."""
    name = f"{block}.self"
    normed = norm(arch, stream, weights[f"{name}.norm"])
    query, key, value = (
        split_heads(arch, linear(normed, weights[f"{name}.{part}"]), size) for part in ("query", "key", "value")
    )
    return query, key, value


def padding_bias(mask: Tensor) -> Tensor:
    """int32 [B, L] to what is added to scores, float32 [B, 1, 1, L]: 0 for a token, `MASKED` for padding."""
    return ((mask == 0).to(torch.float32) * MASKED).view(mask.shape[0], 1, 1, mask.shape[1])


def attend(query: Tensor, key: Tensor, value: Tensor, *biases: Tensor) -> Tensor:
    """Attention of [B, H, Q, dk] over [B, H, K, dk] to [B * Q, H * dk]; `biases` broadcast to [B, H, Q, K]."""
    scores = query @ key.transpose(2, 3)
    for bias in biases:
        scores = scores + bias
    attended = torch.softmax(scores, dim=-1) @ value
    batch, heads, length, width = attended.shape
    if length > 1:
        attended = attended.permute(0, 2, 1, 3)
    return attended.reshape(batch * length, heads * width)


def cross_key_value(
    arch: Architecture, encoded: Tensor, weights: Weights, block: int, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """The encoder's output [B * L, D] to one layer's cross-attention key and value, each [B, H, L, dk]."""
    key = linear(encoded, weights[f"decoder.{block}.cross.key"])
    value = linear(encoded, weights[f"decoder.{block}.cross.value"])
    return split_heads(arch, key, size), split_heads(arch, value, size)


def add_cross_attention(
    arch: Architecture,
    stream: Tensor,
    weights: Weights,
    block: int,
    size: tuple[int, int],
    key: Tensor,
    value: Tensor,
    masked: Tensor,
) -> Tensor:
    """The decoder's stream [B * Q, D] after a layer's cross-attention over [B, H, L, dk] keys and values."""
    name = f"decoder.{block}.cross"
    normed = norm(arch, stream, weights[f"{name}.norm"])
    query = split_heads(arch, linear(normed, weights[f"{name}.query"]), size)
    return stream + linear(attend(query, key, value, masked), weights[f"{name}.output"])


def add_feed_forward(arch: Architecture, stream: Tensor, weights: Weights, block: str) -> Tensor:
    """A stream [M, D] after the feed-forward layer of a block, named such as ``"encoder.0"``."""
    name = f"{block}.feed_forward"
    normed = norm(arch, stream, weights[f"{name}.norm"])
    if arch.feed_forward == "gated-gelu":
        gate = linear(normed, weights[f"{name}.gate"])
        inner = _gelu(gate) * linear(normed, weights[f"{name}.up"])
    else:
        inner = torch.relu(linear(normed, weights[f"{name}.up"]))
    return stream + linear(inner, weights[f"{name}.down"])


def _gelu(x: Tensor) -> Tensor:
    """GELU by tanh ("gelu_new"), spelled out so that the compiler sees a tanh that it can vectorise."""
    return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * (x * x * x))))


def project(arch: Architecture, stream: Tensor, weights: Weights) -> Tensor:
    """The decoder's stream [M, D] to logits [M, V]."""
    normed = norm(arch, stream, weights["decoder.norm"])
    if arch.scale_decoder_outputs:
        normed = normed * arch.d_model**-0.5
    return linear(normed, weights["lm_head"])

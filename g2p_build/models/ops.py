"""The operations that T5's programs are made of. The compiler has kernels for each.

The implementations here are plain torch. They say what the kernels compute. Only tests run them, and `calibration`, in
float64. An operation takes weights in the layout of `weights`, of any of `DTYPES`, and computes in float32. With int8
weights, a matmul rounds 64 numbers of a row at a time to integers with a scale, as the weights are, and adds up their
products exactly.

Sizes: B rows of a batch, L input positions at most, Q new tokens a row, T output positions, H heads of width dk,
I = H * dk.

A batch's inputs are packed into M positions: first the positions of row 0, as many as its length says, then those of
row 1, and so on. What follows the last row means nothing.

Keys are cached in blocks of 16 positions, [B, H, positions / 16, dk, 16], and the last block is padded. So a query's
scores are vectors over positions, and the keys of all earlier positions lie together.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from g2p_build.models.layout import (
    BLOCK_BYTES,
    GATED,
    GROUP,
    NARROW,
    NO_NORM,
    PANEL,
    POSITIONS,
    WIDE,
    grouped,
    padded,
    unpack_columns,
    unpack_panels,
)

__all__ = [
    "attend_cross",
    "attend_encoder",
    "attend_self",
    "embed",
    "linear",
    "norm",
    "project",
    "spread_bias",
    "write_cross",
]


def unpacked(length: Tensor, count: int) -> list[slice]:
    """Where each row's positions are among packed ones.

    Args:
        length: Integers [B]; one below 1 counts as 1.
        count: M. No slice ends behind it.
    """
    ends = length.clamp(min=1).cumsum(0).clamp(max=count).tolist()
    return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _computed(weight: Tensor) -> Tensor:
    """Numbers of a weight as they are computed with: float32, or float64 if the weights are that."""
    return weight if weight.dtype == torch.float64 else weight.to(torch.float32)


@torch.library.custom_op("g2p::embed", mutates_args=())
def embed(ids: Tensor, table: Tensor) -> Tensor:
    """int32 [M] ids to float32 [M, D] rows of a table [V, D]. An id outside of the table gives the nearest row."""
    return _computed(functional.embedding(ids.clamp(0, table.shape[0] - 1), table))


@embed.register_fake
def _(ids: Tensor, table: Tensor) -> Tensor:
    return table.new_empty(ids.numel(), table.shape[1], dtype=torch.float32)


@torch.library.custom_op("g2p::norm", mutates_args=())
def norm(rows: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """RMSNorm of float32 [M, D] with a weight [D], as float32 [M, D]."""
    return functional.rms_norm(rows, rows.shape[1:], _computed(weight), epsilon)


@norm.register_fake
def _(rows: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    return rows.new_empty(rows.shape)


@torch.library.custom_op("g2p::linear", mutates_args=())
def linear(
    rows: Tensor, weight: Tensor, columns: int, epsilon: float, activation: str, residual: Tensor | None = None
) -> Tensor:
    """``activation(normed(rows) @ weight)``, or ``rows @ weight + residual``.

    Args:
        rows: float32 [M, K].
        weight: Panels [P, K, 32], in int8 as `layout` says. With the activation ``"gated-gelu"`` a panel has 16 columns
            of the gate, then 16 of the matrix that the gate is multiplied with.
        columns: N, the columns of the result. What else the last panel has is padding.
        epsilon: Rows are first divided by the root of their mean square plus this. `NO_NORM`: they are taken as they
            are.
        activation: ``""``, ``"relu"`` or ``"gated-gelu"``.
        residual: float32 [M, N], or None. Kernels add none after a norm or an activation.

    Returns:
        float32 [M, N].
    """
    products = _products(rows, weight, WIDE if epsilon == NO_NORM else NARROW)
    if epsilon != NO_NORM:
        products = products * torch.rsqrt(rows.square().mean(1) + epsilon)[:, None, None]
    if activation == "gated-gelu":
        gate, up = (unpack_columns(part, columns) for part in products.split(GATED, dim=2))
        result = functional.gelu(gate, approximate="tanh") * up
    else:
        result = unpack_columns(products, columns)
    if activation == "relu":
        result = torch.relu(result)
    return result if residual is None else residual + result


def _products(rows: Tensor, weight: Tensor, most: int) -> Tensor:
    """Rows [M, K] times panels, as [M, P, 32]. With int8 weights, rows are rounded to integers of at most `most`."""
    if weight.dtype != torch.int8:
        return torch.einsum("mk,pkn->mpn", rows, _computed(weight))
    numbers, scales = unpack_panels(weight)
    groups = functional.pad(rows, (0, -rows.shape[1] % GROUP)).view(rows.shape[0], -1, GROUP)
    largest = groups.abs().amax(2, keepdim=True).clamp(min=1e-30)
    rounded = (groups * (most / largest)).round()
    sums = torch.einsum("mgk,pgkn->mpgn", rounded.to(torch.float64), numbers.to(torch.float64))
    scaled = sums.to(torch.float32) * (scales.squeeze(2) * (largest / most).view(rows.shape[0], 1, -1, 1))
    return scaled.sum(2)


@linear.register_fake
def _(
    rows: Tensor, weight: Tensor, columns: int, epsilon: float, activation: str, residual: Tensor | None = None
) -> Tensor:
    inner = rows.shape[1]
    assert weight.shape[1:] == ((grouped(inner), BLOCK_BYTES) if weight.dtype == torch.int8 else (inner, PANEL))
    return rows.new_empty(rows.shape[0], columns)


@torch.library.custom_op("g2p::project", mutates_args=())
def project(rows: Tensor, weight: Tensor, columns: int, epsilon: float) -> tuple[Tensor, Tensor]:
    """`linear` to logits, float32 [M, V], and the id of each row's first greatest logit, int32 [M]."""
    logits = linear(rows, weight, columns, epsilon, "")
    return logits, logits.argmax(-1).to(torch.int32)


@project.register_fake
def _(rows: Tensor, weight: Tensor, columns: int, epsilon: float) -> tuple[Tensor, Tensor]:
    return rows.new_empty(rows.shape[0], columns), rows.new_empty(rows.shape[0], dtype=torch.int32)


@torch.library.custom_op("g2p::spread_bias", mutates_args=())
def spread_bias(buckets: Tensor, table: Tensor) -> Tensor:
    """The biases of n distances, float32 [H, n]: their buckets, int32 [n], looked up in a table [buckets, H]."""
    return _computed(functional.embedding(buckets, table)).T.contiguous()


@spread_bias.register_fake
def _(buckets: Tensor, table: Tensor) -> Tensor:
    return table.new_empty(table.shape[1], buckets.shape[0], dtype=torch.float32)


@torch.library.custom_op("g2p::attend_encoder", mutates_args=())
def attend_encoder(query_key_value: Tensor, bias: Tensor, length: Tensor) -> Tensor:
    """Self-attention in the encoder: every position of a row attends to all positions of that row.

    Args:
        query_key_value: float32 [M, 3 * I], packed.
        bias: float32 [H, 2 * L - 1 + 16]. The index is the key's position minus the query's, plus L - 1. The last 16
            are of no distance: kernels read whole vectors.
        length: int32 [B], at most L; one below 1 counts as 1.

    Returns:
        float32 [M, I].
    """
    count, heads = query_key_value.shape[0], bias.shape[0]
    nearest = (bias.shape[1] - POSITIONS) // 2
    attended = query_key_value.new_zeros(count, _width(query_key_value, 3))
    for row in unpacked(length, count):
        query, key, value = (
            query_key_value[row].view(-1, 3, heads, _width(query_key_value, 3 * heads)).permute(1, 2, 0, 3)
        )
        order = torch.arange(query.shape[1])
        scores = query @ key.transpose(1, 2) + bias[:, order[None, :] - order[:, None] + nearest]
        attended[row] = (torch.softmax(scores, -1) @ value).transpose(0, 1).flatten(1)
    return attended


@attend_encoder.register_fake
def _(query_key_value: Tensor, bias: Tensor, length: Tensor) -> Tensor:
    return query_key_value.new_empty(query_key_value.shape[0], _width(query_key_value, 3))


@torch.library.custom_op("g2p::attend_self", mutates_args=())
def attend_self(
    query_key_value: Tensor,
    position: Tensor,
    buckets: Tensor,
    table: Tensor,
    key: Tensor | None = None,
    value: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Self-attention in the decoder: the new tokens' keys and values are cached, then each token attends to all so far.

    Args:
        query_key_value: float32 [B * Q, 3 * I], of Q consecutive tokens a row.
        position: int32 [B], the position of each row's first new token. Keys and values outside the cache are dropped.
        buckets: int32 [T], the row of the table for each distance backwards.
        table: Biases, [buckets, H].
        key: float32 [B, H, at least T / 16, dk, 16]; None where nothing is cached yet.
        value: float32 [B, H, T, dk]; None where `key` is.

    Returns:
        float32 [B * Q, I], and the key and value caches. Here these are new tensors; in the compiled program they are
        the caller's own, if it gave any.
    """
    batch, heads, length = position.shape[0], table.shape[1], buckets.shape[0]
    query, new_key, new_value = query_key_value.view(batch, -1, 3, heads, _width(query_key_value, 3 * heads)).permute(
        2, 0, 3, 1, 4
    )
    count, width = query.shape[2:]
    if key is None or value is None:
        key, value = _caches(query_key_value, batch, heads, width, length)
    key, value = key.clone(), value.clone()
    attended = query.new_empty(batch, count, heads, width)
    by_distance = _computed(functional.embedding(buckets, table))
    for row, start in enumerate(position.tolist()):
        for token in range(count):
            if 0 <= start + token < length:
                at = start + token
                key[row, :, at // POSITIONS, :, at % POSITIONS] = new_key[row, :, token]
                value[row, :, start + token] = new_value[row, :, token]
        for token in range(count):
            seen = min(max(start + token + 1, 1), length)
            scores = (query[row, :, token, None] @ _in_line(key[row])[:, :, :seen]).squeeze(1)
            scores = scores + by_distance[:seen].flip(0).T
            attended[row, token] = (torch.softmax(scores, -1)[:, None] @ value[row, :, :seen]).squeeze(1)
    return attended.view(batch * count, -1), key, value


@attend_self.register_fake
def _(
    query_key_value: Tensor,
    position: Tensor,
    buckets: Tensor,
    table: Tensor,
    key: Tensor | None = None,
    value: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    rows, inner = query_key_value.shape[0], _width(query_key_value, 3)
    caches = _caches(query_key_value, position.shape[0], table.shape[1], inner // table.shape[1], buckets.shape[0])
    return query_key_value.new_empty(rows, inner), *caches


@torch.library.custom_op("g2p::write_cross", mutates_args=())
def write_cross(
    key_value: Tensor, length: Tensor, heads: int, key: Tensor | None = None, value: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Writes the keys and values of the encoder's output into the caches: each row's at its first positions.

    Args:
        key_value: float32 [M, 2 * I], packed.
        length: int32 [B]; one below 1 counts as 1.
        heads: H.
        key: float32 [B, H, at least L / 16, dk, 16]; None where nothing is cached yet.
        value: float32 [B, H, L, dk]; None where `key` is.

    Returns:
        The key and value caches, as `attend_cross` takes them. Here these are new tensors; in the compiled program they
        are the caller's own, if it gave any.
    """
    batch, width = length.shape[0], _width(key_value, 2 * heads)
    if key is None or value is None:
        key, value = _caches(key_value, batch, heads, width, key_value.shape[0] // batch)
    filled, value = _in_line(key).clone(), value.clone()
    for row, place in enumerate(unpacked(length, key_value.shape[0])):
        keys, values = key_value[place].view(-1, 2, heads, width).permute(1, 2, 0, 3)
        filled[row, :, :, : keys.shape[1]] = keys.transpose(1, 2)
        value[row, :, : values.shape[1]] = values
    return filled.unflatten(3, (-1, POSITIONS)).transpose(2, 3).contiguous(), value


@write_cross.register_fake
def _(
    key_value: Tensor, length: Tensor, heads: int, key: Tensor | None = None, value: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    batch = length.shape[0]
    positions = key_value.shape[0] // batch if value is None else value.shape[2]
    return _caches(key_value, batch, heads, _width(key_value, 2 * heads), positions)


def _width(packed: Tensor, parts: int) -> int:
    return packed.shape[1] // parts


def _caches(like: Tensor, batch: int, heads: int, width: int, length: int) -> tuple[Tensor, Tensor]:
    """Empty caches for keys and values, with the device and dtype of another tensor."""
    keys = like.new_zeros(batch, heads, padded(length) // POSITIONS, width, POSITIONS)
    return keys, like.new_zeros(batch, heads, length, width)


def _in_line(key: Tensor) -> Tensor:
    """Keys [..., blocks, dk, 16] as [..., dk, positions]."""
    return key.transpose(-3, -2).flatten(-2)


@torch.library.custom_op("g2p::attend_cross", mutates_args=())
def attend_cross(query: Tensor, length: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Cross-attention: each token attends to the first `length` positions of its row.

    Args:
        query: float32 [B * Q, I].
        length: int32 [B]; one below 1 counts as 1.
        key: float32 [B, H, at least L / 16, dk, 16].
        value: float32 [B, H, L, dk].

    Returns:
        float32 [B * Q, I].
    """
    batch, heads, positions, width = value.shape
    parts = query.view(batch, -1, heads, width).permute(0, 2, 1, 3)
    unused = torch.arange(positions)[None] >= length.clamp(min=1)[:, None]
    scores = (parts @ _in_line(key)[..., :positions]).masked_fill(unused[:, None, None, :], -math.inf)
    return (torch.softmax(scores, -1) @ value).permute(0, 2, 1, 3).reshape(query.shape)


@attend_cross.register_fake
def _(query: Tensor, length: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return query.new_empty(query.shape)

"""T5 as static-shape torch modules that torch.export takes whole.

Four programs: `Encode`; `Decode`, which reruns the whole output; and, with a cache, `Prefill` and `Step`. Each takes
its weights as an argument, in the layout of `weights`, and computes in float32 whatever they are stored in. The
residual stream is kept as [rows, d_model], rows being batch times length: that is what the matmul kernels want.

What T5 does that other transformers do not: attention scores are not scaled; each stack has one table of relative
position biases, shared by its layers, and cross-attention has none; RMSNorm has neither mean nor bias; a tied output
projection scales its input by ``d_model ** -0.5``; and ``num_heads * d_kv`` need not be ``d_model``.
(Raffel et al., "Exploring the Limits of Transfer Learning", 2020, as implemented by transformers' T5.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from g2p_build.models.architecture import Architecture

__all__ = ["Decode", "Encode", "Prefill", "Step", "position_buckets", "write_cache"]

Weights = Mapping[str, Tensor]

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


class Encode(nn.Module):
    """The encoder."""

    buckets: Tensor

    def __init__(self, arch: Architecture, batch: int, input_len: int) -> None:
        super().__init__()
        self.arch, self.batch, self.length = arch, batch, input_len
        self.register_buffer("buckets", _pairwise_buckets(arch, input_len, bidirectional=True), persistent=False)

    def forward(self, input_ids: Tensor, mask: Tensor, weights: Weights) -> Tensor:
        """Encodes a batch of inputs.

        Args:
            input_ids: int32 [B, L].
            mask: int32 [B, L], 1 for a token and 0 for padding.
            weights: The weights named ``embedding`` and ``encoder.*``.

        Returns:
            float32 [B, L, D]. Padded positions hold finite numbers that mean nothing.
        """
        arch, size = self.arch, (self.batch, self.length)
        hidden = _embed(input_ids, weights)
        bias = _bias(self.buckets, weights["encoder.position_bias"])
        masked = _masked(mask)
        for block in range(arch.num_encoder_layers):
            name = f"encoder.{block}.self"
            normed = _norm(arch, hidden, weights[f"{name}.norm"])
            query = _heads(arch, _linear(normed, weights[f"{name}.query"]), size)
            key = _heads(arch, _linear(normed, weights[f"{name}.key"]), size)
            value = _heads(arch, _linear(normed, weights[f"{name}.value"]), size)
            attended = _attend(query, key, value, bias, masked)
            hidden = hidden + _linear(attended, weights[f"{name}.output"])
            hidden = _feed_forward(arch, hidden, weights, f"encoder.{block}")
        return _norm(arch, hidden, weights["encoder.norm"]).view(self.batch, self.length, arch.d_model)


class Decode(nn.Module):
    """The decoder without a cache: every output position at once."""

    buckets: Tensor
    future: Tensor

    def __init__(self, arch: Architecture, batch: int, input_len: int, output_len: int) -> None:
        super().__init__()
        self.arch, self.batch, self.input_len, self.length = arch, batch, input_len, output_len
        self.register_buffer("buckets", _pairwise_buckets(arch, output_len, bidirectional=False), persistent=False)
        future = torch.ones(output_len, output_len).triu(diagonal=1) * MASKED
        self.register_buffer("future", future, persistent=False)

    def forward(self, decoder_ids: Tensor, hidden: Tensor, mask: Tensor, weights: Weights) -> Tensor:
        """Scores of every next token; position t depends on ``decoder_ids[:, :t + 1]`` alone.

        Args:
            decoder_ids: int32 [B, T], starting with the decoder's start token; what follows the known tokens is
                ignored as far as the known positions go.
            hidden: float32 [B, L, D], the encoder's output.
            mask: int32 [B, L], as given to the encoder.
            weights: The weights named ``embedding``, ``decoder.*`` and ``lm_head``.

        Returns:
            Logits, float32 [B, T, V].
        """
        arch, size = self.arch, (self.batch, self.length)
        encoded = hidden.view(self.batch * self.input_len, arch.d_model)
        stream = _embed(decoder_ids, weights)
        bias = _bias(self.buckets, weights["decoder.position_bias"]) + self.future
        masked = _masked(mask)
        for block in range(arch.num_decoder_layers):
            name = f"decoder.{block}.self"
            normed = _norm(arch, stream, weights[f"{name}.norm"])
            query = _heads(arch, _linear(normed, weights[f"{name}.query"]), size)
            key = _heads(arch, _linear(normed, weights[f"{name}.key"]), size)
            value = _heads(arch, _linear(normed, weights[f"{name}.value"]), size)
            attended = _attend(query, key, value, bias)
            stream = stream + _linear(attended, weights[f"{name}.output"])
            key, value = _cross(arch, encoded, weights, block, (self.batch, self.input_len))
            stream = _cross_attention(arch, stream, weights, block, size, key, value, masked)
            stream = _feed_forward(arch, stream, weights, f"decoder.{block}")
        return _logits(arch, stream, weights).view(self.batch, self.length, arch.vocab_size)


class Prefill(nn.Module):
    """What the decoder needs of the encoder's output, computed once a batch: cross-attention's keys and values."""

    def __init__(self, arch: Architecture, batch: int, input_len: int) -> None:
        super().__init__()
        self.arch, self.batch, self.input_len = arch, batch, input_len

    def forward(self, hidden: Tensor, weights: Weights) -> tuple[Tensor, ...]:
        """Projects the encoder's output.

        Args:
            hidden: float32 [B, L, D].
            weights: The weights named ``decoder.*.cross.key`` and ``decoder.*.cross.value``.

        Returns:
            The key, then the value, of each decoder layer in turn; each float32 [B, H, L, dk].
        """
        arch = self.arch
        encoded = hidden.view(self.batch * self.input_len, arch.d_model)
        pairs = [_cross(arch, encoded, weights, block, (self.batch, self.input_len))
                 for block in range(arch.num_decoder_layers)]
        return tuple(tensor for pair in pairs for tensor in pair)


class Step(nn.Module):
    """The decoder with a cache: K new tokens a row."""

    buckets: Tensor
    token: Tensor
    key_position: Tensor

    def __init__(self, arch: Architecture, batch: int, input_len: int, output_len: int, tokens: int = 1) -> None:
        super().__init__()
        self.arch, self.batch, self.input_len, self.output_len, self.tokens = arch, batch, input_len, output_len, tokens
        # By how far back a key lies: 0 is the query's own position.
        back = torch.arange(output_len)
        buckets = position_buckets(-back, False, arch.relative_attention_num_buckets,
                                   arch.relative_attention_max_distance)
        self.register_buffer("buckets", buckets.view(output_len, 1), persistent=False)
        self.register_buffer("token", torch.arange(tokens, dtype=torch.int32).view(1, tokens, 1), persistent=False)
        self.register_buffer("key_position", back.to(torch.int32).view(1, 1, output_len), persistent=False)

    def forward(self, token: Tensor, position: Tensor, mask: Tensor, self_cache: list[Tensor],
                cross_cache: list[Tensor], weights: Weights) -> tuple[Tensor, ...]:
        """Scores of the tokens after the given ones.

        Args:
            token: int32 [B, K].
            position: int32 [B], the position of each row's first token; rows need not be at the same one.
            mask: int32 [B, L], as given to the encoder.
            self_cache: Key and value of each layer, float32 [B, H, T, dk]. Positions not yet written must be finite.
            cross_cache: What `Prefill` gave.
            weights: The weights named ``embedding``, ``decoder.*`` but for those of `Prefill`, and ``lm_head``.

        Returns:
            Logits, float32 [B, K, V], and the updated `self_cache` (in the compiled program the caches are written
            in place and only the logits are returned).
        """
        arch, size = self.arch, (self.batch, self.tokens)
        stream = _embed(token, weights)
        back = position.view(self.batch, 1, 1) + self.token - self.key_position
        buckets = functional.embedding(back.clamp(0, self.output_len - 1), self.buckets).view(back.shape)
        bias = functional.embedding(buckets, weights["decoder.position_bias"]).to(torch.float32).permute(0, 3, 1, 2)
        bias = bias + ((back < 0).to(torch.float32) * MASKED).unsqueeze(1)
        masked = _masked(mask)
        updated = []
        for block in range(arch.num_decoder_layers):
            name = f"decoder.{block}.self"
            normed = _norm(arch, stream, weights[f"{name}.norm"])
            query = _heads(arch, _linear(normed, weights[f"{name}.query"]), size)
            new_key = _heads(arch, _linear(normed, weights[f"{name}.key"]), size)
            new_value = _heads(arch, _linear(normed, weights[f"{name}.value"]), size)
            key = write_cache(new_key, position, self_cache[2 * block])
            value = write_cache(new_value, position, self_cache[2 * block + 1])
            updated += [key, value]
            attended = _attend(query, key, value, bias)
            stream = stream + _linear(attended, weights[f"{name}.output"])
            key, value = cross_cache[2 * block], cross_cache[2 * block + 1]
            stream = _cross_attention(arch, stream, weights, block, size, key, value, masked)
            stream = _feed_forward(arch, stream, weights, f"decoder.{block}")
        logits = _logits(arch, stream, weights).view(self.batch, self.tokens, arch.vocab_size)
        return logits, *updated


def _pairwise_buckets(arch: Architecture, length: int, bidirectional: bool) -> Tensor:
    order = torch.arange(length)
    return position_buckets(order[None, :] - order[:, None], bidirectional, arch.relative_attention_num_buckets,
                            arch.relative_attention_max_distance)


def _bias(buckets: Tensor, table: Tensor) -> Tensor:
    """[Q, K] buckets and the [buckets, H] table to float32 [1, H, Q, K]."""
    return functional.embedding(buckets, table).to(torch.float32).permute(2, 0, 1).unsqueeze(0)


def _embed(ids: Tensor, weights: Weights) -> Tensor:
    """int32 [B, L] to float32 [B * L, D]."""
    return functional.embedding(ids.reshape(-1), weights["embedding"]).to(torch.float32)


def _linear(rows: Tensor, weight: Tensor) -> Tensor:
    """[M, in] times [in, out]."""
    return rows @ weight.to(torch.float32)


def _norm(arch: Architecture, rows: Tensor, weight: Tensor) -> Tensor:
    return functional.rms_norm(rows, (arch.d_model,), weight.to(torch.float32), arch.layer_norm_epsilon)


def _heads(arch: Architecture, rows: Tensor, size: tuple[int, int]) -> Tensor:
    """[B * L, H * dk] to [B, H, L, dk]."""
    batch, length = size
    if length == 1:
        return rows.view(batch, arch.num_heads, 1, arch.d_kv)  # the same bytes: nothing to move
    return rows.view(batch, length, arch.num_heads, arch.d_kv).permute(0, 2, 1, 3)


def _masked(mask: Tensor) -> Tensor:
    """int32 [B, L] to what is added to scores, float32 [B, 1, 1, L]: 0 for a token, `MASKED` for padding."""
    return ((mask == 0).to(torch.float32) * MASKED).view(mask.shape[0], 1, 1, mask.shape[1])


def _attend(query: Tensor, key: Tensor, value: Tensor, *biases: Tensor) -> Tensor:
    """Attention of [B, H, Q, dk] over [B, H, K, dk] to [B * Q, H * dk]; `biases` broadcast to [B, H, Q, K]."""
    scores = query @ key.transpose(2, 3)
    for bias in biases:
        scores = scores + bias
    attended = torch.softmax(scores, dim=-1) @ value
    batch, heads, length, width = attended.shape
    if length > 1:
        attended = attended.permute(0, 2, 1, 3)
    return attended.reshape(batch * length, heads * width)


def _cross(arch: Architecture, encoded: Tensor, weights: Weights, block: int,
           size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The encoder's output [B * L, D] to one layer's cross-attention key and value, each [B, H, L, dk]."""
    key = _linear(encoded, weights[f"decoder.{block}.cross.key"])
    value = _linear(encoded, weights[f"decoder.{block}.cross.value"])
    return _heads(arch, key, size), _heads(arch, value, size)


def _cross_attention(arch: Architecture, stream: Tensor, weights: Weights, block: int, size: tuple[int, int],
                     key: Tensor, value: Tensor, masked: Tensor) -> Tensor:
    name = f"decoder.{block}.cross"
    normed = _norm(arch, stream, weights[f"{name}.norm"])
    query = _heads(arch, _linear(normed, weights[f"{name}.query"]), size)
    return stream + _linear(_attend(query, key, value, masked), weights[f"{name}.output"])


def _feed_forward(arch: Architecture, stream: Tensor, weights: Weights, block: str) -> Tensor:
    name = f"{block}.feed_forward"
    normed = _norm(arch, stream, weights[f"{name}.norm"])
    if arch.feed_forward == "gated-gelu":
        gate = _linear(normed, weights[f"{name}.gate"])
        inner = _gelu(gate) * _linear(normed, weights[f"{name}.up"])
    else:
        inner = torch.relu(_linear(normed, weights[f"{name}.up"]))
    return stream + _linear(inner, weights[f"{name}.down"])


def _gelu(x: Tensor) -> Tensor:
    """GELU by tanh ("gelu_new"), spelled out so that the compiler sees a tanh that it can vectorise."""
    return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * (x * x * x))))


def _logits(arch: Architecture, stream: Tensor, weights: Weights) -> Tensor:
    normed = _norm(arch, stream, weights["decoder.norm"])
    if arch.scale_decoder_outputs:
        normed = normed * arch.d_model ** -0.5
    return _linear(normed, weights["lm_head"])

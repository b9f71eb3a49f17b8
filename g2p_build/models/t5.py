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

import torch
from torch import Tensor, nn
from torch.nn import functional

from g2p_build.models import layers
from g2p_build.models.architecture import Architecture
from g2p_build.models.layers import MASKED, Weights

__all__ = ["Decode", "Encode", "Prefill", "Step"]


class Encode(nn.Module):
    """The encoder."""

    buckets: Tensor

    def __init__(self, arch: Architecture, batch: int, input_len: int) -> None:
        super().__init__()
        self.arch, self.batch, self.length = arch, batch, input_len
        self.register_buffer("buckets", layers.pairwise_buckets(arch, input_len, bidirectional=True), persistent=False)

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
        hidden = layers.embed(input_ids, weights)
        bias = layers.position_bias(self.buckets, weights["encoder.position_bias"])
        masked = layers.padding_bias(mask)
        for block in range(arch.num_encoder_layers):
            name = f"encoder.{block}"
            query, key, value = layers.self_query_key_value(arch, hidden, weights, name, size)
            attended = layers.attend(query, key, value, bias, masked)
            hidden = hidden + layers.linear(attended, weights[f"{name}.self.output"])
            hidden = layers.add_feed_forward(arch, hidden, weights, name)
        return layers.norm(arch, hidden, weights["encoder.norm"]).view(self.batch, self.length, arch.d_model)


class Decode(nn.Module):
    """The decoder without a cache: every output position at once."""

    buckets: Tensor
    future: Tensor

    def __init__(self, arch: Architecture, batch: int, input_len: int, output_len: int) -> None:
        super().__init__()
        self.arch, self.batch, self.input_len, self.length = arch, batch, input_len, output_len
        buckets = layers.pairwise_buckets(arch, output_len, bidirectional=False)
        self.register_buffer("buckets", buckets, persistent=False)
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
        stream = layers.embed(decoder_ids, weights)
        bias = layers.position_bias(self.buckets, weights["decoder.position_bias"]) + self.future
        masked = layers.padding_bias(mask)
        for block in range(arch.num_decoder_layers):
            name = f"decoder.{block}"
            query, key, value = layers.self_query_key_value(arch, stream, weights, name, size)
            attended = layers.attend(query, key, value, bias)
            stream = stream + layers.linear(attended, weights[f"{name}.self.output"])
            key, value = layers.cross_key_value(arch, encoded, weights, block, (self.batch, self.input_len))
            stream = layers.add_cross_attention(arch, stream, weights, block, size, key, value, masked)
            stream = layers.add_feed_forward(arch, stream, weights, name)
        return layers.project(arch, stream, weights).view(self.batch, self.length, arch.vocab_size)


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
        pairs = [
            layers.cross_key_value(arch, encoded, weights, block, (self.batch, self.input_len))
            for block in range(arch.num_decoder_layers)
        ]
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
        buckets = layers.position_buckets(
            -back, False, arch.relative_attention_num_buckets, arch.relative_attention_max_distance
        )
        self.register_buffer("buckets", buckets.view(output_len, 1), persistent=False)
        self.register_buffer("token", torch.arange(tokens, dtype=torch.int32).view(1, tokens, 1), persistent=False)
        self.register_buffer("key_position", back.to(torch.int32).view(1, 1, output_len), persistent=False)

    def forward(
        self,
        token: Tensor,
        position: Tensor,
        mask: Tensor,
        self_cache: list[Tensor],
        cross_cache: list[Tensor],
        weights: Weights,
    ) -> tuple[Tensor, ...]:
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
        stream = layers.embed(token, weights)
        back = position.view(self.batch, 1, 1) + self.token - self.key_position
        buckets = functional.embedding(back.clamp(0, self.output_len - 1), self.buckets).view(back.shape)
        bias = functional.embedding(buckets, weights["decoder.position_bias"]).to(torch.float32).permute(0, 3, 1, 2)
        bias = bias + ((back < 0).to(torch.float32) * MASKED).unsqueeze(1)
        masked = layers.padding_bias(mask)
        updated = []
        for block in range(arch.num_decoder_layers):
            name = f"decoder.{block}"
            query, new_key, new_value = layers.self_query_key_value(arch, stream, weights, name, size)
            key = layers.write_cache(new_key, position, self_cache[2 * block])
            value = layers.write_cache(new_value, position, self_cache[2 * block + 1])
            updated += [key, value]
            attended = layers.attend(query, key, value, bias)
            stream = stream + layers.linear(attended, weights[f"{name}.self.output"])
            key, value = cross_cache[2 * block], cross_cache[2 * block + 1]
            stream = layers.add_cross_attention(arch, stream, weights, block, size, key, value, masked)
            stream = layers.add_feed_forward(arch, stream, weights, name)
        logits = layers.project(arch, stream, weights).view(self.batch, self.tokens, arch.vocab_size)
        return logits, *updated

"""T5 as torch modules with static shapes, which torch.export takes whole.

There are four programs. `Encode` is the encoder. `Decode` is the decoder without a cache: it reruns the whole output
for every token. `Prefill` and `Step` are the decoder with a cache. Each program takes its weights as an argument, in
the layout of `weights`, and computes in float32 whatever dtype they have. Programs call the operations of `ops`. The
residual stream is [rows, d_model], with one row for each position.

T5 differs from other transformers. Attention scores are not scaled. Each stack has one table of relative position
biases, which its layers share, and cross-attention has none. RMSNorm has neither mean nor bias. A tied output
projection scales its input by ``d_model ** -0.5``. ``num_heads * d_kv`` need not be ``d_model``.
(Raffel et al., "Exploring the Limits of Transfer Learning", 2020, as implemented by transformers' T5.)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from g2p_build.models import layers, ops
from g2p_build.models.architecture import Architecture
from g2p_build.models.layers import Decoding, Weights

__all__ = ["Decode", "Encode", "Prefill", "Step"]


class Encode(nn.Module):
    """The encoder."""

    buckets: Tensor

    def __init__(self, arch: Architecture, input_len: int) -> None:
        super().__init__()
        self.arch = arch
        self.register_buffer("buckets", layers.encoder_buckets(arch, input_len), persistent=False)

    def forward(self, input_ids: Tensor, length: Tensor, weights: Weights) -> Tensor:
        """Encodes a batch of inputs.

        Args:
            input_ids: int32 [M], packed: the first row's tokens, then the second's, and so on.
            length: int32 [B], how many tokens each row has; at most L.
            weights: The weights named ``embedding`` and ``encoder.*``.

        Returns:
            float32 [M, D], packed.
        """
        arch = self.arch
        stream = ops.embed(input_ids, weights["embedding"])
        bias = ops.spread_bias(self.buckets, weights["encoder.position_bias"])
        for block in range(arch.num_encoder_layers):
            name = f"encoder.{block}"
            query_key_value = layers.query_key_value(arch, stream, weights, name)
            attended = ops.attend_encoder(query_key_value, bias, length)
            stream = layers.add(stream, attended, weights[f"{name}.self.output"])
            stream = layers.add_feed_forward(arch, stream, weights, name)
        return ops.norm(stream, weights["encoder.norm"], arch.layer_norm_epsilon)


class Prefill(nn.Module):
    """Computes what the decoder needs of the encoder's output, once a batch: the keys and values of cross-attention."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.arch = arch

    def forward(
        self, hidden: Tensor, length: Tensor, cross_cache: list[Tensor], weights: Weights
    ) -> tuple[Tensor, ...]:
        """Projects the encoder's output.

        Args:
            hidden: float32 [M, D], packed.
            length: int32 [B], as given to the encoder.
            cross_cache: Key and value of each decoder layer, as `ops.attend_cross` takes them, for L positions or more.
            weights: The weights named ``decoder.*.cross.key_value``.

        Returns:
            The updated `cross_cache`. In the compiled program these are the caller's own tensors.
        """
        updated: list[Tensor] = []
        for block in range(self.arch.num_decoder_layers):
            cache = cross_cache[2 * block : 2 * block + 2]
            updated += layers.cross_key_value(self.arch, hidden, length, weights, block, *cache)
        return tuple(updated)


class Step(nn.Module):
    """The decoder with a cache. It takes Q new tokens a row."""

    buckets: Tensor

    def __init__(self, arch: Architecture, batch: int, output_len: int, tokens: int) -> None:
        super().__init__()
        self.arch, self.batch, self.tokens = arch, batch, tokens
        self.register_buffer("buckets", layers.decoder_buckets(arch, output_len), persistent=False)

    def forward(
        self,
        token: Tensor,
        position: Tensor,
        length: Tensor,
        self_cache: list[Tensor],
        cross_cache: list[Tensor],
        weights: Weights,
    ) -> tuple[Tensor, ...]:
        """Scores what may follow each of the given tokens.

        Args:
            token: int32 [B, Q].
            position: int32 [B], the position of each row's first token. Rows may be at different positions.
            length: int32 [B], as given to the encoder.
            self_cache: Key and value of each layer, as `ops.attend_self` takes them. All numbers in them are finite.
            cross_cache: What `Prefill` gave.
            weights: The weights named ``embedding``, ``lm_head`` and ``decoder.*``, without those of `Prefill`.

        Returns:
            Three things: the ids of the greatest logits, int32 [B, Q], the first one if several are equal; the logits,
            float32 [B, Q, V]; and the updated `self_cache`. The compiled program does not return the caches: it writes
            them in place.
        """
        arch = self.arch
        stream = ops.embed(token.view(-1), weights["embedding"])
        shared = Decoding(arch, weights, position, length, self.buckets)
        updated: list[Tensor] = []
        for block in range(arch.num_decoder_layers):
            mine, cross = self_cache[2 * block : 2 * block + 2], cross_cache[2 * block : 2 * block + 2]
            stream, *written = layers.decoder_block(shared, stream, block, mine, cross)
            updated += written
        logits, ids = layers.project(arch, stream, weights)
        shape = self.batch, self.tokens
        return ids.view(shape), logits.view(*shape, arch.vocab_size), *updated


class Decode(nn.Module):
    """The decoder without a cache. It computes every output position at once."""

    buckets: Tensor
    position: Tensor

    def __init__(self, arch: Architecture, batch: int, output_len: int) -> None:
        super().__init__()
        self.arch, self.batch, self.length = arch, batch, output_len
        self.register_buffer("buckets", layers.decoder_buckets(arch, output_len), persistent=False)
        self.register_buffer("position", torch.zeros(batch, dtype=torch.int32), persistent=False)

    def forward(self, decoder_ids: Tensor, hidden: Tensor, length: Tensor, weights: Weights) -> tuple[Tensor, Tensor]:
        """Scores every next token. Position t depends on ``decoder_ids[:, :t + 1]`` alone.

        Args:
            decoder_ids: int32 [B, T], the decoder's start token first. What follows the known tokens has no influence
                on their positions.
            hidden: float32 [M, D], the encoder's output; M is B * L.
            length: int32 [B], as given to the encoder.
            weights: The weights named ``embedding``, ``decoder.*`` and ``lm_head``.

        Returns:
            As `Step`: ids, int32 [B, T], and logits, float32 [B, T, V].
        """
        arch = self.arch
        stream = ops.embed(decoder_ids.view(-1), weights["embedding"])
        shared = Decoding(arch, weights, self.position, length, self.buckets)
        for block in range(arch.num_decoder_layers):
            cross = layers.cross_key_value(arch, hidden, length, weights, block)
            stream, *_ = layers.decoder_block(shared, stream, block, (), cross)
        logits, ids = layers.project(arch, stream, weights)
        return ids.view(self.batch, self.length), logits.view(self.batch, self.length, arch.vocab_size)

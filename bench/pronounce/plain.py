"""T5 in torch's own operations, for libraries that are fed exported graphs: what a careful user would write for them.

The project's own modules are written in operations that only its compiler knows. These have their weights inside and
compute the same: `Encode` gives cross-attention's keys and values, a step takes one token a row, all rows at one
position. How a step keeps the keys and values of earlier tokens is what the libraries differ in: `CachedStep` keeps
them in buffers of its own, `PastStep` takes and gives them longer by one, `FilledStep` takes and gives whole caches.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from g2p_build.models.architecture import Architecture, from_json
from g2p_build.models.layers import position_buckets

__all__ = ["CachedStep", "Encode", "FilledStep", "PastStep", "State", "cache_shape", "read"]

State = dict[str, Tensor]
Pair = tuple[Tensor, Tensor]
Extend = Callable[[int, Tensor, Tensor], Pair]  # a block, new keys and values → all of that block's

_MASKED = -1e9  # far below any score, and nothing overflows where two of them meet


def read(folder: Path) -> tuple[Architecture, State]:
    """The architecture and tensors (by transformers' names) that the checkpoint stage wrote."""
    from safetensors.torch import load_file

    return from_json(json.loads((folder / "architecture.json").read_bytes())), load_file(folder / "model.safetensors")


def cache_shape(arch: Architecture, rows: int, length: int) -> tuple[int, int, int, int]:
    """Of one layer's keys or values."""
    return rows, arch.num_heads, length, arch.d_kv


class Encode(nn.Module):
    """The encoder, and the projections of its output that cross-attention reads."""

    bias: Tensor

    def __init__(self, arch: Architecture, state: State, input_len: int, padding: int = 0) -> None:
        super().__init__()
        self.arch, self.padding = arch, padding
        self.embedding = nn.Embedding.from_pretrained(state["shared.weight"])
        self.attentions = nn.ModuleList(
            _Attention(arch, state, f"encoder.block.{block}.layer.0") for block in range(arch.num_encoder_layers)
        )
        self.feeds = nn.ModuleList(
            _FeedForward(arch, state, f"encoder.block.{block}.layer.1") for block in range(arch.num_encoder_layers)
        )
        self.norm = _Norm(arch, state["encoder.final_layer_norm.weight"])
        crosses = [f"decoder.block.{block}.layer.1.EncDecAttention" for block in range(arch.num_decoder_layers)]
        self.keys = nn.ModuleList(_linear(state[f"{name}.k.weight"]) for name in crosses)
        self.values = nn.ModuleList(_linear(state[f"{name}.v.weight"]) for name in crosses)
        order = torch.arange(input_len)
        self.register_buffer("bias", _bias(arch, state, "encoder", order[None, :] - order[:, None]))

    def forward(self, input_ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Encodes.

        Args:
            input_ids: int64 [B, L], L at most `input_len`.
            mask: float32 [B, L], 1 for a token and 0 for padding.

        Returns:
            The key, then the value, of each decoder layer in turn; each float32 [B, H, L + `padding`, dk].
        """
        length = input_ids.shape[1]
        bias = self.bias[:, :, :length, :length] + _masked(mask)
        stream = self.embedding(input_ids)
        for attention, feed in zip(self.attentions, self.feeds, strict=True):
            stream = feed(attention(stream, bias, lambda key, value: (key, value)))
        hidden = self.norm(stream)
        pairs = [(key(hidden), value(hidden)) for key, value in zip(self.keys, self.values, strict=True)]
        tensors = [_split(self.arch, tensor) for pair in pairs for tensor in pair]
        return tuple(functional.pad(tensor, (0, 0, 0, self.padding)) if self.padding else tensor for tensor in tensors)


class _Decoder(nn.Module):
    """The decoder for one token a row, without a place for the keys and values."""

    bias: Tensor

    def __init__(self, arch: Architecture, state: State, output_len: int) -> None:
        super().__init__()
        self.arch = arch
        blocks = [f"decoder.block.{block}" for block in range(arch.num_decoder_layers)]
        self.embedding = nn.Embedding.from_pretrained(state["shared.weight"])
        self.attentions = nn.ModuleList(_Attention(arch, state, f"{block}.layer.0") for block in blocks)
        self.crosses = nn.ModuleList(_Query(arch, state, f"{block}.layer.1") for block in blocks)
        self.feeds = nn.ModuleList(_FeedForward(arch, state, f"{block}.layer.2") for block in blocks)
        self.norm = _Norm(arch, state["decoder.final_layer_norm.weight"])
        head = state["lm_head.weight" if arch.separate_lm_head else "shared.weight"]
        self.head = _linear(head * arch.d_model**-0.5 if arch.scale_decoder_outputs else head)
        order = torch.arange(output_len)
        bias = _bias(arch, state, "decoder", order[None, :] - order[:, None])
        self.register_buffer("bias", bias + torch.ones(output_len, output_len).triu(1) * _MASKED)

    def step(self, token: Tensor, bias: Tensor, masked: Tensor, cross: Sequence[Tensor], extend: Extend) -> Tensor:
        """The logits [B, V] that follow tokens [B, 1]."""
        stream = self.embedding(token)
        for block, (attention, query, feed) in enumerate(zip(self.attentions, self.crosses, self.feeds, strict=True)):
            stream = attention(stream, bias, partial(extend, block))
            stream = feed(query(stream, cross[2 * block], cross[2 * block + 1], masked))
        logits: Tensor = self.head(self.norm(stream))
        return logits[:, 0]


class CachedStep(_Decoder):
    """Keys and values in buffers of the module: ExecuTorch keeps those between calls."""

    def __init__(self, arch: Architecture, state: State, rows: int, output_len: int) -> None:
        super().__init__(arch, state, output_len)
        for block in range(arch.num_decoder_layers):
            for part in ("key", "value"):
                self.register_buffer(f"{part}_{block}", torch.zeros(cache_shape(arch, rows, output_len)))

    def forward(self, token: Tensor, position: Tensor, mask: Tensor, *cross: Tensor) -> Tensor:
        """Logits, float32 [B, V].

        Args:
            token: int64 [B, 1].
            position: int64 [1].
            mask: float32 [B, L], as given to the encoder.
            cross: what `Encode` gave.
        """

        def extend(block: int, key: Tensor, value: Tensor) -> Pair:
            caches: list[Tensor] = [getattr(self, f"{part}_{block}") for part in ("key", "value")]
            return caches[0].index_copy_(2, position, key), caches[1].index_copy_(2, position, value)

        return self.step(token, self.bias.index_select(2, position), _masked(mask), cross, extend)


class FilledStep(_Decoder):
    """Whole caches in and out, for compilers of pure functions."""

    def forward(
        self, token: Tensor, position: Tensor, mask: Tensor, caches: list[Tensor], cross: list[Tensor]
    ) -> tuple[Tensor, ...]:
        """Logits, float32 [B, V], then the caches with this token's keys and values.

        Args:
            token: int32 [B, 1].
            position: int32 [1].
            mask: float32 [B, L].
            caches: the key and value of each layer, float32 [B, H, T, dk].
            cross: what `Encode` gave.
        """
        updated: list[Tensor] = []
        here = (torch.arange(self.bias.shape[-1]) == position).view(1, 1, -1, 1)

        def extend(block: int, key: Tensor, value: Tensor) -> Pair:
            pair = torch.where(here, key, caches[2 * block]), torch.where(here, value, caches[2 * block + 1])
            updated.extend(pair)
            return pair

        logits = self.step(token, self.bias.index_select(2, position), _masked(mask), cross, extend)
        return logits, *updated


class PastStep(_Decoder):
    """Past keys and values in, the same longer by one out: what ONNX exporters make."""

    def forward(self, token: Tensor, mask: Tensor, past: list[Tensor], cross: list[Tensor]) -> tuple[Tensor, ...]:
        """Logits, float32 [B, V], then the key and value of each layer, float32 [B, H, P + 1, dk].

        Args:
            token: int64 [B, 1].
            mask: float32 [B, L].
            past: the same for the tokens before, float32 [B, H, P, dk]; empty for the first token.
            cross: what `Encode` gave.
        """
        present: list[Tensor] = []

        def extend(block: int, key: Tensor, value: Tensor) -> Pair:
            if past:
                key = torch.cat([past[2 * block], key], 2)
                value = torch.cat([past[2 * block + 1], value], 2)
            present.extend((key, value))
            return key, value

        before = past[0].shape[2] if past else 0
        bias = self.bias[:, :, before : before + 1, : before + 1]
        return self.step(token, bias, _masked(mask), cross, extend), *present


class _Query(nn.Module):
    """A stream plus its attention to keys and values from elsewhere."""

    def __init__(self, arch: Architecture, state: State, layer: str) -> None:
        super().__init__()
        self.arch = arch
        self.norm = _Norm(arch, state[f"{layer}.layer_norm.weight"])
        self.q, self.o = (_linear(state[f"{layer}.EncDecAttention.{part}.weight"]) for part in "qo")

    def forward(self, stream: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        return stream + self.o(_attend(_split(self.arch, self.q(self.norm(stream))), key, value, bias))


class _Attention(nn.Module):
    """A stream plus its attention to keys and values: its own, as `extend` returns them."""

    def __init__(self, arch: Architecture, state: State, layer: str) -> None:
        super().__init__()
        self.arch = arch
        self.norm = _Norm(arch, state[f"{layer}.layer_norm.weight"])
        self.q, self.k, self.v, self.o = (_linear(state[f"{layer}.SelfAttention.{part}.weight"]) for part in "qkvo")

    def forward(self, stream: Tensor, bias: Tensor, extend: Callable[[Tensor, Tensor], Pair]) -> Tensor:
        normed = self.norm(stream)
        query, key, value = (_split(self.arch, part(normed)) for part in (self.q, self.k, self.v))
        return stream + self.o(_attend(query, *extend(key, value), bias))


def _split(arch: Architecture, rows: Tensor) -> Tensor:
    """[B, L, H * dk] to [B, H, L, dk]."""
    return rows.view(rows.shape[0], rows.shape[1], arch.num_heads, arch.d_kv).transpose(1, 2)


def _attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Attention of [B, H, Q, dk] over [B, H, K, dk] to [B, Q, H * dk]."""
    batch, heads, length = query.shape[:3]
    # Products of three dimensions: those of four are copied into three by some exporters.
    scores = torch.bmm(query.flatten(0, 1), key.flatten(0, 1).transpose(1, 2)).view(batch, heads, length, -1)
    attended = torch.bmm(torch.softmax(scores + bias, -1).flatten(0, 1), value.flatten(0, 1))
    return attended.view(batch, heads, length, -1).transpose(1, 2).flatten(2)


class _FeedForward(nn.Module):
    def __init__(self, arch: Architecture, state: State, layer: str) -> None:
        super().__init__()
        self.norm = _Norm(arch, state[f"{layer}.layer_norm.weight"])
        gated = arch.feed_forward == "gated-gelu"
        names = ("wi_0", "wi_1") if gated else ("wi",)
        self.inside = nn.ModuleList(_linear(state[f"{layer}.DenseReluDense.{name}.weight"]) for name in names)
        self.down = _linear(state[f"{layer}.DenseReluDense.wo.weight"])

    def forward(self, stream: Tensor) -> Tensor:
        normed = self.norm(stream)
        if len(self.inside) == 2:
            inner = _gelu(self.inside[0](normed)) * self.inside[1](normed)
        else:
            inner = functional.relu(self.inside[0](normed))
        return stream + self.down(inner)


def _gelu(x: Tensor) -> Tensor:
    """GELU by tanh, spelled out: XNNPACK's delegate takes torch's for the exact one, 5e-4 away."""
    return 0.5 * x * (1.0 + torch.tanh(0.7978845608028654 * (x + 0.044715 * (x * x * x))))


class _Norm(nn.Module):
    def __init__(self, arch: Architecture, weight: Tensor) -> None:
        super().__init__()
        self.weight, self.epsilon = nn.Parameter(weight, requires_grad=False), arch.layer_norm_epsilon

    def forward(self, rows: Tensor) -> Tensor:
        return rows * torch.rsqrt((rows * rows).mean(-1, keepdim=True) + self.epsilon) * self.weight


def _linear(weight: Tensor) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    linear.weight = nn.Parameter(weight, requires_grad=False)
    return linear


def _bias(arch: Architecture, state: State, stack: str, distance: Tensor) -> Tensor:
    """The position biases of queries and keys at some distances [Q, K]: float32 [1, H, Q, K]."""
    buckets = position_buckets(
        distance, stack == "encoder", arch.relative_attention_num_buckets, arch.relative_attention_max_distance
    )
    table = state[f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
    return functional.embedding(buckets, table).permute(2, 0, 1).unsqueeze(0).contiguous()


def _masked(mask: Tensor) -> Tensor:
    """float32 [B, L] to what is added to scores, float32 [B, 1, 1, L]."""
    return ((1.0 - mask) * _MASKED)[:, None, None, :]

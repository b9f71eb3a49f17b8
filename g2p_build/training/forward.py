"""T5's forward pass with nothing in it that training does not need, on the tensors of a checkpoint.

It computes what transformers' `T5ForConditionalGeneration` computes (a test compares logits and gradients), with fewer
and larger operations: on the CPU that is where the time outside the matrix products goes.

The matrix products are computed in the type of the matrices. The residual stream, the norms and the softmax are always
float32, so matrices in bfloat16 cost no more precision than their own products do.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.models.t5.modeling_t5 import T5Attention

from g2p_build.models.architecture import EMBEDDINGS, Architecture
from g2p_build.reference.generate import PAD
from g2p_build.training.muon import is_block_matrix

__all__ = ["IGNORED", "logits_of", "loss_of", "matrices_in"]

IGNORED = -100
"""The label of positions behind a row's end, which count for nothing."""

Weights = Mapping[str, Tensor]


def matrices_in(weights: Weights, dtype: torch.dtype) -> dict[str, Tensor]:
    """The weights with what they are multiplied by in another type; what is not a factor stays float32.

    Args:
        weights: a checkpoint's tensors in float32, as `checkpoint_tensors` names them.
        dtype: of the matrix products.

    Returns:
        Tensors that share no gradients with those given. Those that keep their type share the values.
    """
    factors = {name for name in weights if is_block_matrix(name)} | {EMBEDDINGS[0], "lm_head.weight"}
    return {name: weight.detach().to(dtype if name in factors else torch.float32) for name, weight in weights.items()}


def loss_of(architecture: Architecture, weights: Weights, ids: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of the labels, summed over the positions that are not `IGNORED`."""
    logits = logits_of(architecture, weights, ids, labels)
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum")


def logits_of(architecture: Architecture, weights: Weights, ids: Tensor, labels: Tensor) -> Tensor:
    """What the model expects at each position of the labels, given the ones before.

    Args:
        architecture: the model's.
        weights: its tensors, as `checkpoint_tensors` names them.
        ids: prompts [rows, width], `PAD` behind the shorter ones.
        labels: answers [rows, length], `IGNORED` behind the shorter ones.

    Returns:
        [rows, length, vocabulary], not normalised.
    """
    padding = ids == PAD
    # Batches of one length are common, and need no mask.
    hidden = _masked(padding[:, None, None]) if padding.any() else None
    memory = _encode(architecture, weights, ids, hidden)
    inputs = torch.cat([torch.full_like(labels[:, :1], PAD), labels[:, :-1].clamp(min=PAD)], 1)
    x = _decode(architecture, weights, inputs, memory, hidden)
    if architecture.scale_decoder_outputs:
        x = x * architecture.d_model**-0.5
    head = weights["lm_head.weight" if architecture.separate_lm_head else EMBEDDINGS[0]]
    return F.linear(x.to(head.dtype), head).float()


def _encode(arch: Architecture, weights: Weights, ids: Tensor, hidden: Tensor | None) -> Tensor:
    x = F.embedding(ids, weights[EMBEDDINGS[0]]).float()
    bias = _position_bias(arch, weights, "encoder", ids.shape[1])
    bias = bias if hidden is None else bias + hidden
    for block in range(arch.num_encoder_layers):
        x = _attend(arch, weights, f"encoder.block.{block}.layer.0", "SelfAttention", x, None, bias)
        x = _feed_forward(arch, weights, f"encoder.block.{block}.layer.1", x)
    return _norm(arch, x, weights["encoder.final_layer_norm.weight"])


def _decode(arch: Architecture, weights: Weights, ids: Tensor, memory: Tensor, hidden: Tensor | None) -> Tensor:
    x = F.embedding(ids, weights[EMBEDDINGS[0]]).float()
    length = ids.shape[1]
    later = torch.ones(length, length, dtype=torch.bool).triu(1)
    bias = _position_bias(arch, weights, "decoder", length) + _masked(later)
    for block in range(arch.num_decoder_layers):
        x = _attend(arch, weights, f"decoder.block.{block}.layer.0", "SelfAttention", x, None, bias)
        x = _attend(arch, weights, f"decoder.block.{block}.layer.1", "EncDecAttention", x, memory, hidden)
        x = _feed_forward(arch, weights, f"decoder.block.{block}.layer.2", x)
    return _norm(arch, x, weights["decoder.final_layer_norm.weight"])


def _attend(
    arch: Architecture, weights: Weights, layer: str, kind: str, x: Tensor, memory: Tensor | None, bias: Tensor | None
) -> Tensor:
    """The residual stream after attention to itself, or to the memory where there is one."""
    dtype = weights[f"{layer}.{kind}.q.weight"].dtype
    inputs = _norm(arch, x, weights[f"{layer}.layer_norm.weight"]).to(dtype)
    memory = inputs if memory is None else memory.to(dtype)
    sources = {"q": inputs, "k": memory, "v": memory}
    q, k, v = (
        F.linear(source, weights[f"{layer}.{kind}.{part}.weight"])
        .view(*source.shape[:2], arch.num_heads, arch.d_kv)
        .transpose(1, 2)
        for part, source in sources.items()
    )
    scores = (q @ k.transpose(2, 3)).float()  # T5 does not scale them
    mixed = torch.softmax(scores if bias is None else scores + bias, -1).to(dtype) @ v
    return x + F.linear(mixed.transpose(1, 2).flatten(2), weights[f"{layer}.{kind}.o.weight"])


def _feed_forward(arch: Architecture, weights: Weights, layer: str, x: Tensor) -> Tensor:
    last = weights[f"{layer}.DenseReluDense.wo.weight"]
    inputs = _norm(arch, x, weights[f"{layer}.layer_norm.weight"]).to(last.dtype)
    if arch.feed_forward == "gated-gelu":
        gate = F.gelu(F.linear(inputs, weights[f"{layer}.DenseReluDense.wi_0.weight"]), approximate="tanh")
        wide = gate * F.linear(inputs, weights[f"{layer}.DenseReluDense.wi_1.weight"])
    else:
        wide = F.relu(F.linear(inputs, weights[f"{layer}.DenseReluDense.wi.weight"]))
    return x + F.linear(wide, last)


def _norm(arch: Architecture, x: Tensor, scale: Tensor) -> Tensor:
    return F.rms_norm(x, scale.shape, scale, arch.layer_norm_epsilon)


def _position_bias(arch: Architecture, weights: Weights, stack: str, length: int) -> Tensor:
    """What a stack adds to its scores, by head and distance: [1, heads, length, length]."""
    buckets = _buckets(
        length, stack == "encoder", arch.relative_attention_num_buckets, arch.relative_attention_max_distance
    )
    table = weights[f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
    return F.embedding(buckets, table).permute(2, 0, 1)[None]


@cache
def _buckets(length: int, bidirectional: bool, count: int, furthest: int) -> Tensor:
    positions = torch.arange(length)
    buckets: Tensor = T5Attention._relative_position_bucket(
        positions[None] - positions[:, None], bidirectional, count, furthest
    )
    return buckets


def _masked(where: Tensor) -> Tensor:
    return torch.zeros(where.shape).masked_fill_(where, torch.finfo(torch.float32).min)

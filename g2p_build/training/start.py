"""What a run starts from: random weights or another checkpoint, and what that has been trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import T5ForConditionalGeneration

from g2p_build.checkpoints.files import local_files
from g2p_build.checkpoints.random_weights import architecture_from_shape
from g2p_build.checkpoints.tensors import read_checkpoint
from g2p_build.errors import BuildError
from g2p_build.models.architecture import Architecture, checkpoint_tensors
from g2p_build.reference.pretrained import as_config

__all__ = ["RECORD", "SHAPE", "Start", "start"]

SHAPE: dict[str, Any] = {
    "d_model": 192,
    "d_kv": 64,
    "d_ff": 512,
    "num_heads": 4,
    "num_layers": 4,
    "num_decoder_layers": 2,
    "feed_forward_proj": "gated-gelu",
    "tie_word_embeddings": False,
    "relative_attention_num_buckets": 32,
    "relative_attention_max_distance": 128,
    "vocab_size": 384,
    "layer_norm_epsilon": 1e-6,
}
"""The embedded checkpoint's."""

RECORD = "training.json"
"""The file beside the weights that says what they have been trained on."""


@dataclass(frozen=True)
class Start:
    """What a run starts from.

    Attributes:
        architecture: the model's.
        weights: its tensors in float32, as leaves that gradients are taken of.
        legs: the runs that the weights have been through, from their record.
    """

    architecture: Architecture
    weights: dict[str, Tensor]
    legs: list[Any]


def start(init: Path | None, shape: Mapping[str, Any], seed: int) -> Start:
    """Reads a checkpoint, or draws weights.

    Args:
        init: the checkpoint's folder; None: the weights are random.
        shape: for random weights, the fields that differ from `SHAPE`.
        seed: of the random weights.

    Raises:
        BuildError: the checkpoint, its record or the shape cannot be used.
    """
    legs: list[Any] = []
    if init is not None:
        architecture, state = read_checkpoint(local_files(init))
        if architecture.separate_lm_head and torch.equal(state["lm_head.weight"], state["shared.weight"]):
            # One matrix that was saved under two names (as `save_checkpoint` does) goes on being one.
            architecture = replace(architecture, separate_lm_head=False)
        if (init / RECORD).is_file():
            legs = _legs(init / RECORD)
    else:
        architecture = replace(architecture_from_shape({**SHAPE, **shape}), separate_lm_head=False)
        torch.manual_seed(seed)
        model = T5ForConditionalGeneration(as_config(architecture))
        # At a standard deviation of 0.3 the model had not learnt to align letters with phonemes after 780,000 words.
        torch.nn.init.normal_(model.shared.weight, std=architecture.d_model**-0.5)
        state = model.state_dict()
    names = checkpoint_tensors(architecture)
    weights = {name: state[name].detach().clone().float().requires_grad_() for name in names}
    return Start(architecture, weights, legs)


def _legs(path: Path) -> list[Any]:
    try:
        legs = json.loads(path.read_bytes())["legs"]
        sum(leg["words"] for leg in legs)
    except (ValueError, KeyError, TypeError):
        raise BuildError(f"{path} is not a record of training: repair or remove it") from None
    return list(legs)

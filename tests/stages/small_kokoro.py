"""A small Kokoro with random weights, written in the ways that checkpoints are published."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from g2p_build.checkpoints.kokoro.random_weights import random_checkpoint
from g2p_build.models.kokoro.architecture import Architecture, to_json

SHAPE = {
    "hidden_dim": 32,
    "style_dim": 16,
    "n_layer": 2,
    "decoder_dim": 64,
    "residual_dim": 16,
    "upsample_initial_channel": 32,
    "bert_hidden_size": 48,
    "bert_embedding_size": 16,
    "bert_num_attention_heads": 3,
    "bert_intermediate_size": 96,
    "bert_num_hidden_layers": 2,
}

VOCABULARY = {";": 1, " ": 16, "a": 43, "ʤ": 82, "ˈ": 156}


def checkpoint(seed: int = 0, **shape: int) -> tuple[Architecture, dict[str, torch.Tensor]]:
    """Its architecture and its tensors."""
    return random_checkpoint(SHAPE | shape, seed)


def config_of(architecture: Architecture) -> dict[str, Any]:
    """A `config.json` with upstream's fields, some of which no model depends on."""
    fields = to_json(architecture)
    own = {name: fields[name] for name in ("n_token", "hidden_dim", "n_layer", "style_dim", "max_dur")}
    net = {name: value for name, value in fields["istftnet"].items() if name != "harmonics"}
    return {
        **own,
        "text_encoder_kernel_size": fields["text_encoder_kernel_size"],
        "istftnet": net,
        "plbert": fields["plbert"] | {"dropout": 0.1},
        "n_mels": 80,
        "dropout": 0.2,
        "multispeaker": True,
        "vocab": VOCABULARY,
    }


def unfolded(state: dict[str, torch.Tensor], wrapped: str = "") -> OrderedDict[str, OrderedDict[str, torch.Tensor]]:
    """The tensors as upstream publishes them: by module, with weight norm, without the norms that do nothing.

    Args:
        state: the tensors.
        wrapped: what is before each name within a module: "module.".
    """
    found: OrderedDict[str, OrderedDict[str, torch.Tensor]] = OrderedDict()
    for name, tensor in state.items():
        module, _, inner = name.partition(".")
        table = found.setdefault(module, OrderedDict())
        if ".norm." in name:
            continue
        plain = "noise_convs" in name or "_proj" in name
        if tensor.dim() == 3 and name.endswith(".weight") and not plain:
            table[f"{wrapped}{inner}_v"] = tensor * 2
            table[f"{wrapped}{inner}_g"] = tensor.flatten(1).norm(dim=1).reshape(-1, 1, 1)
        else:
            table[f"{wrapped}{inner}"] = tensor
    found["bert"][f"{wrapped}pooler.weight"] = torch.ones(3, 3)
    found["bert"][f"{wrapped}embeddings.position_ids"] = torch.arange(512)[None]
    return found


def write(folder: Path, config: dict[str, Any] | None, weights: Any, name: str = "kokoro-v1_0.pth") -> Path:
    """Writes a checkpoint's folder: with torch.save, or as safetensors if the name says so."""
    folder.mkdir(parents=True, exist_ok=True)
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    if name.endswith(".safetensors"):
        save_file(weights, folder / name)
    else:
        torch.save(weights, folder / name)
    return folder

"""Writes small checkpoints in transformers' formats, and runs the stage on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from g2p_build.checkpoints.random_weights import random_checkpoint
from g2p_build.stages import checkpoint as stage

SHAPE: dict[str, Any] = {
    "d_model": 24,
    "d_kv": 5,
    "d_ff": 40,
    "num_heads": 3,
    "num_layers": 2,
    "num_decoder_layers": 1,
    "feed_forward_proj": "gated-gelu",
    "tie_word_embeddings": False,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 20,
    "vocab_size": 384,
    "layer_norm_epsilon": 1e-6,
}


def checkpoint(seed: int = 0, **shape: Any) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """A `config.json` and the tensors that go with it."""
    fields = SHAPE | shape
    return {"model_type": "t5", **fields}, random_checkpoint(fields, seed)[1]


def write(folder: Path, config: dict[str, Any], state: dict[str, torch.Tensor]) -> Path:
    """Writes a checkpoint's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def write_sharded(folder: Path, config: dict[str, Any], state: dict[str, torch.Tensor]) -> Path:
    """Writes a checkpoint's folder with its weights in two shards and an index."""
    write(folder, config, state)
    (folder / "model.safetensors").unlink()
    weight_map = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(sorted(state))}
    for shard in set(weight_map.values()):
        save_file({name: state[name] for name in state if weight_map[name] == shard}, folder / shard)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def write_pickled(folder: Path, config: dict[str, Any], value: object) -> Path:
    """Writes a checkpoint's folder with a pickle of weights (or of anything else)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    torch.save(value, folder / "pytorch_model.bin")
    return folder


def built(tmp_path: Path, folder: Path) -> dict[str, bytes]:
    """Runs the stage on a folder. Returns the output's name → bytes."""
    return run(tmp_path, {"source": "path"}, stage.source_files((folder,)))


def run(tmp_path: Path, params: dict[str, Any], inputs: dict[str, Path]) -> dict[str, bytes]:
    """Runs the stage. Returns the output's name → bytes."""
    out = tmp_path / f"out{len(list(tmp_path.glob('out*')))}"
    out.mkdir()
    stage.build(params, inputs, out)
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}

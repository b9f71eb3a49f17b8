"""Checkpoints for transformers: makes its model from our architecture and tensors, and saves a trained model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save
from transformers import T5Config, T5ForConditionalGeneration

from g2p_build.models.architecture import EMBEDDINGS, Architecture, checkpoint_tensors

__all__ = ["as_config", "as_model", "save_checkpoint", "write_whole"]


def as_config(architecture: Architecture) -> T5Config:
    """The transformers config of an architecture, with ByT5's special ids and no dropout."""
    return T5Config(
        vocab_size=architecture.vocab_size,
        d_model=architecture.d_model,
        d_kv=architecture.d_kv,
        d_ff=architecture.d_ff,
        num_heads=architecture.num_heads,
        num_layers=architecture.num_encoder_layers,
        num_decoder_layers=architecture.num_decoder_layers,
        relative_attention_num_buckets=architecture.relative_attention_num_buckets,
        relative_attention_max_distance=architecture.relative_attention_max_distance,
        layer_norm_epsilon=architecture.layer_norm_epsilon,
        feed_forward_proj=architecture.feed_forward,
        dropout_rate=0.0,
        # transformers 5 reads this field only to decide whether to scale the decoder's output.
        tie_word_embeddings=architecture.scale_decoder_outputs,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )


def as_model(architecture: Architecture, state: Mapping[str, torch.Tensor]) -> T5ForConditionalGeneration:
    """The transformers model of a checkpoint, in evaluation mode.

    Args:
        architecture: its architecture.
        state: its tensors by name, float32, as `checkpoint_tensors` lists them. The model shares their memory.
    """
    with torch.device("meta"):
        model = T5ForConditionalGeneration(as_config(architecture))
    shared = torch.nn.Parameter(state[EMBEDDINGS[0]])
    head = torch.nn.Parameter(state["lm_head.weight"]) if architecture.separate_lm_head else shared
    # We set the parameters ourselves because transformers, when it loads a model, always ties the projection.
    everything = {**state, **dict.fromkeys(EMBEDDINGS, shared), "lm_head.weight": head}
    model.load_state_dict(everything, strict=True, assign=True)
    model.shared.weight = model.encoder.embed_tokens.weight = model.decoder.embed_tokens.weight = shared
    model.lm_head.weight = head
    return model.eval()


def save_checkpoint(out: Path, architecture: Architecture, model: T5ForConditionalGeneration) -> None:
    """Writes a trained model's `config.json` and `model.safetensors` in the form of ByT5's own checkpoints.

    That form has a separate output projection and no output scaling. transformers 5 ties the projection to the
    embedding whatever the config says; older versions obey the config. So that every version reads the same model, the
    file holds the projection as a tensor of its own, and a scaling is multiplied into it.
    """
    saved = replace(architecture, separate_lm_head=True, scale_decoder_outputs=False)
    values = model.state_dict()
    state = {name: values[name].detach().clone().contiguous() for name in sorted(checkpoint_tensors(saved))}
    if architecture.scale_decoder_outputs:
        state["lm_head.weight"] *= architecture.d_model**-0.5
    config = as_config(saved)
    config.architectures = [type(model).__name__]
    config.dtype = "float32"
    fields = config.to_diff_dict() | {"tie_word_embeddings": False}
    fields.pop("scale_decoder_outputs", None)
    text = json.dumps(fields, indent=2, sort_keys=True) + "\n"
    weights = save(state, metadata={"format": "pt"})
    write_whole(out / "model.safetensors", lambda temporary: temporary.write_bytes(weights))
    write_whole(out / "config.json", lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Calls `write` with a temporary path beside `path` and renames the result, so nobody sees half a file."""
    temporary = path.with_name(f".{path.name}.tmp")
    write(temporary)
    temporary.replace(path)

"""Which checkpoints are accepted as T5, and which are refused with a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from t5_reference import EMBEDDED

from g2p_build.errors import BuildError
from g2p_build.models.architecture import Architecture, architecture_of, checkpoint_tensors, from_json, to_json

CONFIG: dict[str, Any] = {
    "model_type": "t5",
    "vocab_size": 384,
    "d_model": 12,
    "d_kv": 5,
    "d_ff": 20,
    "num_heads": 2,
    "num_layers": 2,
    "num_decoder_layers": 1,
    "feed_forward_proj": "gated-gelu",
    "tie_word_embeddings": False,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 16,
    "layer_norm_epsilon": 1e-6,
}
ARCHITECTURE = Architecture(
    vocab_size=384,
    d_model=12,
    d_kv=5,
    d_ff=20,
    num_heads=2,
    num_encoder_layers=2,
    num_decoder_layers=1,
    relative_attention_num_buckets=8,
    relative_attention_max_distance=16,
    layer_norm_epsilon=1e-6,
    feed_forward="gated-gelu",
    separate_lm_head=True,
    scale_decoder_outputs=False,
)
KEY = "encoder.block.1.layer.0.SelfAttention.k.weight"


def test_the_architecture_is_read_from_the_config_and_the_tensors() -> None:
    assert architecture_of(CONFIG, checkpoint_tensors(ARCHITECTURE)) == ARCHITECTURE


def test_it_survives_json() -> None:
    assert from_json(json.loads(json.dumps(to_json(ARCHITECTURE)))) == ARCHITECTURE


def test_fields_that_a_file_leaves_out_are_transformers_defaults() -> None:
    config = {"model_type": "t5", "vocab_size": 384, "num_decoder_layers": None}
    default = Architecture(384, 512, 64, 2048, 8, 6, 6, 32, 128, 1e-6, "relu", False, True)
    assert architecture_of(config, checkpoint_tensors(default)) == default


def test_the_embedding_may_be_stored_under_each_of_its_names() -> None:
    tensors = checkpoint_tensors(ARCHITECTURE)
    shared = tensors.pop("shared.weight")
    assert architecture_of(CONFIG, tensors | {"decoder.embed_tokens.weight": shared}) == ARCHITECTURE
    copies = {"shared.weight": shared, "encoder.embed_tokens.weight": shared, "decoder.embed_tokens.weight": shared}
    assert architecture_of(CONFIG, tensors | copies) == ARCHITECTURE


def test_a_bias_that_old_checkpoints_have_and_nothing_reads_is_ignored() -> None:
    unread = {"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight": (8, 2)}
    assert architecture_of(CONFIG, checkpoint_tensors(ARCHITECTURE) | unread) == ARCHITECTURE


def test_the_embedded_checkpoint_is_accepted() -> None:
    config = json.loads((EMBEDDED / "config.json").read_text())
    assert config["tie_word_embeddings"] is False
    arch = Architecture(384, 192, 64, 512, 4, 4, 2, 32, 128, 1e-6, "gated-gelu", True, False)
    assert architecture_of(config, checkpoint_tensors(arch)) == arch


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model_type": "mt5"}, "model_type 'mt5' is not supported"),
        ({"model_type": "bert"}, "model_type 'bert' is not supported"),
        ({"model_type": None}, "model_type None is not supported"),
        ({"vocab_size": 32128}, "vocab_size 32128 is not ByT5's"),
        ({"vocab_size": 258}, "vocab_size 258 is not ByT5's"),
        ({"d_model": 0}, "d_model 0 is not a positive integer"),
        ({"d_kv": 5.5}, "d_kv 5.5 is not a positive integer"),
        ({"num_heads": "2"}, "num_heads '2' is not a positive integer"),
        ({"num_layers": True}, "num_layers True is not a positive integer"),
        ({"num_decoder_layers": -1}, "num_decoder_layers -1 is not a positive integer"),
        ({"layer_norm_epsilon": float("nan")}, "layer_norm_epsilon nan is not a number"),
        ({"feed_forward_proj": "gated-silu"}, "feed_forward_proj 'gated-silu' is not supported"),
        ({"dense_act_fn": "silu"}, "dense_act_fn 'silu' is not supported with feed_forward_proj 'gated-gelu'"),
        ({"relative_attention_num_buckets": 3}, "relative_attention_num_buckets 3 is too small"),
        ({"relative_attention_max_distance": 4}, "relative_attention_max_distance 4 is too small for 8 buckets"),
        ({"scale_decoder_outputs": "yes"}, "scale_decoder_outputs 'yes' is not true or false"),
    ],
)
def test_configs_of_other_models_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BuildError) as refusal:
        architecture_of(CONFIG | fields, checkpoint_tensors(ARCHITECTURE))
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({KEY: None}, f"the checkpoint lacks the tensor {KEY}: "),
        ({KEY: None, "shared.weight": None}, "the checkpoint lacks the tensor shared.weight and 1 more: "),
        (
            {"encoder.block.2.layer_norm.weight": (12,)},
            "a tensor that its config.json does not describe: encoder.block.2",
        ),
        ({KEY.replace("Self", "Shelf"): (10, 12)}, f"(near {KEY})"),
        ({KEY: (12, 10)}, f"the tensor {KEY} has shape [12, 10], but its config.json says [10, 12]"),
        ({"encoder.embed_tokens.weight": (384, 13)}, "the tensor encoder.embed_tokens.weight has shape [384, 13]"),
    ],
)
def test_checkpoints_that_are_not_whole_are_refused(changes: dict[str, Any], message: str) -> None:
    changed = checkpoint_tensors(ARCHITECTURE) | changes
    with pytest.raises(BuildError) as refusal:
        architecture_of(CONFIG, {name: shape for name, shape in changed.items() if shape is not None})
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)

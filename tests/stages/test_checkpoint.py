"""The checkpoint stage on local folders and random weights. Refusals and the hub have files of their own."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from small_checkpoints import SHAPE, built, checkpoint, run, write, write_pickled, write_sharded
from transformers import T5ForConditionalGeneration

from g2p_build.checkpoints.files import EMBEDDED
from g2p_build.models.architecture import from_json
from g2p_build.reference.generate import generate
from g2p_build.reference.pretrained import as_model
from g2p_build.stages import checkpoint as stage

Config = dict[str, Any]
State = dict[str, torch.Tensor]


def model(tmp_path: Path, outputs: dict[str, bytes]) -> T5ForConditionalGeneration:
    """The outputs as a transformers model."""
    (tmp_path / "weights").write_bytes(outputs["model.safetensors"])
    return as_model(from_json(json.loads(outputs["architecture.json"])), load_file(tmp_path / "weights"))


@torch.no_grad()
def logits(model: T5ForConditionalGeneration) -> torch.Tensor:
    ids = torch.tensor([[63, 104, 65, 61, 35, 100, 101, 0], [63, 104, 65, 61, 35, 120, 121, 122]])
    labels = torch.tensor([[0, 70, 99], [0, 71, 1]])
    return model(input_ids=ids, attention_mask=(ids != 0).long(), decoder_input_ids=labels).logits


def test_embedded_checkpoint_is_passed_through(tmp_path: Path) -> None:
    outputs = run(tmp_path, {"source": "embedded"}, stage.source_files((EMBEDDED,)))
    assert sorted(outputs) == ["architecture.json", "model.safetensors", "special_ids.json"]
    assert outputs["model.safetensors"] == (EMBEDDED / "model.safetensors").read_bytes()
    architecture = json.loads(outputs["architecture.json"])
    assert architecture["separate_lm_head"] and not architecture["scale_decoder_outputs"]
    prompts = [[byte + 3 for byte in text.encode()] for text in ("<eng-us>: knight", "<fin>: hyvää", "<tha>: น้ำ")]
    loaded = T5ForConditionalGeneration.from_pretrained(EMBEDDED)
    assert generate(model(tmp_path, outputs), prompts, 64) == generate(loaded, prompts, 64)


# tie_word_embeddings and scale_decoder_outputs in the config, whether the file has a projection, and what follows.
@pytest.mark.parametrize(
    ("fields", "head", "separate", "scaled"),
    [
        ({"tie_word_embeddings": True}, False, False, True),
        ({"tie_word_embeddings": False}, False, False, False),
        ({"tie_word_embeddings": False}, True, True, False),
        ({"tie_word_embeddings": True}, True, True, True),
        ({}, False, False, True),
        ({"tie_word_embeddings": True, "scale_decoder_outputs": False}, False, False, False),
        ({"tie_word_embeddings": True, "scale_decoder_outputs": False}, True, True, False),
        ({"tie_word_embeddings": False, "scale_decoder_outputs": True}, False, False, True),
    ],
)
@pytest.mark.parametrize("feed_forward", ["relu", "gated-gelu"])
def test_projection_and_scaling_are_as_transformers_loads_them(
    tmp_path: Path, fields: Config, head: bool, separate: bool, scaled: bool, feed_forward: str
) -> None:
    config, state = checkpoint(tie_word_embeddings=not head, feed_forward_proj=feed_forward)
    del config["tie_word_embeddings"]
    folder = write(tmp_path / "in", config | fields, state)
    outputs = built(tmp_path, folder)
    architecture = json.loads(outputs["architecture.json"])
    assert (architecture["separate_lm_head"], architecture["scale_decoder_outputs"]) == (separate, scaled)
    expected = logits(T5ForConditionalGeneration.from_pretrained(folder).eval())
    torch.testing.assert_close(logits(model(tmp_path, outputs)), expected, rtol=0, atol=0)


def test_what_save_pretrained_writes_is_read_back(tmp_path: Path) -> None:
    config, state = checkpoint()
    T5ForConditionalGeneration.from_pretrained(write(tmp_path / "in", config, state)).save_pretrained(
        tmp_path / "saved"
    )
    assert built(tmp_path, tmp_path / "saved") == built(tmp_path, tmp_path / "in")


@pytest.mark.parametrize("names", [("encoder.embed_tokens.weight",), ("decoder.embed_tokens.weight", "shared.weight")])
def test_the_embedding_is_written_once_whatever_it_is_called(tmp_path: Path, names: tuple[str, ...]) -> None:
    config, state = checkpoint(tie_word_embeddings=True)
    renamed = {name: state[name].clone() for name in state if name != "shared.weight"}
    renamed |= {name: state["shared.weight"].clone() for name in names}
    assert built(tmp_path, write(tmp_path / "b", config, renamed)) == built(
        tmp_path, write(tmp_path / "a", config, state)
    )


def test_one_checkpoint_has_one_output_however_it_is_stored(tmp_path: Path) -> None:
    config, state = checkpoint()
    expected = built(tmp_path, write(tmp_path / "plain", config, state))
    reformatted = write(tmp_path / "reformatted", dict(reversed(config.items())), state)
    text = json.dumps(config | {"dropout_rate": 0.1, "torch_dtype": "float32"}, indent=4) + "\n"
    (reformatted / "config.json").write_text(text, encoding="utf-8")
    unread = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    old = state | {"encoder.embed_tokens.weight": state["shared.weight"], unread: torch.zeros(8, 3)}
    for folder in (
        reformatted,
        write_sharded(tmp_path / "sharded", config, state),
        write_pickled(tmp_path / "pickled", config, old),
    ):
        assert built(tmp_path, folder) == expected, folder.name
    header = json.loads(expected["model.safetensors"][8:].split(b"\0")[0].partition(b"}}")[0] + b"}}")
    assert header.pop("__metadata__") == {"format": "pt"}
    by_offset = sorted(header, key=lambda name: header[name]["data_offsets"])
    assert by_offset == sorted(state)
    assert {entry["dtype"] for entry in header.values()} == {"F32"}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_becomes_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    config, state = checkpoint()
    rounded = {name: tensor.to(dtype) for name, tensor in state.items()}
    exact = {name: tensor.to(torch.float32) for name, tensor in rounded.items()}
    expected = built(tmp_path, write(tmp_path / "full", config, exact))
    assert built(tmp_path, write(tmp_path / "half", config, rounded)) == expected


def test_safetensors_are_preferred_to_pickles(tmp_path: Path) -> None:
    config, state = checkpoint()
    folder = write_pickled(tmp_path / "both", config, checkpoint(seed=1)[1])
    write(folder, config, state)
    assert sorted(stage.source_files((folder,))) == ["config.json", "model.safetensors"]
    assert built(tmp_path, folder) == built(tmp_path, write(tmp_path / "plain", config, state))


def test_random_weights_depend_on_seed_and_shape_alone(tmp_path: Path) -> None:
    params = {"source": "random", "shape": SHAPE, "seed": 0}
    assert stage.source_files(()) == {}
    outputs = run(tmp_path, params, {})
    assert run(tmp_path, params | {"shape": dict(reversed(SHAPE.items()))}, {}) == outputs
    other = run(tmp_path, params | {"seed": 1}, {})
    assert other["architecture.json"] == outputs["architecture.json"]
    assert other["model.safetensors"] != outputs["model.safetensors"]
    # The values must never change: every benchmark depends on them.
    digest = hashlib.sha256(outputs["model.safetensors"]).hexdigest()
    assert digest == "5f7b162fd7fd213aeb854bd5deb830ab1ef5ba8e0b03cf681c7c5689b7c59b3a"


@pytest.mark.parametrize("tied", [False, True])
def test_random_weights_say_something(tmp_path: Path, tied: bool) -> None:
    shape = SHAPE | {"d_model": 64, "d_kv": 16, "tie_word_embeddings": tied}
    outputs = run(tmp_path, {"source": "random", "shape": shape, "seed": 0}, {})
    prompts = [
        [byte + 3 for byte in f"<eng-us>:{word}".encode()]
        for word in ["a", "knight", "said", "how", "do", "you", "do", "to", "me"]
    ]
    said = generate(model(tmp_path, outputs), prompts, 32)
    assert len({tuple(ids) for ids in said}) > len(prompts) // 2
    assert any(ids[-1] == 1 for ids in said)
    assert any(len(ids) > 3 for ids in said)


def test_listing_files_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from g2p_build.checkpoints.files import EMBEDDED;"
        "from g2p_build.stages import checkpoint as stage;"
        "assert sorted(stage.source_files((EMBEDDED,))) == ['config.json', 'model.safetensors'];"
        "heavy = {'torch', 'transformers', 'tvm', 'huggingface_hub', 'safetensors'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"

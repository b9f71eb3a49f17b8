"""Files beside the weights that give a checkpoint its meaning: they are taken, or refused by file and key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_checkpoints import built, checkpoint, write

from g2p_build.errors import BuildError
from g2p_build.stages import tokenizer

PARAMS: dict[str, Any] = {
    "prompt": "<{lang}>: {word}",
    "append_eos": False,
    "byte_offset": 3,
    "pad_id": 0,
    "eos_id": 1,
    "unk_id": 2,
    "decoder_start_id": 0,
    "languages": None,
    "text": None,
    "max_lens": {"input": 64, "output": 64},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "in", *checkpoint())


def put(folder: Path, name: str, content: dict[str, Any]) -> None:
    path = folder / name
    there = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(there | content), encoding="utf-8")


def described(tmp_path: Path, folder: Path, **params: Any) -> dict[str, Any]:
    """What the tokenizer stage makes of a checkpoint."""
    inputs = {}
    for name, data in built(tmp_path, folder).items():
        inputs[name] = tmp_path / name
        inputs[name].write_bytes(data)
    out = tmp_path / f"made{len(list(tmp_path.glob('made*')))}"
    out.mkdir()
    tokenizer.build(PARAMS | params, inputs, out)
    result: dict[str, Any] = json.loads((out / "tokenizer.json").read_text(encoding="utf-8"))
    return result


@pytest.mark.parametrize("file", ["config.json", "generation_config.json"])
@pytest.mark.parametrize(
    ("name", "field", "wrong"),
    [("decoder_start_token_id", "decoder_start_id", 2), ("pad_token_id", "pad_id", 1), ("eos_token_id", "eos_id", 2)],
)
def test_ids_of_the_files_are_those_of_the_config_or_it_is_said(
    tmp_path: Path, folder: Path, file: str, name: str, field: str, wrong: int
) -> None:
    put(folder, file, {name: wrong})
    says = f"the checkpoint's {file} says {name} {wrong}, and checkpoint.{field} is .: set checkpoint.{field}={wrong}$"
    with pytest.raises(BuildError, match=says):
        described(tmp_path, folder)
    assert described(tmp_path, folder, **{field: wrong})[field] == wrong


def test_generation_config_comes_before_config_as_in_transformers(tmp_path: Path, folder: Path) -> None:
    put(folder, "config.json", {"decoder_start_token_id": 2})
    put(folder, "generation_config.json", {"decoder_start_token_id": 0, "eos_token_id": [1], "num_beams": 1})
    assert described(tmp_path, folder)["decoder_start_id"] == 0


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("generation_config.json", {"num_beams": 4}, "generation_config.json says num_beams 4"),
        ("generation_config.json", {"repetition_penalty": 1.2}, "says repetition_penalty 1.2"),
        ("generation_config.json", {"forced_bos_token_id": 5}, "says forced_bos_token_id 5"),
        ("config.json", {"no_repeat_ngram_size": 3}, "config.json says no_repeat_ngram_size 3"),
        ("generation_config.json", {"eos_token_id": [1, 5]}, r"says eos_token_id \[1, 5\]: one id"),
        ("config.json", {"decoder_start_token_id": "x"}, "config.json says decoder_start_token_id 'x'"),
        ("added_tokens.json", {"<eng>": 384}, "added_tokens.json has the token '<eng>'"),
        ("tokenizer_config.json", {"added_tokens_decoder": {"9": {"content": "<fin>"}}}, "has the token '<fin>'"),
        ("tokenizer_config.json", {"added_tokens_decoder": [1]}, "added_tokens_decoder is not an object"),
        ("adapter_config.json", {}, "has an adapter_config.json: .* merge it into its base"),
    ],
)
def test_what_would_change_the_answers_is_refused(
    tmp_path: Path, folder: Path, file: str, content: dict[str, Any], says: str
) -> None:
    put(folder, file, content)
    with pytest.raises(BuildError, match=says):
        built(tmp_path, folder)


def test_byt5s_own_tokens_are_no_additions(tmp_path: Path, folder: Path) -> None:
    expected = built(tmp_path, folder)
    put(folder, "added_tokens.json", {f"<extra_id_{number}>": 259 + number for number in range(125)})
    named = {"0": {"content": "<pad>"}, "1": {"content": "</s>"}, "2": {"content": "<unk>"}}
    put(folder, "tokenizer_config.json", {"added_tokens_decoder": named, "extra_ids": 125})
    assert built(tmp_path, folder) == expected


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "model.", "module._orig_mod."])
def test_names_that_a_trainer_has_wrapped_are_unwrapped(tmp_path: Path, prefix: str) -> None:
    config, state = checkpoint()
    wrapped = {prefix + name: tensor for name, tensor in state.items()}
    plain = built(tmp_path, write(tmp_path / "plain", config, state))
    assert built(tmp_path, write(tmp_path / "wrapped", config, wrapped)) == plain

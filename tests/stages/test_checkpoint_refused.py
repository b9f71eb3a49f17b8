"""Checkpoints that are wrong in one way. Each must give one line before anything is compiled."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from small_checkpoints import built, checkpoint, write, write_pickled, write_sharded

from g2p_build.checkpoints.tensors import read_checkpoint
from g2p_build.errors import BuildError
from g2p_build.stages import checkpoint as stage

Config = dict[str, Any]
State = dict[str, torch.Tensor]


class Code:
    """Unpickling this would run code."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return print, ("run while unpickling",)


def edited(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def spoil(folder: Path, case: str, config: Config, state: State) -> None:
    """Writes a checkpoint that is wrong in one way."""
    first = "encoder.block.0.layer.0.SelfAttention.q.weight"
    weights = folder / "model.safetensors"
    if case == "shard missing":
        write_sharded(folder, config, state)
        (folder / "model-00002-of-00002.safetensors").unlink()
        return
    if case.startswith("index"):
        write_sharded(folder, config, state)
        value = {"index outside": {"weight_map": {first: "../model.safetensors"}}, "index empty": {}}[case]
        (folder / "model.safetensors.index.json").write_text(json.dumps(value), encoding="utf-8")
        return
    if case.startswith("pickle"):
        values = {"pickle code": {first: Code()}, "pickle list": [1, 2], "pickle truncated": state}
        write_pickled(folder, config, values[case])
        if case == "pickle truncated":
            edited(folder / "pytorch_model.bin", lambda data: data[: len(data) // 2])
        return
    write(folder, config, state)
    if case == "mt5":
        write(folder, config | {"model_type": "mt5", "vocab_size": 250112}, state)
    elif case == "mt5 vocabulary":
        write(folder, config | {"vocab_size": 250112}, state)
    elif case == "bert":
        write(folder, {"model_type": "bert", "hidden_size": 24}, {"bert.pooler.dense.weight": torch.ones(2)})
    elif case == "truncated":
        edited(weights, lambda data: data[:-100])
    elif case == "empty file":
        weights.write_bytes(b"")
    elif case == "not safetensors":
        weights.write_text("version https://git-lfs.github.com/spec/v1\n", encoding="utf-8")
    elif case == "missing tensor":
        write(folder, config, {name: tensor for name, tensor in state.items() if name != first})
    elif case == "extra tensor":
        write(folder, config, state | {"encoder.block.0.adapter.weight": torch.ones(3)})
    elif case == "misshapen tensor":
        write(folder, config | {"d_kv": 6}, state)
    elif case == "nan":
        write(folder, config, state | {first: torch.full_like(state[first], float("nan"))})
    elif case == "infinity":
        write(folder, config, state | {first: torch.full_like(state[first], float("inf"))})
    elif case == "float64":
        write(folder, config, state | {first: state[first].double()})
    elif case == "two embeddings":
        write(folder, config, state | {"encoder.embed_tokens.weight": state["shared.weight"] + 1})
    elif case == "not json":
        (folder / "config.json").write_text("{'model_type': 't5'}", encoding="utf-8")
    elif case == "json list":
        (folder / "config.json").write_text("[]", encoding="utf-8")
    elif case == "no weights":
        weights.unlink()
    elif case == "no config":
        (folder / "config.json").unlink()
    elif case == "silu":
        write(folder, config | {"feed_forward_proj": "gated-silu"}, state)
    else:
        raise AssertionError(case)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("mt5", "model_type 'mt5' is not supported"),
        ("mt5 vocabulary", "vocab_size 250112 is not ByT5's"),
        ("bert", "model_type 'bert' is not supported"),
        ("truncated", "model.safetensors is truncated or not a safetensors file"),
        ("empty file", "model.safetensors is truncated or not a safetensors file"),
        ("not safetensors", "model.safetensors is truncated or not a safetensors file"),
        ("missing tensor", "lacks the tensor encoder.block.0.layer.0.SelfAttention.q.weight"),
        ("extra tensor", "encoder.block.0.adapter.weight"),
        ("misshapen tensor", "has shape [15, 24], but its config.json says [18, 24]"),
        ("nan", "encoder.block.0.layer.0.SelfAttention.q.weight in model.safetensors has values that are NaN"),
        ("infinity", "has values that are NaN or infinite"),
        ("float64", "is F64: only float32, float16 and bfloat16"),
        ("two embeddings", "encoder.embed_tokens.weight differs from its shared.weight"),
        ("not json", "config.json is not JSON"),
        ("json list", "config.json is not a JSON object but list"),
        ("no weights", "has no weights: model.safetensors"),
        ("no config", "has no config.json"),
        ("silu", "feed_forward_proj 'gated-silu' is not supported"),
        ("shard missing", "has no model-00002-of-00002.safetensors, which its model.safetensors.index.json lists"),
        ("index outside", "lists '../model.safetensors'"),
        ("index empty", "has no weight_map"),
        ("pickle code", "pytorch_model.bin holds more than weights and could run code"),
        ("pickle list", "pytorch_model.bin is not a table of tensors"),
        ("pickle truncated", "pytorch_model.bin is truncated or not a file of weights"),
    ],
)
def test_what_is_not_a_checkpoint_is_refused_by_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], case: str, message: str
) -> None:
    spoil(tmp_path / "in", case, *checkpoint())
    with pytest.raises(BuildError) as caught:
        built(tmp_path, tmp_path / "in")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "run while unpickling" not in capfd.readouterr().out
    assert not any(path.is_file() for path in tmp_path.glob("out*/*"))


def test_a_missing_folder_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for name, message in (("absent", "does not exist"), ("file", "is a file, not a folder")):
        with pytest.raises(BuildError, match=message):
            stage.source_files((tmp_path / name,))


def test_shards_that_overlap_are_refused(tmp_path: Path) -> None:
    folder = write_sharded(tmp_path / "in", *checkpoint())
    first, second = sorted(folder.glob("*.safetensors"))
    with safe_open(first, framework="pt") as file:
        name = sorted(file.keys())[0]
        save_file(load_file(second) | {name: file.get_tensor(name)}, second)
    with pytest.raises(BuildError, match=f"{name} is in both {first.name} and {second.name}"):
        built(tmp_path, folder)


@pytest.mark.parametrize("make", [write, write_pickled])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    end=st.integers(0, 30_000),
    bytes_at=st.dictionaries(
        st.one_of(st.integers(0, 3_000), st.integers(-3_000, -1)), st.integers(0, 255), max_size=4
    ),
)
def test_damaged_files_are_read_or_refused(
    tmp_path: Path, make: Callable[..., Path], end: int, bytes_at: dict[int, int]
) -> None:
    files = stage.source_files((make(tmp_path, *checkpoint()),))
    [weights] = (path for name, path in files.items() if name != "config.json")
    damaged = bytearray(weights.read_bytes())
    for at, value in bytes_at.items():
        damaged[at] = value
    weights.write_bytes(damaged[: len(damaged) - max(0, end - 15_000)])
    try:
        _, state = read_checkpoint(files)
    except BuildError as error:
        assert "\n" not in str(error)
    else:
        assert all(torch.isfinite(value).all() for value in state.values())

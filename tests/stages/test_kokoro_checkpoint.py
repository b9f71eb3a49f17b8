"""Reading Kokoro's checkpoints: from files as they are published to one architecture and one set of tensors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from small_kokoro import SHAPE, checkpoint, config_of, unfolded, write

from g2p_build.checkpoints.kokoro.config import architecture_from_shape
from g2p_build.checkpoints.kokoro.files import local_files
from g2p_build.checkpoints.kokoro.random_weights import random_checkpoint
from g2p_build.checkpoints.kokoro.read import read_checkpoint
from g2p_build.errors import BuildError
from g2p_build.models.kokoro.architecture import KOKORO_82M, expected, from_json, to_json

State = dict[str, torch.Tensor]


def assert_same(found: State, state: State) -> None:
    assert list(found) == list(state)
    for name, tensor in found.items():
        assert tensor.dtype == torch.float32
        assert torch.allclose(tensor, state[name], rtol=1e-6, atol=0), name


def test_the_published_model_has_the_parameters_that_are_published() -> None:
    sizes = expected(KOKORO_82M)
    assert sizes["decoder.generator.ups.0.weight"] == (512, 256, 20)
    assert sizes["decoder.generator.noise_convs.0.weight"] == (256, 22, 12)
    assert sizes["predictor.text_encoder.lstms.0.weight_ih_l0_reverse"] == (1024, 640)
    assert sizes["decoder.decode.3.pool.weight"] == (1090, 1, 3)
    # Published are also the lengths of weight norm, one a row, and a pooler that nothing reads.
    plain = ("noise_convs", "_proj")
    rows = sum(size[0] for name, size in sizes.items() if len(size) == 3 and not any(part in name for part in plain))
    alphas = sum(size[0] for name, size in sizes.items() if "alpha" in name)
    pooler = 768 * 768 + 768
    assert sum(torch.Size(size).numel() for size in sizes.values()) + rows - alphas + pooler == 81_810_022


def test_an_architecture_goes_through_json() -> None:
    small = architecture_from_shape(SHAPE)
    assert from_json(to_json(small)) == small
    assert small.istftnet.samples == 300


@pytest.mark.parametrize("wrapped", ["", "module."])
def test_upstreams_file_is_a_table_by_module_with_weight_norm(tmp_path: Path, wrapped: str) -> None:
    architecture, state = checkpoint()
    folder = write(tmp_path, config_of(architecture), unfolded(state, wrapped))
    found, tensors = read_checkpoint(local_files(folder))
    assert found == architecture
    assert_same(tensors, state)


def test_a_flat_file_reads_the_same_with_and_without_a_wrapper(tmp_path: Path) -> None:
    architecture, state = checkpoint()
    write(tmp_path / "plain", config_of(architecture), state, "model.safetensors")
    wrapped = {f"module.{name}": tensor for name, tensor in state.items()}
    write(tmp_path / "wrapped", config_of(architecture), wrapped, "mine.pth")
    inside = {name.replace(".", ".module.", 1): tensor for name, tensor in state.items()}
    write(tmp_path / "inside", config_of(architecture), inside, "model.safetensors")
    for folder in ("plain", "wrapped", "inside"):
        found, tensors = read_checkpoint(local_files(tmp_path / folder))
        assert found == architecture
        assert_same(tensors, state)


def test_the_newer_spelling_of_weight_norm_is_folded_too(tmp_path: Path) -> None:
    architecture, state = checkpoint()
    name = "text_encoder.cnn.0.0"
    weight = state[f"{name}.weight"]
    changed = {key: tensor for key, tensor in state.items() if key != f"{name}.weight"}
    changed[f"{name}.parametrizations.weight.original0"] = weight.flatten(1).norm(dim=1).reshape(-1, 1, 1)
    changed[f"{name}.parametrizations.weight.original1"] = weight / 3
    write(tmp_path, config_of(architecture), changed, "model.safetensors")
    assert_same(read_checkpoint(local_files(tmp_path))[1], state)


def test_a_row_of_zeros_stays_zero(tmp_path: Path) -> None:
    architecture, state = checkpoint()
    tables = unfolded(state)
    tables["decoder"]["encode.conv1.weight_v"][3] = 0
    write(tmp_path, config_of(architecture), tables)
    weight = read_checkpoint(local_files(tmp_path))[1]["decoder.encode.conv1.weight"]
    assert not weight[3].any()
    assert torch.isfinite(weight).all()


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    architecture, state = checkpoint()
    halves = {name: tensor.to(torch.bfloat16) for name, tensor in state.items()}
    write(tmp_path, config_of(architecture), halves, "model.safetensors")
    assert_same(
        read_checkpoint(local_files(tmp_path))[1], {name: tensor.to(torch.float32) for name, tensor in halves.items()}
    )


def test_without_a_config_the_shapes_say_what_they_can(tmp_path: Path) -> None:
    # Heads and repeats are not in the shapes: they are Kokoro-82M's.
    architecture, state = checkpoint(bert_num_attention_heads=12, bert_num_hidden_layers=12)
    write(tmp_path, None, state, "model.safetensors")
    assert read_checkpoint(local_files(tmp_path))[0] == architecture


def test_a_file_can_be_named_among_others(tmp_path: Path) -> None:
    architecture, state = checkpoint()
    write(tmp_path, config_of(architecture), unfolded(state), "epoch_1.pth")
    write(tmp_path, config_of(architecture), unfolded(checkpoint(seed=1)[1]), "epoch_2.pth")
    with pytest.raises(BuildError, match=r"2 files of weights \(epoch_1\.pth, epoch_2\.pth\): leave one"):
        local_files(tmp_path)
    assert_same(read_checkpoint(local_files(tmp_path / "epoch_1.pth"))[1], state)


class Code:
    """Unpickling this would run code."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return print, ("run while unpickling",)


def lacking(state: State) -> State:
    return {name: tensor for name, tensor in state.items() if "predictor.shared" not in name}


def reshaped(state: State) -> State:
    return state | {"decoder.F0_conv.weight": torch.ones(1, 1, 5)}


def infinite(state: State) -> State:
    return state | {"bert_encoder.bias": state["bert_encoder.bias"].clone().fill_(float("nan"))}


def misspelt(state: State) -> State:
    return state | {"predictor.shared.weight_ih_l1": torch.ones(4)}


def whole(state: State) -> State:
    return state | {"decoder.F0_conv.weight_g": torch.ones(1, 1, 1), "decoder.F0_conv.weight_v": torch.ones(1, 1, 3)}


def lengths(state: State) -> State:
    kept = {name: tensor for name, tensor in state.items() if name != "decoder.asr_res.0.weight"}
    return kept | {"decoder.asr_res.0.weight_g": torch.ones(5, 1, 1), "decoder.asr_res.0.weight_v": torch.ones(16, 32)}


def integers(state: State) -> State:
    return state | {"bert_encoder.bias": torch.ones(32, dtype=torch.int32)}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lacking, r"lacks the tensor predictor\.shared\.weight_ih_l0 and 7 more"),
        (reshaped, r"decoder\.F0_conv\.weight has shape \[1, 1, 5\], but a model of this config has \[1, 1, 3\]"),
        (infinite, r"bert_encoder\.bias in .* NaN or infinite"),
        (misspelt, r"does not describe: predictor\.shared\.weight_ih_l1 \(near predictor\.shared\.weight_ih_l0\)"),
        (whole, r"has decoder\.F0_conv\.weight both whole and as weight_g"),
        (lengths, r"weight norm of decoder\.asr_res\.0\.weight has 5 lengths for a tensor of shape \[16, 32\]"),
        (integers, r"bert_encoder\.bias in .* is I32"),
        (lambda state: {"x": torch.ones(1)}, "lacks the tensor bert_encoder.weight"),
    ],
)
def test_tensors_that_do_not_make_a_model_are_refused(
    tmp_path: Path, spoil: Callable[[State], State], message: str
) -> None:
    architecture, state = checkpoint()
    write(tmp_path, config_of(architecture), spoil(state), "model.safetensors")
    with pytest.raises(BuildError, match=message) as error:
        read_checkpoint(local_files(tmp_path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"bert": {"weight": Code()}}, "could run code"),
        ({"bert": {"weight": 3}}, "not a table of tensors"),
        ([1], "not a table of tensors"),
        ({}, "not a table of tensors"),
        ({"a": {"module.b": torch.ones(1), "b": torch.ones(1)}}, "with and without 'module.'"),
    ],
)
def test_files_that_hold_no_tensors_are_refused(tmp_path: Path, weights: Any, message: str) -> None:
    write(tmp_path, None, weights)
    with pytest.raises(BuildError, match=message):
        read_checkpoint(local_files(tmp_path))


def test_a_tensor_without_plain_values_is_refused(tmp_path: Path) -> None:
    architecture, state = checkpoint()
    for tensor, said in ((torch.eye(32).to_sparse(), "sparse_coo"), (torch.ones(32, device="meta"), "without values")):
        write(tmp_path, config_of(architecture), state | {"bert_encoder.bias": tensor})
        with pytest.raises(BuildError, match=rf"bert_encoder\.bias in .* is .*{said}"):
            read_checkpoint(local_files(tmp_path))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    for name in ("kokoro-v1_0.pth", "model.safetensors"):
        path = write(tmp_path / name, None, checkpoint()[1], name) / name
        path.write_bytes(path.read_bytes()[:1000])
        with pytest.raises(BuildError, match="truncated"):
            read_checkpoint(local_files(path))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hidden_dim": "32"}, "hidden_dim '32'"),
        ({"n_layer": 0}, "n_layer 0"),
        ({"plbert": []}, "plbert"),
        ({"plbert": {"hidden_act": "relu"}}, "plbert.hidden_act 'relu': only 'gelu_new'"),
        ({"plbert": {"num_attention_heads": 5}}, "not a multiple of its 5 heads"),
        ({"plbert": {"layer_norm_eps": float("inf")}}, "plbert.layer_norm_eps inf"),
        ({"istftnet": {"upsample_rates": [10, 5]}}, "a kernel of 12 does not go with a rate of 5"),
        ({"istftnet": {"upsample_rates": []}}, "upsample_rates"),
        ({"istftnet": {"resblock_dilation_sizes": [[1, 3]]}}, "differ in length"),
        ({"istftnet": {"resblock_dilation_sizes": [[1, 3]] * 3}}, "3 of each block"),
        ({"istftnet": {"gen_istft_hop_size": 11}}, "cannot be undone"),
        ({"style_dim": 17}, r"has shape \[64, 48\], but a model of this config has \[64, 49\]"),
        ({"n_layer": 1}, "does not describe: predictor.text_encoder.lstms.2"),
    ],
)
def test_a_config_that_is_wrong_is_refused(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    architecture, state = checkpoint()
    config = config_of(architecture)
    for name, value in fields.items():
        config[name] = config[name] | value if isinstance(value, dict) else value
    write(tmp_path, config, state, "model.safetensors")
    with pytest.raises(BuildError, match=message):
        read_checkpoint(local_files(tmp_path))


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="has no weights"):
        local_files(tmp_path)
    with pytest.raises(BuildError, match="does not exist"):
        local_files(tmp_path / "elsewhere")


def test_random_weights_are_the_same_everywhere() -> None:
    architecture, state = random_checkpoint(SHAPE, 7)
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == expected(architecture)
    first = [-0.1354372799396515, 0.14789795875549316, -0.033971041440963745]
    assert state["bert_encoder.weight"][0, :3].tolist() == first
    assert not torch.equal(state["bert_encoder.weight"], random_checkpoint(SHAPE, 8)[1]["bert_encoder.weight"])


def test_a_token_of_random_weights_takes_a_few_frames() -> None:
    architecture, state = random_checkpoint(SHAPE, 0)
    weight, bias = (state[f"predictor.duration_proj.linear_layer.{part}"] for part in ("weight", "bias"))
    read = torch.rand(200, architecture.hidden_dim, generator=torch.Generator().manual_seed(0)).sub(0.5).mul(0.2)
    frames = torch.sigmoid(read @ weight.T + bias).sum(1)
    assert 1 < frames.min() < 3 < frames.mean() < 4 < frames.max() < 8


def test_a_shape_that_cannot_be_built_is_refused() -> None:
    with pytest.raises(BuildError, match="hidden_dim 33 is odd"):
        architecture_from_shape(SHAPE | {"hidden_dim": 33})
    with pytest.raises(BuildError, match="cannot be halved at 2 stages"):
        architecture_from_shape(SHAPE | {"upsample_initial_channel": 30})

"""Compiled programs compute what transformers computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from compiled_library import Library, library
from t5_reference import Batch, Checkpoint, batch, embedded, hidden_error, random_checkpoint
from torch import Tensor

from g2p_build.models.programs import programs

FLOAT32, FLOAT16 = 1e-4, 2e-2
INPUT, OUTPUT = 64, 24

ODD: dict[str, dict[str, Any]] = {
    "one head of 7": {"d_model": 33, "d_kv": 7, "d_ff": 19, "num_heads": 1, "num_layers": 2, "num_decoder_layers": 1},
    "wider than d_model": {
        "d_model": 20,
        "d_kv": 24,
        "d_ff": 97,
        "num_heads": 3,
        "num_layers": 1,
        "feed_forward_proj": "gated-gelu",
        "tie_word_embeddings": False,
    },
    "smallest": {"d_model": 1, "d_kv": 1, "d_ff": 1, "num_heads": 1, "num_layers": 1},
    "primes": {
        "d_model": 131,
        "d_kv": 37,
        "d_ff": 257,
        "num_heads": 2,
        "num_layers": 1,
        "relative_attention_num_buckets": 5,
        "relative_attention_max_distance": 9,
    },
}

Build = Callable[..., Library]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compiles a checkpoint's programs, once for each set of arguments."""
    built: dict[Any, Library] = {}

    def build(
        checkpoint: Checkpoint, rows: tuple[int, ...], input_len: int, output_len: int, dtype: str, kv_cache: bool
    ) -> Library:
        key = (checkpoint.architecture, rows, input_len, output_len, dtype, kv_cache)
        if key not in built:
            found = programs(checkpoint.architecture, rows, input_len, output_len, dtype, kv_cache)
            built[key] = library(found, tmp_path_factory.mktemp("library"))
        return built[key]

    return build


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return embedded()


@pytest.mark.parametrize(
    ("dtype", "kv_cache", "rows"),
    [
        ("float32", True, (1, 3)),
        ("float32", False, (3,)),
        ("float16", True, (3,)),
        ("float16", False, (1,)),
    ],
)
def test_the_embedded_checkpoint(
    build: Build, checkpoint: Checkpoint, dtype: str, kv_cache: bool, rows: tuple[int, ...]
) -> None:
    compiled = build(checkpoint, rows, INPUT, OUTPUT, dtype, kv_cache)
    for lengths in ([64], [13], [64, 17, 1]):
        if len(lengths) in rows:
            example = batch(checkpoint, lengths, INPUT, OUTPUT)
            bound = FLOAT32 if dtype == "float32" else FLOAT16
            assert max(errors(compiled, checkpoint.weights(dtype), example, kv_cache)) < bound


@pytest.mark.parametrize("shape", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("kv_cache", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_odd_shapes(build: Build, shape: dict[str, Any], kv_cache: bool, dtype: str) -> None:
    checkpoint = random_checkpoint(5, **shape)
    weights = checkpoint.weights(dtype)
    if dtype == "float16":  # against the rounded weights: what the kernels add must be float32's error, not float16's
        with torch.no_grad():
            for parameter in checkpoint.model.parameters():
                parameter.copy_(parameter.half().float())
    example = batch(checkpoint, [11, 3, 1, 7, 2], 11, 7)
    compiled = build(checkpoint, (5,), 11, 7, dtype, kv_cache)
    scale = 1 + float(example.logits.abs().max())
    assert max(errors(compiled, weights, example, kv_cache)) < FLOAT32 * scale


def test_a_step_writes_each_row_at_its_own_position_in_the_callers_cache(build: Build, checkpoint: Checkpoint) -> None:
    compiled, weights = build(checkpoint, (1, 3), INPUT, OUTPUT, "float32", True), checkpoint.weights("float32")
    example = batch(checkpoint, [9, 30, 2], INPUT, OUTPUT)
    cross = compiled("prefill_b3", weights, example.hidden)
    state = empty_state(compiled, "step_b3")
    position = torch.tensor([0, 5, OUTPUT - 1], dtype=torch.int32)
    before = [tensor.data_ptr() for tensor in state]
    compiled("step_b3", weights, example.decoder_ids[:, :1].clone(), position, example.mask, *state, *cross)
    assert [tensor.data_ptr() for tensor in state] == before
    for cache in state:
        written = (cache != 0).any(dim=3).all(dim=1)  # [B, T]: every head has something there
        assert [row.nonzero().flatten().tolist() for row in written] == [[0], [5], [OUTPUT - 1]]
        assert int((cache != 0).any(dim=3).sum()) == 3 * checkpoint.architecture.num_heads


def test_a_position_outside_the_cache_writes_nothing(build: Build, checkpoint: Checkpoint) -> None:
    compiled, weights = build(checkpoint, (1, 3), INPUT, OUTPUT, "float32", True), checkpoint.weights("float32")
    example = batch(checkpoint, [9, 30, 2], INPUT, OUTPUT)
    cross = compiled("prefill_b3", weights, example.hidden)
    state = empty_state(compiled, "step_b3")
    position = torch.tensor([OUTPUT, -1, 2**30], dtype=torch.int32)
    (logits,) = compiled("step_b3", weights, example.decoder_ids[:, :1].clone(), position, example.mask, *state, *cross)
    assert all(bool((cache == 0).all()) for cache in state)
    assert torch.isfinite(logits).all()


def test_rows_at_different_positions_do_not_disturb_each_other(build: Build, checkpoint: Checkpoint) -> None:
    compiled, weights = build(checkpoint, (1, 3), INPUT, OUTPUT, "float32", True), checkpoint.weights("float32")
    example = batch(checkpoint, [64, 8, 25], INPUT, OUTPUT)
    cross = compiled("prefill_b3", weights, example.hidden)
    state = empty_state(compiled, "step_b3")
    for time in range(OUTPUT):
        position = torch.tensor([time, time // 2, time // 3], dtype=torch.int32)
        token = example.decoder_ids[torch.arange(3), position.long()].view(3, 1)
        (logits,) = compiled("step_b3", weights, token, position, example.mask, *state, *cross)
        assert float((logits[:, 0] - example.logits[torch.arange(3), position.long()]).abs().max()) < FLOAT32


def test_a_row_that_is_all_padding_gives_finite_numbers(build: Build, checkpoint: Checkpoint) -> None:
    compiled, weights = build(checkpoint, (1, 3), INPUT, OUTPUT, "float32", True), checkpoint.weights("float32")
    example = batch(checkpoint, [10, 0, 0], INPUT, OUTPUT)
    assert max(errors(compiled, weights, example, kv_cache=True)) < FLOAT32
    (hidden,) = compiled("encode_b3", weights, example.ids, example.mask)
    assert torch.isfinite(hidden).all()


def test_a_rows_numbers_do_not_depend_on_the_batch_it_is_in(build: Build, checkpoint: Checkpoint) -> None:
    compiled, weights = build(checkpoint, (1, 3), INPUT, OUTPUT, "float32", True), checkpoint.weights("float32")
    example = batch(checkpoint, [64, 8, 25], INPUT, OUTPUT)
    (together,) = compiled("encode_b3", weights, example.ids, example.mask)
    for row in range(3):
        (alone,) = compiled(
            "encode_b1", weights, example.ids[row : row + 1].clone(), example.mask[row : row + 1].clone()
        )
        assert torch.equal(alone[0], together[row])


def test_functions_are_described_as_they_are(build: Build, checkpoint: Checkpoint) -> None:
    compiled = build(checkpoint, (3,), INPUT, OUTPUT, "float16", True)
    assert [function["name"] for function in compiled.functions] == list(compiled.programs)
    step = compiled.functions[-1]
    names = [tensor["name"] for tensor in step["inputs"] if tensor["kind"] != "weight"]
    assert names == [
        "token",
        "position",
        "mask",
        "self_key_0",
        "self_value_0",
        "self_key_1",
        "self_value_1",
        "cross_key_0",
        "cross_value_0",
        "cross_key_1",
        "cross_value_1",
    ]
    assert step["inputs"][3] == {"name": "self_key_0", "kind": "state", "shape": [3, 4, OUTPUT, 64], "dtype": "float32"}
    assert step["outputs"] == [{"name": "logits", "shape": [3, 1, 384], "dtype": "float32"}]
    assert (step["role"], step["batch"], step["input_len"], step["output_len"]) == ("step", 3, INPUT, OUTPUT)
    assert {tensor["dtype"] for tensor in step["inputs"] if tensor["kind"] == "weight"} == {"float16"}


def errors(compiled: Library, weights: dict[str, Tensor], example: Batch, kv_cache: bool) -> list[float]:
    """The largest differences from transformers of the encoder and the decoder."""
    rows = len(example.ids)
    (hidden,) = compiled(f"encode_b{rows}", weights, example.ids, example.mask)
    if kv_cache:
        cross = compiled(f"prefill_b{rows}", weights, hidden)
        state, steps = empty_state(compiled, f"step_b{rows}"), []
        for time in range(example.decoder_ids.shape[1]):
            position = torch.full((rows,), time, dtype=torch.int32)
            token = example.decoder_ids[:, time : time + 1].clone()
            steps += compiled(f"step_b{rows}", weights, token, position, example.mask, *state, *cross)
        logits = torch.cat(steps, dim=1)
    else:
        (logits,) = compiled(f"decode_b{rows}", weights, example.decoder_ids, hidden, example.mask)
    return [hidden_error(hidden, example), float((logits - example.logits).abs().max())]


def empty_state(compiled: Library, step: str) -> list[Tensor]:
    """The caches before the first step."""
    return [torch.zeros(spec.shape) for kind, spec in compiled.programs[step].inputs if kind == "state"]

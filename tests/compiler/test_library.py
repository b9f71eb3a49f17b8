"""Compiled programs compute the same as transformers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from compiled_library import Library, library
from t5_reference import Batch, Checkpoint, batch, embedded, hidden_error, packed, random_checkpoint, roles, run
from torch import Tensor

from g2p_build.models.layout import input_buckets
from g2p_build.models.programs import TOKENS, programs

FLOAT32, FLOAT16, BFLOAT16, INT8 = 2e-4, 5e-2, 0.5, 2.5  # of logits; the embedded checkpoint's reach 26
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
    """A function that compiles a checkpoint's programs, once for each set of arguments."""
    built: dict[Any, Library] = {}

    def build(
        checkpoint: Checkpoint, rows: tuple[int, ...], input_len: int, output_len: int, dtype: str, kv_cache: bool
    ) -> Library:
        key = (checkpoint.architecture, rows, input_len, output_len, dtype, kv_cache)
        if key not in built:
            found = programs(checkpoint.architecture, rows, input_buckets(input_len), output_len, dtype, kv_cache)
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
        ("bfloat16", True, (3,)),
        ("int8", True, (3,)),
        ("int8", False, (1,)),
    ],
)
def test_the_embedded_checkpoint_in_every_bucket(
    build: Build, checkpoint: Checkpoint, dtype: str, kv_cache: bool, rows: tuple[int, ...]
) -> None:
    compiled = build(checkpoint, rows, INPUT, OUTPUT, dtype, kv_cache)
    assert input_buckets(INPUT) == [16, 24, 32, 48, 64]
    for lengths in ([64], [13], [64, 17, 1], [1, 48, 9], [24, 20, 3], [16, 1, 2], [30, 25, 32]):
        if len(lengths) in rows:
            bucket = next(bucket for bucket in input_buckets(INPUT) if bucket >= max(lengths))
            example = batch(checkpoint, lengths, bucket, OUTPUT)
            bound = {"float32": FLOAT32, "float16": FLOAT16, "bfloat16": BFLOAT16, "int8": INT8}[dtype]
            assert max(errors(compiled, checkpoint.weights(dtype), example, kv_cache)) < bound


@pytest.mark.parametrize("shape", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("kv_cache", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_odd_shapes(build: Build, shape: dict[str, Any], kv_cache: bool, dtype: str) -> None:
    checkpoint = random_checkpoint(5, **shape)
    weights = checkpoint.weights(dtype)
    example = batch(checkpoint, [11, 3, 1, 7, 2], 11, 7)
    if dtype == "float16":  # against the rounded weights: what the kernels add must be float32's error, not float16's
        modules = roles(checkpoint, example, dtype)
        (hidden,) = run(modules["encode"], weights, example.packed_ids, example.length)
        _, logits = run(modules["decode"], weights, example.decoder_ids, hidden, example.length)
        example = replace(example, hidden=hidden, logits=logits)
    compiled = build(checkpoint, (5,), 11, 7, dtype, kv_cache)
    scale = 1 + float(example.logits.abs().max())
    assert max(errors(compiled, weights, example, kv_cache)) < FLOAT32 * scale


def test_a_step_writes_each_row_at_its_own_position_in_the_callers_cache(build: Build, checkpoint: Checkpoint) -> None:
    compiled, weights = build(checkpoint, (1, 3), INPUT, OUTPUT, "float32", True), checkpoint.weights("float32")
    example = batch(checkpoint, [9, 30, 2], INPUT, OUTPUT)
    state = prefilled(compiled, weights, example.hidden, example.length)
    mine = [tensor for name, tensor in state.items() if name.startswith("self")]
    position = torch.tensor([0, 5, OUTPUT - 1], dtype=torch.int32)
    before = [tensor.data_ptr() for tensor in mine]
    compiled("step_b3_k1", weights, example.decoder_ids[:, :1].clone(), position, example.length, *state.values())
    assert [tensor.data_ptr() for tensor in mine] == before
    for name, cache in state.items():
        if name.startswith("self"):
            if "key" in name:  # positions by sixteens, the width between
                cache = cache.movedim(3, 4).flatten(2, 3)
            written = (cache != 0).any(dim=3).all(dim=1)  # [B, T]: every head has something there
            assert [row.nonzero().flatten().tolist() for row in written] == [[0], [5], [OUTPUT - 1]]
            assert int((cache != 0).any(dim=3).sum()) == 3 * checkpoint.architecture.num_heads


def test_a_position_outside_the_cache_writes_nothing(build: Build, checkpoint: Checkpoint) -> None:
    compiled, weights = build(checkpoint, (1, 3), INPUT, OUTPUT, "float32", True), checkpoint.weights("float32")
    example = batch(checkpoint, [9, 30, 2], INPUT, OUTPUT)
    state = prefilled(compiled, weights, example.hidden, example.length)
    position = torch.tensor([OUTPUT, -1, 2**30], dtype=torch.int32)
    token = example.decoder_ids[:, :1].clone()
    _, logits = compiled("step_b3_k1", weights, token, position, example.length, *state.values())
    assert all(bool((cache == 0).all()) for name, cache in state.items() if name.startswith("self"))
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("tokens", TOKENS)
def test_rows_at_different_positions_do_not_disturb_each_other(
    build: Build, checkpoint: Checkpoint, tokens: int
) -> None:
    compiled, weights = build(checkpoint, (1, 3), INPUT, OUTPUT, "float32", True), checkpoint.weights("float32")
    example = batch(checkpoint, [64, 8, 25], INPUT, OUTPUT)
    state = prefilled(compiled, weights, example.hidden, example.length)
    for time in range(OUTPUT - tokens + 1):
        position = torch.tensor([time, time // 2, time // 3], dtype=torch.int32)
        place = position.long()[:, None] + torch.arange(tokens)
        token = example.decoder_ids.gather(1, place)
        ids, logits = compiled(f"step_b3_k{tokens}", weights, token, position, example.length, *state.values())
        expected = example.logits.gather(1, place[:, :, None].expand(-1, -1, logits.shape[2]))
        assert float((logits - expected).abs().max()) < FLOAT32
        assert torch.equal(ids, logits.argmax(-1).to(torch.int32))


def test_a_words_results_do_not_depend_on_batch_place_bucket_or_tokens_a_step(
    build: Build, checkpoint: Checkpoint
) -> None:
    compiled, weights = build(checkpoint, (1, 3), INPUT, OUTPUT, "float32", True), checkpoint.weights("float32")
    word = batch(checkpoint, [19], 24, OUTPUT)
    found = []
    for rows, place, bucket, tokens in ((1, 0, 24, 1), (1, 0, 64, 8), (3, 0, 24, 4), (3, 2, 48, 1), (3, 1, 32, 8)):
        others = batch(checkpoint, [5, 20, 24][:rows], bucket, OUTPUT, seed=rows)
        ids, decoder_ids, length = others.ids.clone(), others.decoder_ids.clone(), others.length.clone()
        ids[place, :19], decoder_ids[place], length[place] = word.ids[0, :19], word.decoder_ids[0], 19
        (hidden,) = compiled(f"encode_b{rows}_i{bucket}", weights, packed(ids, length), length)
        state, logits = prefilled(compiled, weights, hidden, length), []
        for time in range(0, OUTPUT, tokens):
            position, token = torch.full((rows,), time, dtype=torch.int32), decoder_ids[:, time : time + tokens].clone()
            logits.append(compiled(f"step_b{rows}_k{tokens}", weights, token, position, length, *state.values())[1])
        first = int(length[:place].sum())
        found.append((hidden[first : first + 19], torch.cat(logits, dim=1)[place]))
    for hidden, logits in found[1:]:
        assert torch.equal(hidden, found[0][0])
        assert torch.equal(logits, found[0][1])


def test_functions_are_described_as_they_are(build: Build, checkpoint: Checkpoint) -> None:
    compiled = build(checkpoint, (3,), INPUT, OUTPUT, "float16", True)
    assert [function["name"] for function in compiled.functions] == list(compiled.programs)
    step = compiled.functions[-1]
    names = [tensor["name"] for tensor in step["inputs"] if tensor["kind"] != "weight"]
    caches = [f"{kind}_{part}_{block}" for kind in ("self", "cross") for block in (0, 1) for part in ("key", "value")]
    assert names == ["token", "position", "length", *caches]
    assert step["inputs"][3] == {"name": "self_key_0", "kind": "state", "shape": [3, 4, 2, 64, 16], "dtype": "float32"}
    assert step["inputs"][4] == {"name": "self_value_0", "kind": "state", "shape": [3, 4, 24, 64], "dtype": "float32"}
    assert step["outputs"] == [
        {"name": "ids", "shape": [3, 16], "dtype": "int32"},
        {"name": "logits", "shape": [3, 16, 384], "dtype": "float32"},
    ]
    assert (step["role"], step["batch"], step["input_len"], step["output_len"]) == ("step", 3, INPUT, OUTPUT)
    assert step["tokens"] == 16
    assert {tensor["dtype"] for tensor in step["inputs"] if tensor["kind"] == "weight"} == {"float16"}


def errors(compiled: Library, weights: dict[str, Tensor], example: Batch, kv_cache: bool) -> list[float]:
    """The largest differences from transformers, of the encoder and of the decoder."""
    rows, bucket = example.ids.shape
    (hidden,) = compiled(f"encode_b{rows}_i{bucket}", weights, example.packed_ids, example.length)
    if kv_cache:
        state, steps = prefilled(compiled, weights, hidden, example.length), []
        for time in range(example.decoder_ids.shape[1]):
            position = torch.full((rows,), time, dtype=torch.int32)
            token = example.decoder_ids[:, time : time + 1].clone()
            steps.append(compiled(f"step_b{rows}_k1", weights, token, position, example.length, *state.values())[1])
        logits = torch.cat(steps, dim=1)
    else:
        _, logits = compiled(f"decode_b{rows}_i{bucket}", weights, example.decoder_ids, hidden, example.length)
    return [hidden_error(hidden, example), float((logits - example.logits).abs().max())]


def prefilled(compiled: Library, weights: dict[str, Tensor], hidden: Tensor, length: Tensor) -> dict[str, Tensor]:
    """The caches before the first step, by name: of self-attention, empty, and of cross-attention."""
    rows, bucket = len(length), len(hidden) // len(length)
    specs = [spec for kind, spec in compiled.programs[f"step_b{rows}_k1"].inputs if kind == "state"]
    state = {spec.name: torch.zeros(spec.shape) for spec in specs}
    cross = [tensor for name, tensor in state.items() if name.startswith("cross")]
    compiled(f"prefill_b{rows}_i{bucket}", weights, hidden, length, *cross)
    return state

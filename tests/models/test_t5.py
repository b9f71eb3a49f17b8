"""The torch modules compute the same as transformers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from t5_reference import Batch, Checkpoint, batch, embedded, hidden_error, random_checkpoint, roles, run
from torch import Tensor
from transformers import T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

from g2p_build.models import layers, ops, t5
from g2p_build.models.architecture import architecture_of
from g2p_build.models.program import Program

FLOAT32, FLOAT16, BFLOAT16, INT8 = 2e-4, 5e-2, 0.5, 2.5  # of logits; the embedded checkpoint's reach 26

shapes = st.fixed_dictionaries(
    {
        "d_model": st.integers(2, 24),
        "d_kv": st.integers(1, 9),
        "d_ff": st.integers(1, 20),
        "num_heads": st.integers(1, 3),
        "num_layers": st.integers(1, 3),
        "num_decoder_layers": st.integers(1, 2),
        "relative_attention_num_buckets": st.integers(4, 12),
        "relative_attention_max_distance": st.integers(7, 20),
        "feed_forward_proj": st.sampled_from(["relu", "gated-gelu"]),
        "tie_word_embeddings": st.booleans(),
    }
)


@settings(max_examples=25, deadline=None)
@given(
    shape=shapes,
    separate_lm_head=st.booleans(),
    lengths=st.lists(st.integers(1, 11), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
def test_every_shape_agrees_with_transformers(
    shape: dict[str, object], separate_lm_head: bool, lengths: list[int], seed: int
) -> None:
    checkpoint = random_checkpoint(seed, separate_lm_head, **shape)
    example = batch(checkpoint, lengths, input_len=11, output_len=7, seed=seed)
    scale = 1 + float(example.logits.abs().max())  # tiny random models can have large logits
    for error in errors(checkpoint, example, "float32"):
        assert error < FLOAT32 * scale


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return embedded()


@pytest.fixture(scope="module")
def example(checkpoint: Checkpoint) -> Batch:
    return batch(checkpoint, [64, 17, 1], input_len=64, output_len=24)


@pytest.mark.parametrize(
    ("dtype", "bound"), [("float32", FLOAT32), ("float16", FLOAT16), ("bfloat16", BFLOAT16), ("int8", INT8)]
)
def test_the_embedded_checkpoint_agrees_with_transformers(
    checkpoint: Checkpoint, example: Batch, dtype: str, bound: float
) -> None:
    assert max(errors(checkpoint, example, dtype)) < bound


def test_half_precision_weights_are_computed_with_in_float32(checkpoint: Checkpoint, example: Batch) -> None:
    programs = roles(checkpoint, example, "float16")
    half = checkpoint.weights("float16")
    rounded = {name: tensor.float() for name, tensor in half.items()}
    (found,) = run(programs["encode"], half, example.packed_ids, example.length)
    (expected,) = run(programs["encode"], rounded, example.packed_ids, example.length)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


def test_rows_step_at_their_own_positions(checkpoint: Checkpoint, example: Batch) -> None:
    programs, weights = roles(checkpoint, example, "float32"), checkpoint.weights("float32")
    mine, cross = prefilled(programs, weights, example.hidden, example.length)
    # Row 0 takes a token every time, row 1 every second time, row 2 every third. Who waits repeats the last step.
    for time in range(12):
        position = torch.tensor([time, time // 2, time // 3], dtype=torch.int32)
        token = example.decoder_ids[torch.arange(3), position.long()].view(3, 1)
        ids, logits, *mine = run(programs["step"], weights, token, position, example.length, *mine, *cross)
        expected = example.logits[torch.arange(3), position.long()]
        assert float((logits[:, 0] - expected).abs().max()) < FLOAT32
        assert torch.equal(ids, logits.argmax(-1).to(torch.int32))


def test_several_tokens_a_step_give_the_same_as_single_steps(checkpoint: Checkpoint, example: Batch) -> None:
    programs, weights, rows = roles(checkpoint, example, "float32"), checkpoint.weights("float32"), len(example.ids)
    mine, cross = prefilled(programs, weights, example.hidden, example.length)
    step = t5.Step(checkpoint.architecture, rows, 24, tokens=4)
    for start in range(0, 24, 4):
        position = torch.full((rows,), start, dtype=torch.int32)
        with torch.no_grad():
            _, logits, *mine = step(
                example.decoder_ids[:, start : start + 4].contiguous(), position, example.length, mine, cross, weights
            )
        assert float((logits - example.logits[:, start : start + 4]).abs().max()) < FLOAT32


def test_a_length_of_nothing_counts_as_one(checkpoint: Checkpoint) -> None:
    example = batch(checkpoint, [5, 1], input_len=8, output_len=4)
    programs, weights = roles(checkpoint, example, "float32"), checkpoint.weights("float32")
    (hidden,) = run(programs["encode"], weights, example.packed_ids, torch.tensor([5, 0], dtype=torch.int32))
    assert hidden_error(hidden, example) < FLOAT32
    assert torch.isfinite(hidden).all()


@pytest.mark.parametrize("separate", [True, False])
@pytest.mark.parametrize(
    "fields",
    [
        {"tie_word_embeddings": True},
        {"tie_word_embeddings": False},
        {},
        {"scale_decoder_outputs": True},
        {"scale_decoder_outputs": False},
        {"scale_decoder_outputs": False, "tie_word_embeddings": True},
        {"scale_decoder_outputs": True, "tie_word_embeddings": False},
    ],
)
def test_tied_or_not_and_scaled_or_not_as_transformers_reads_the_files(
    tmp_path: Path, separate: bool, fields: dict[str, bool]
) -> None:
    shape = {"d_model": 16, "d_kv": 3, "d_ff": 12, "num_heads": 2, "num_layers": 1}
    source = random_checkpoint(7, separate, **shape)
    config = T5Config(vocab_size=384, dropout_rate=0.0, **shape).to_dict()
    for field in ("tie_word_embeddings", "scale_decoder_outputs"):
        config.pop(field, None)
    (tmp_path / "config.json").write_text(json.dumps(config | fields))
    save_file(
        {name: tensor.contiguous().clone() for name, tensor in source.state.items()},
        tmp_path / "model.safetensors",
        metadata={"format": "pt"},
    )

    model = T5ForConditionalGeneration.from_pretrained(tmp_path).eval()
    state = load_file(tmp_path / "model.safetensors")
    architecture = architecture_of(
        json.loads((tmp_path / "config.json").read_text()),
        {name: tuple(tensor.shape) for name, tensor in state.items()},
    )
    checkpoint = Checkpoint(model, architecture, state)
    assert max(errors(checkpoint, batch(checkpoint, [6, 3], 6, 5), "float32")) < FLOAT32


@settings(max_examples=60, deadline=None)
@given(buckets=st.integers(4, 64), further=st.integers(1, 300), bidirectional=st.booleans())
def test_buckets_are_exactly_transformers(buckets: int, further: int, bidirectional: bool) -> None:
    furthest = buckets // 2 + further
    distance = torch.arange(-400, 401)
    expected = T5Attention._relative_position_bucket(distance, bidirectional, buckets, furthest)
    assert torch.equal(layers.position_buckets(distance, bidirectional, buckets, furthest), expected.to(torch.int32))


def test_a_write_outside_the_cache_is_dropped() -> None:
    packed, position = torch.ones(6, 3 * 2), torch.tensor([1, 3, -1], dtype=torch.int32)
    buckets, table = torch.zeros(4, dtype=torch.int32), torch.zeros(1, 1)
    key, value = torch.zeros(3, 1, 1, 2, 16), torch.zeros(3, 1, 4, 2)
    _, keys, values = ops.attend_self(packed, position, buckets, table, key, value)
    assert values[:, 0, :, 0].tolist() == [[0, 1, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0]]
    assert torch.equal(keys[:, :, 0, :, :4], values.transpose(2, 3))
    assert key.eq(0).all() and value.eq(0).all()


def errors(checkpoint: Checkpoint, example: Batch, dtype: str) -> list[float]:
    """The largest difference from transformers of the encoder, the decoder, and the decoder with a cache."""
    programs, weights = roles(checkpoint, example, dtype), checkpoint.weights(dtype)
    (hidden,) = run(programs["encode"], weights, example.packed_ids, example.length)
    _, logits = run(programs["decode"], weights, example.decoder_ids, hidden, example.length)
    mine, cross = prefilled(programs, weights, hidden, example.length)
    cached = []
    for time in range(example.decoder_ids.shape[1]):
        position = torch.full((len(example.length),), time, dtype=torch.int32)
        token = example.decoder_ids[:, time : time + 1]
        _, one, *mine = run(programs["step"], weights, token, position, example.length, *mine, *cross)
        cached.append(one)
    return [
        hidden_error(hidden, example),
        float((logits - example.logits).abs().max()),
        float((torch.cat(cached, dim=1) - example.logits).abs().max()),
    ]


def prefilled(
    programs: dict[str, Program], weights: dict[str, Tensor], hidden: Tensor, length: Tensor
) -> tuple[list[Tensor], list[Tensor]]:
    """The caches before the first step: of self-attention, empty, and of cross-attention."""
    states = [spec for kind, spec in programs["step"].inputs if kind == "state"]
    mine, cross = ([torch.zeros(s.shape) for s in states if s.name.startswith(part)] for part in ("self", "cross"))
    return mine, list(run(programs["prefill"], weights, hidden, length, *cross))

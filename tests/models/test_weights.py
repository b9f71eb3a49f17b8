"""The layout of the weights, and which of them each program takes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from t5_reference import Checkpoint, random_checkpoint

from g2p_build.errors import BuildError
from g2p_build.models.layout import (
    BLOCK_BYTES,
    GATED,
    PANEL,
    input_buckets,
    pack_columns,
    panels,
    quantise_panels,
    unpack_columns,
    unpack_panels,
)
from g2p_build.models.programs import programs
from g2p_build.models.weights import DTYPES, pack, tensor_specs


@pytest.fixture
def checkpoint() -> Checkpoint:
    return random_checkpoint(
        3,
        True,
        d_model=12,
        d_kv=5,
        d_ff=20,
        num_heads=2,
        num_layers=2,
        num_decoder_layers=1,
        feed_forward_proj="gated-gelu",
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_packed_tensors_are_what_the_specs_say(checkpoint: Checkpoint, dtype: str) -> None:
    packed = checkpoint.weights(dtype)
    specs = tensor_specs(checkpoint.architecture, dtype)
    assert [spec.name for spec in specs] == list(packed)
    for spec in specs:
        assert tuple(packed[spec.name].shape) == spec.shape
        assert packed[spec.name].dtype == getattr(torch, spec.dtype)
        assert packed[spec.name].is_contiguous()


def test_int8_numbers_are_the_nearest_multiples_of_their_scales() -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(150, 70, generator=generator) * torch.rand(150, 1, generator=generator)
    matrix[:64, 3] = 0  # a column of a group without any number
    packed = quantise_panels(pack_columns(matrix))
    assert packed.dtype == torch.int8 and packed.shape == (3, 3, BLOCK_BYTES)
    numbers, scales = unpack_panels(packed)
    assert int(numbers.abs().max()) == 127
    found = unpack_columns((numbers * scales).flatten(1, 2).permute(1, 0, 2), 70)
    assert found[150:].eq(0).all()
    each = unpack_columns(scales.expand(-1, -1, 64, -1).flatten(1, 2).permute(1, 0, 2), 70)[:150]
    assert ((found[:150] - matrix).abs() <= each / 2).all()
    # A group's greatest number takes all of a byte, but for what rounding a scale to 16 bits costs.
    greatest = torch.nn.functional.pad(matrix, (0, 0, 0, 42)).view(3, 64, 70).abs().amax(1)
    assert (each[::64] <= greatest / 127 * (1 + 2**-7)).all() and (each[::64] >= greatest / 127 * (1 - 1e-6)).all()


def test_matrices_with_one_input_are_side_by_side_in_panels(checkpoint: Checkpoint) -> None:
    packed, state = checkpoint.weights("float32"), checkpoint.state
    layer = "encoder.block.1.layer.0"
    parts = [state[f"{layer}.SelfAttention.{part}.weight"] for part in "qkv"]
    matrix = (torch.cat(parts) * state[f"{layer}.layer_norm.weight"]).T  # [12, 30]
    panel = packed["encoder.1.self.query_key_value"]
    assert panel.shape == (1, 12, 32)
    assert torch.equal(panel[0, :, :30], matrix)
    assert panel[0, :, 30:].eq(0).all()


def test_gates_and_the_columns_that_they_multiply_alternate(checkpoint: Checkpoint) -> None:
    packed, state = checkpoint.weights("float32"), checkpoint.state
    layer = "decoder.block.0.layer.2"
    norm = state[f"{layer}.layer_norm.weight"]
    gate, up = ((state[f"{layer}.DenseReluDense.wi_{i}.weight"] * norm).T for i in (0, 1))  # [12, 20]
    panels = packed["decoder.0.feed_forward.up"]
    assert panels.shape == (2, 12, 32)
    assert torch.equal(panels[0], torch.cat([gate[:, :16], up[:, :16]], dim=1))
    assert torch.equal(panels[1, :, [0, 1, 2, 3, 16, 17, 18, 19]], torch.cat([gate[:, 16:], up[:, 16:]], dim=1))
    assert panels[1, :, 4:16].eq(0).all() and panels[1, :, 20:].eq(0).all()


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 9), columns=st.integers(1, 100), width=st.sampled_from([GATED, PANEL]))
def test_packing_keeps_every_number(rows: int, columns: int, width: int) -> None:
    matrix = torch.arange(1.0, rows * columns + 1).view(rows, columns)
    packed = pack_columns(matrix, width)
    assert packed.shape == (panels(columns, width), rows, width)
    assert torch.equal(unpack_columns(packed.permute(1, 0, 2), columns), matrix)
    assert packed.sum() == matrix.sum()


@pytest.mark.parametrize("length", [1, 16, 17, 64, 96, 100])
def test_buckets_end_with_the_longest_input(length: int) -> None:
    buckets = input_buckets(length)
    assert buckets == sorted(set(buckets)) and buckets[-1] == length
    assert input_buckets(64) == [16, 24, 32, 48, 64]


def test_a_tied_projection_is_the_scaled_embedding_times_the_last_norm() -> None:
    checkpoint = random_checkpoint(3, False, d_model=12, d_kv=5, d_ff=20, num_heads=2, num_layers=1)
    packed = checkpoint.weights("float32")
    scale = 12**-0.5 * checkpoint.state["decoder.final_layer_norm.weight"]
    assert torch.equal(unpack_columns(packed["lm_head"].permute(1, 0, 2), 384), (packed["embedding"] * scale).T)


def test_packed_tensors_share_no_memory_with_the_checkpoint(checkpoint: Checkpoint) -> None:
    packed = checkpoint.weights("float32")
    before = packed["embedding"].clone()
    checkpoint.state["shared.weight"].zero_()
    assert torch.equal(packed["embedding"], before)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_refused(checkpoint: Checkpoint, dtype: str, value: float) -> None:
    name = "encoder.block.0.layer.0.SelfAttention.o.weight"
    checkpoint.state[name][1, 2] = value
    with pytest.raises(BuildError, match=f"{name} has values that are NaN or infinite"):
        pack(checkpoint.architecture, checkpoint.state, dtype)


def test_weights_too_large_for_half_precision_are_refused(checkpoint: Checkpoint) -> None:
    checkpoint.state["encoder.final_layer_norm.weight"][0] = 1e5
    checkpoint.weights("float32")
    with pytest.raises(BuildError, match=r"encoder.final_layer_norm.weight does not fit float16 .*1e\+05.*=float32"):
        checkpoint.weights("float16")


def test_embeddings_that_differ_are_refused(checkpoint: Checkpoint) -> None:
    embedding = checkpoint.state["shared.weight"]
    checkpoint.state["decoder.embed_tokens.weight"] = embedding.clone()
    checkpoint.weights("float32")
    checkpoint.state["decoder.embed_tokens.weight"][5, 0] += 1
    with pytest.raises(BuildError, match=r"decoder.embed_tokens.weight differs from shared.weight"):
        checkpoint.weights("float32")


@pytest.mark.parametrize("kv_cache", [True, False])
def test_together_the_programs_take_every_weight(checkpoint: Checkpoint, kv_cache: bool) -> None:
    found = programs(checkpoint.architecture, [1, 4], [16, 18], 5, "float16", kv_cache)
    assert [program.name for program in found] == (
        [
            f"{name}_b{rows}_{last}"
            for rows in (1, 4)
            for name, last in [
                *[(name, f"i{bucket}") for bucket in (16, 18) for name in ("encode", "prefill")],
                *[("step", f"k{tokens}") for tokens in (1, 4, 8, 16)],
            ]
        ]
        if kv_cache
        else [f"{name}_b{rows}_i{bucket}" for rows in (1, 4) for bucket in (16, 18) for name in ("encode", "decode")]
    )
    specs = tensor_specs(checkpoint.architecture, "float16")
    for program in found:
        taken = [spec for kind, spec in program.inputs if kind == "weight"]
        assert taken == [spec for spec in specs if spec in taken]
    assert {spec for program in found for kind, spec in program.inputs if kind == "weight"} == set(specs)

"""The layout of the weights, and what every program takes of them."""

from __future__ import annotations

import pytest
import torch
from t5_reference import Checkpoint, random_checkpoint

from g2p_build.errors import BuildError
from g2p_build.models.programs import programs
from g2p_build.models.weights import pack, tensor_specs


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


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_packed_tensors_are_what_the_specs_say(checkpoint: Checkpoint, dtype: str) -> None:
    packed = checkpoint.weights(dtype)
    specs = tensor_specs(checkpoint.architecture, dtype)
    assert [spec.name for spec in specs] == list(packed)
    for spec in specs:
        assert tuple(packed[spec.name].shape) == spec.shape
        assert packed[spec.name].dtype == getattr(torch, spec.dtype)
        assert packed[spec.name].is_contiguous()


def test_linear_weights_are_input_by_output(checkpoint: Checkpoint) -> None:
    packed = checkpoint.weights("float32")
    state = checkpoint.state
    assert torch.equal(packed["encoder.1.self.query"], state["encoder.block.1.layer.0.SelfAttention.q.weight"].T)
    down = state["decoder.block.0.layer.2.DenseReluDense.wo.weight"]
    assert torch.equal(packed["decoder.0.feed_forward.down"], down.T)
    assert torch.equal(packed["lm_head"], state["lm_head.weight"].T)
    assert torch.equal(packed["embedding"], state["shared.weight"])


def test_a_tied_projection_is_the_embedding_transposed() -> None:
    checkpoint = random_checkpoint(3, False, d_model=12, d_kv=5, d_ff=20, num_heads=2, num_layers=1)
    packed = checkpoint.weights("float32")
    assert torch.equal(packed["lm_head"], packed["embedding"].T)


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
    checkpoint.state["decoder.final_layer_norm.weight"][0] = 1e5
    checkpoint.weights("float32")
    with pytest.raises(BuildError, match=r"decoder.final_layer_norm.weight does not fit float16 .*1e\+05.*=float32"):
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
    found = programs(checkpoint.architecture, [1, 4], 6, 5, "float16", kv_cache)
    assert [program.name for program in found] == (
        ["encode_b1", "prefill_b1", "step_b1", "encode_b4", "prefill_b4", "step_b4"]
        if kv_cache
        else ["encode_b1", "decode_b1", "encode_b4", "decode_b4"]
    )
    specs = tensor_specs(checkpoint.architecture, "float16")
    for program in found:
        taken = [spec for kind, spec in program.inputs if kind == "weight"]
        assert taken == [spec for spec in specs if spec in taken]
    assert {spec for program in found for kind, spec in program.inputs if kind == "weight"} == set(specs)

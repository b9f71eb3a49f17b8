"""What matrices are multiplied with, and weights that are rounded for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from t5_reference import Checkpoint, random_checkpoint

from g2p_build.models.calibration import ROWS, Outputs, grams
from g2p_build.models.layout import pack_columns, quantise_panels, unpack_columns, unpack_panels
from g2p_build.models.weights import pack, tensor_specs

INPUTS = [[3 + (7 * place + 11 * number) % 250 for place in range(2 + number % 5)] for number in range(ROWS + 3)]
"""More than are decoded at once, and of different lengths."""

MOST = 9


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    shape = {"d_model": 12, "d_kv": 5, "d_ff": 20, "num_heads": 2, "num_layers": 2, "num_decoder_layers": 1}
    return random_checkpoint(3, True, **shape, feed_forward_proj="gated-gelu")


@pytest.fixture(scope="module")
def end(checkpoint: Checkpoint) -> int:
    """An id that ends some outputs, early, and not others."""
    said = [_greedy(checkpoint.model, ids, -1) for ids in INPUTS]
    return next(token for token in said[0][2:] if sum(token in tokens for tokens in said) < len(said))


@pytest.fixture(scope="module")
def sums(checkpoint: Checkpoint, end: int) -> dict[str, torch.Tensor]:
    return grams(checkpoint.architecture, checkpoint.state, INPUTS, Outputs(0, end, MOST), lambda count: None)


def test_there_are_sums_for_every_matrix(checkpoint: Checkpoint, sums: dict[str, torch.Tensor]) -> None:
    specs = tensor_specs(checkpoint.architecture, "float32")
    assert {spec.name: spec.shape[1] for spec in specs if len(spec.shape) == 3} == {
        name: len(gram) for name, gram in sums.items()
    }


def test_sums_are_of_the_rows_that_transformers_multiplies(
    checkpoint: Checkpoint, end: int, sums: dict[str, torch.Tensor]
) -> None:
    model = checkpoint.model.double()
    wanted: dict[str, torch.Tensor] = {}

    def adds(name: str, norm: torch.Tensor | None = None) -> Callable[..., None]:
        def add(module: torch.nn.Module, given: tuple[torch.Tensor, ...], result: torch.Tensor) -> None:
            rows = given[0].flatten(0, -2) / (1 if norm is None else norm)
            wanted[name] = wanted.get(name, torch.zeros(1)) + rows.T @ rows

        return add

    scale = checkpoint.architecture.d_model**-0.5 if checkpoint.architecture.scale_decoder_outputs else 1.0
    encoder, decoder = model.encoder.block, model.decoder.block
    watched = [
        (encoder[0].layer[0].SelfAttention.o, adds("encoder.0.self.output")),
        (
            encoder[1].layer[0].SelfAttention.q,
            adds("encoder.1.self.query_key_value", encoder[1].layer[0].layer_norm.weight),
        ),
        (encoder[1].layer[1].DenseReluDense.wo, adds("encoder.1.feed_forward.down")),
        (decoder[0].layer[1].EncDecAttention.o, adds("decoder.0.cross.output")),
        (model.lm_head, adds("lm_head", model.decoder.final_layer_norm.weight * scale)),
    ]
    with torch.no_grad():
        said = [_greedy(model, ids, end) for ids in INPUTS]
        for module, add in watched:
            module.register_forward_hook(add)
        for ids, tokens in zip(INPUTS, said, strict=True):
            model(input_ids=torch.tensor([ids]), decoder_input_ids=torch.tensor([tokens]))
    assert len({len(tokens) for tokens in said}) > 1
    for name, gram in wanted.items():
        torch.testing.assert_close(
            sums[name], gram, rtol=1e-3, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
        )


def _greedy(model: torch.nn.Module, ids: list[int], end: int) -> list[int]:
    """The start id, and what follows it without the end id."""
    tokens = [0]
    while len(tokens) < MOST:
        logits = model(input_ids=torch.tensor([ids]), decoder_input_ids=torch.tensor([tokens])).logits
        token = int(logits[0, -1].argmax())
        if token == end:
            break
        tokens.append(token)
    return tokens


def test_weights_that_are_rounded_for_their_inputs_make_smaller_errors() -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(150, 70, generator=generator)
    rows = torch.randn(500, 20, generator=generator) @ torch.randn(20, 150, generator=generator)
    rows += 0.1 * torch.randn(500, 150, generator=generator)
    gram = rows.double().T @ rows.double()

    def error(packed: torch.Tensor) -> float:
        numbers, scales = unpack_panels(packed)
        assert int(numbers.abs().max()) == 127
        found = unpack_columns((numbers * scales).flatten(1, 2).permute(1, 0, 2), 70)
        assert found[150:].eq(0).all()
        return float((rows @ (found[:150] - matrix)).square().mean().sqrt())

    panels = pack_columns(matrix)
    assert error(quantise_panels(panels, gram)) < 0.5 * error(quantise_panels(panels))
    # Where no input goes with another, no error can be taken back.
    assert torch.equal(quantise_panels(panels, torch.eye(150, dtype=torch.float64)), quantise_panels(panels))


def test_inputs_that_never_come_harm_nothing() -> None:
    matrix = torch.randn(70, 40, generator=torch.Generator().manual_seed(1))
    gram = torch.zeros(70, 70, dtype=torch.float64)
    assert torch.equal(quantise_panels(pack_columns(matrix), gram), quantise_panels(pack_columns(matrix)))
    gram[3, 3] = 5.0
    quantise_panels(pack_columns(matrix), gram)


def test_only_int8_is_rounded_for_its_inputs(checkpoint: Checkpoint, sums: dict[str, torch.Tensor]) -> None:
    for dtype in ("float32", "float16", "bfloat16"):
        plain, calibrated = (pack(checkpoint.architecture, checkpoint.state, dtype, each) for each in (None, sums))
        assert all(torch.equal(plain[name], calibrated[name]) for name in plain)

"""T5 in torch's own operations, as other libraries get it, compared with transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import t5_reference
import torch
from torch import Tensor

from bench.pronounce import plain
from g2p_build.reference.generate import generate

SHAPES = {
    "gated": {"d_model": 48, "d_kv": 8, "d_ff": 64, "num_heads": 3, "num_layers": 2, "feed_forward_proj": "gated-gelu"},
    "relu, deep encoder": {"d_model": 32, "d_kv": 7, "d_ff": 40, "num_heads": 2, "num_layers": 3}
    | {"num_decoder_layers": 1, "feed_forward_proj": "relu"},
}
PROMPTS = [[9, 8, 7, 6, 5, 4], [20, 30], [100]]
STEPS = 9

Next = Callable[[Tensor, int], Tensor]


def past(checkpoint: t5_reference.Checkpoint, mask: Tensor, cross: list[Tensor]) -> Next:
    step = plain.PastStep(checkpoint.architecture, checkpoint.state, STEPS)
    caches: list[Tensor] = []

    def logits(token: Tensor, position: int) -> Tensor:
        found, *caches[:] = step(token, mask, caches, cross)
        return found

    return logits


def cached(checkpoint: t5_reference.Checkpoint, mask: Tensor, cross: list[Tensor]) -> Next:
    step = plain.CachedStep(checkpoint.architecture, checkpoint.state, len(mask), STEPS)
    return lambda token, position: step(token, torch.tensor([position]), mask, *cross)


def filled(checkpoint: t5_reference.Checkpoint, mask: Tensor, cross: list[Tensor]) -> Next:
    step = plain.FilledStep(checkpoint.architecture, checkpoint.state, STEPS)
    shape = plain.cache_shape(checkpoint.architecture, len(mask), STEPS)
    caches = [torch.zeros(shape) for _ in cross]

    def logits(token: Tensor, position: int) -> Tensor:
        found, *caches[:] = step(token, torch.tensor([position]), mask, caches, cross)
        return found

    return logits


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("make", [past, cached, filled])
@pytest.mark.parametrize("padding", [0, 3])
@torch.no_grad()
def test_every_way_to_keep_a_cache_says_what_transformers_says(
    shape: str, separate: bool, make: Callable[..., Next], padding: int
) -> None:
    checkpoint = t5_reference.random_checkpoint(3, separate, **SHAPES[shape])
    expected = generate(checkpoint.model, PROMPTS, STEPS + 1)
    width = max(map(len, PROMPTS))
    ids = torch.tensor([[*prompt, *[0] * (width - len(prompt))] for prompt in PROMPTS])
    mask = (ids != 0).float()
    encode = plain.Encode(checkpoint.architecture, checkpoint.state, width + 2, padding)
    cross = list(encode(ids, mask))
    assert {tensor.shape[2] for tensor in cross} == {width + padding}
    logits = make(checkpoint, torch.nn.functional.pad(mask, (0, padding)), cross)
    token = torch.zeros(len(PROMPTS), 1, dtype=torch.int64)
    produced = []
    for position in range(STEPS):
        token = logits(token, position).argmax(-1, keepdim=True)
        produced.append(token)
    assert [row[: len(ids)] for row, ids in zip(torch.cat(produced, 1).tolist(), expected, strict=True)] == expected


def test_a_test_that_ends_at_once_would_prove_nothing() -> None:
    checkpoint = t5_reference.random_checkpoint(3, True, **SHAPES["gated"])
    found: Sequence[Sequence[int]] = generate(checkpoint.model, PROMPTS, STEPS + 1)
    assert len({tuple(ids) for ids in found}) == len(PROMPTS)
    assert min(map(len, found)) > 2

"""The reference gives what transformers gives with its own tokenizer and its own way to load a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import ByT5Tokenizer, T5ForConditionalGeneration

from g2p_build.checkpoints.files import EMBEDDED
from g2p_build.families.g2p.checkpoint import G2PCheckpoint
from g2p_build.reference.generate import Reference, text_of
from g2p_build.stages import checkpoint as stage

PROMPTED = G2PCheckpoint(
    name="embedded",
    family="g2p",
    source="embedded",
    repo=None,
    revision=None,
    path=None,
    seed=0,
    shape=None,
    prompt="<{lang}>:{space}{word}",
    space_after_colon=True,
    append_eos=False,
)
WORDS = ["knight", "a", "o'clock", "pronunciation", "naïve"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("checkpoint")
    stage.build({"source": "path"}, stage.source_files((EMBEDDED,)), out)
    return out


def reference(made: Path, checkpoint: G2PCheckpoint) -> Reference:
    return Reference(checkpoint, made / "architecture.json", made / "model.safetensors")


@pytest.mark.parametrize(("space", "append_eos"), [(True, False), (False, False), (True, True), (False, True)])
def test_words_are_prompted_generated_and_spelt_as_by_transformers(made: Path, space: bool, append_eos: bool) -> None:
    tokenizer = ByT5Tokenizer()
    model = T5ForConditionalGeneration.from_pretrained(EMBEDDED)
    ours = reference(made, replace(PROMPTED, space_after_colon=space, append_eos=append_eos))
    found = ours.tokens(WORDS, "eng-us", 64)
    for word, ids in zip(WORDS, found, strict=True):
        prompt = f"<eng-us>:{' ' if space else ''}{word}"
        inputs = tokenizer(prompt, add_special_tokens=append_eos, return_tensors="pt")
        expected = model.generate(**inputs, max_length=64, num_beams=1, do_sample=False)[0, 1:]
        assert ids == expected.tolist()
        assert ours.text(ids) == tokenizer.decode(expected, skip_special_tokens=True)
        assert ours.length(word, "eng-us") == inputs["input_ids"].shape[1]


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_order_and_ids_do_not_depend_on_the_batch(made: Path, batch_size: int) -> None:
    ours = reference(made, PROMPTED)
    assert ours.tokens(WORDS, "eng-us", 64, batch_size) == [ours.tokens([word], "eng-us", 64)[0] for word in WORDS]
    assert ours.tokens([], "eng-us", 64, batch_size) == []


def test_the_bound_counts_the_start_token(made: Path) -> None:
    ours = reference(made, PROMPTED)
    [whole], [cut] = (ours.tokens(["pronunciation"], "eng-us", max_length) for max_length in (64, 5))
    assert whole[-1] == 1
    assert cut == whole[:4]


def test_ids_that_are_not_text_are_left_out() -> None:
    assert text_of([0, 2, 100, 1, 3 + 0xC3, 383, 3 + 0xC3, 3 + 0xA9, 3 + 0xE2]) == b"a\xc3\xc3\xa9\xe2".decode(
        "utf-8", "ignore"
    )


def test_zeros_before_the_end_are_the_models_own(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = reference(made, PROMPTED)
    rows = torch.tensor([[0, 5, 0, 0], [0, 5, 0, 1]])
    monkeypatch.setattr(ours._model, "generate", lambda **_: rows)
    assert ours.tokens(["a", "b"], "eng-us", 4) == [[5, 0, 0], [5, 0, 1]]

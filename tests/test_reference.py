"""The reference gives what transformers gives with its own tokenizer and its own way to load a model."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import ByT5Tokenizer, T5ForConditionalGeneration

from g2p_build.checkpoints.files import EMBEDDED
from g2p_build.errors import BuildError
from g2p_build.families.g2p.checkpoint import G2PCheckpoint
from g2p_build.reference.generate import Published, Reference, text_of
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


# What a checkpoint's own files say, and what we are configured to say. transformers knows the first alone.
OTHER_IDS = {"decoder_start_token_id": 2, "pad_token_id": 5, "eos_token_id": 60}


@pytest.mark.parametrize(
    "file", ["config.json", "generation_config.json", "both"], ids=["config", "generation config", "both"]
)
@pytest.mark.parametrize("name", OTHER_IDS)
def test_nothing_of_ours_but_the_prompt_reaches_the_reference(tmp_path: Path, name: str, file: str) -> None:
    """`both`: the generation config overrides the config, as in transformers."""
    folder = tmp_path / "published"
    shutil.copytree(EMBEDDED, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if file != "generation_config.json":
        config[name] = 2 if file == "both" else OTHER_IDS[name]
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    if file != "config.json":
        ids = {key: config[key] for key in OTHER_IDS} | {name: OTHER_IDS[name]}
        (folder / "generation_config.json").write_text(json.dumps(ids), encoding="utf-8")
    absent = tmp_path / "absent"  # what our stage made of it is not even read
    ours = replace(PROMPTED, pad_id=1, eos_id=2, decoder_start_id=1, unk_id=0, byte_offset=3)
    found = Reference(ours, absent, absent, Published(str(folder))).tokens(WORDS, "eng-us", 32, 1)
    model, tokenizer = T5ForConditionalGeneration.from_pretrained(folder), ByT5Tokenizer()
    for word, ids in zip(WORDS, found, strict=True):
        inputs = tokenizer(f"<eng-us>: {word}", add_special_tokens=False, return_tensors="pt")
        row = model.generate(**inputs, max_length=32)[0].tolist()
        end = model.generation_config.eos_token_id
        assert row[0] == model.generation_config.decoder_start_token_id
        assert ids == (row[1 : row.index(end, 1) + 1] if end in row[1:] else row[1:])


def test_its_own_tokenizer_is_used_and_no_form_of_text(made: Path) -> None:
    published = Reference(PROMPTED, made, made, Published(str(EMBEDDED)))
    plain = reference(made, PROMPTED)
    for words in (WORDS, ["Knight", "I’m", "Ⅻ"]):
        assert published.tokens(words, "eng-us", 64) == plain.tokens(words, "eng-us", 64)
    said = published.tokens(["knight"], "eng-us", 64)[0]
    assert published.text(said) == plain.text(said)


def test_what_transformers_cannot_load_whole_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "published"
    shutil.copytree(EMBEDDED, folder)
    state = load_file(folder / "model.safetensors")
    save_file({f"module.{name}": value for name, value in state.items()}, folder / "model.safetensors")
    with pytest.raises(BuildError, match="transformers cannot load"):
        Reference(PROMPTED, folder, folder, Published(str(folder)))

"""CTranslate2, converted by its own converter. Threads pronounce independent batches (its `inter_threads`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from bench.pronounce.setup import Pronounce, PronounceList, Setup, Word, independent

__all__ = ["DISTRIBUTIONS", "IMPORTS", "LIBRARIES", "model_files", "open_list", "open_model", "prepare"]

IMPORTS = ("ctranslate2",)
DISTRIBUTIONS = ("ctranslate2",)
LIBRARIES = ("/ctranslate2/", "/ctranslate2.libs/")


def prepare(setup: Setup, checkpoint: Path, out: Path) -> None:
    """Converts the checkpoint stage's files."""
    from ctranslate2.converters import TransformersConverter
    from ctranslate2.specs import model_spec
    from transformers import ByT5Tokenizer

    from bench.pronounce import plain
    from g2p_build.reference.pretrained import as_model, save_checkpoint

    architecture, state = plain.read(checkpoint)
    exported = out / "transformers"
    exported.mkdir()
    save_checkpoint(exported, architecture, as_model(architecture, state))
    ByT5Tokenizer(extra_ids=architecture.vocab_size - 259).save_pretrained(exported)
    quantization = None if setup.dtype == "float32" else setup.dtype

    class Converter(TransformersConverter):  # type: ignore[misc, no-any-unimported, unused-ignore]
        """transformers 5 says of any T5 that its embeddings are tied, and CTranslate2 then scales its output.

        What was exported is not to be scaled. Greedy decoding does not notice; a search does.
        """

        def _load(self) -> Any:
            spec = super()._load()
            spec.decoder.scale_outputs = model_spec.OPTIONAL
            return spec

    Converter(str(exported)).convert(str(out / "model"), quantization=quantization)


def model_files(setup: Setup) -> list[Path]:
    """The converted model."""
    return sorted(Path(setup.folder, "model").iterdir())


def open_model(setup: Setup) -> Pronounce:
    """Loads the converted model."""
    translate = open_list(setup)
    return independent([lambda batch: translate(batch, 0)] * setup.threads)


@cache
def open_list(setup: Setup) -> PronounceList:
    """The same for whole lists: it sorts them by length itself, and makes batches of the size that it is told."""
    import ctranslate2

    folder = Path(setup.folder, "model")
    names: list[str] = json.loads((folder / "shared_vocabulary.json").read_bytes())
    numbers = {name: number for number, name in enumerate(names)}
    translator = ctranslate2.Translator(
        str(folder), device="cpu", compute_type=setup.dtype, inter_threads=setup.threads, intra_threads=1
    )

    def pronounce(words: Sequence[Word], most: int) -> list[list[int]]:
        results = translator.translate_batch(
            [[names[number] for number in word.ids] for word in words],
            max_batch_size=most,
            beam_size=1,
            max_decoding_length=setup.tokens,
            min_decoding_length=setup.forced_tokens or 1,
            max_input_length=0,
        )
        return [[numbers[name] for name in result.hypotheses[0]] for result in results]

    return pronounce

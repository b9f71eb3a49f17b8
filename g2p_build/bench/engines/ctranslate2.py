"""CTranslate2, converted by its own converter. Threads pronounce independent batches (its `inter_threads`)."""

import json
from pathlib import Path

from g2p_build.bench.setup import Batch, Pronounce, Setup, independent

__all__ = ["LIBRARIES", "model_files", "open_model", "prepare"]

LIBRARIES = ("/ctranslate2/", "/ctranslate2.libs/")


def prepare(setup: Setup, checkpoint: Path, out: Path) -> None:
    """Converts the checkpoint stage's files."""
    from ctranslate2.converters import TransformersConverter
    from safetensors.torch import load_file
    from transformers import ByT5Tokenizer

    from g2p_build.models.architecture import from_json
    from g2p_build.pretrained import as_model, save_checkpoint

    architecture = from_json(json.loads((checkpoint / "architecture.json").read_bytes()))
    exported = out / "transformers"
    exported.mkdir()
    save_checkpoint(exported, architecture, as_model(architecture, load_file(checkpoint / "model.safetensors")))
    ByT5Tokenizer(extra_ids=architecture.vocab_size - 259).save_pretrained(exported)
    quantization = None if setup.dtype == "float32" else setup.dtype
    TransformersConverter(str(exported)).convert(str(out / "model"), quantization=quantization)


def model_files(setup: Setup) -> list[Path]:
    """The converted model."""
    return sorted(Path(setup.folder, "model").iterdir())


def open_model(setup: Setup) -> Pronounce:
    """Loads the converted model."""
    import ctranslate2

    folder = Path(setup.folder, "model")
    names: list[str] = json.loads((folder / "shared_vocabulary.json").read_bytes())
    numbers = {name: number for number, name in enumerate(names)}
    translator = ctranslate2.Translator(
        str(folder), device="cpu", compute_type=setup.dtype, inter_threads=setup.threads, intra_threads=1
    )
    forced = setup.forced_tokens

    def pronounce(batch: Batch) -> list[list[int]]:
        results = translator.translate_batch(
            [[names[number] for number in word.ids] for word in batch],
            beam_size=1,
            max_decoding_length=forced or setup.max_tokens,
            min_decoding_length=forced or 1,
            max_input_length=0,
        )
        return [[numbers[name] for name in result.hypotheses[0]] for result in results]

    return independent([pronounce] * setup.threads)

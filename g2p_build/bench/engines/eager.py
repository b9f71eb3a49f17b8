"""transformers' own `generate`, as its documentation has it; with torch.compile where the setup says so."""

import json
from pathlib import Path

from g2p_build.bench.setup import Batch, Pronounce, Setup, in_turn

__all__ = ["LIBRARIES", "model_files", "open_model"]

LIBRARIES = ("/site-packages/torch/", "/tokenizers/", "/safetensors/")


def model_files(setup: Setup) -> list[Path]:
    """The checkpoint's weights."""
    return [Path(setup.folder, "model.safetensors")]


def open_model(setup: Setup) -> Pronounce:
    """Loads the checkpoint stage's files."""
    import torch
    from safetensors.torch import load_file
    from transformers import GenerationConfig

    from g2p_build.models.architecture import from_json
    from g2p_build.pretrained import as_model

    torch.set_num_threads(setup.threads)
    folder = Path(setup.folder)
    architecture = from_json(json.loads((folder / "architecture.json").read_bytes()))
    model = as_model(architecture, load_file(folder / "model.safetensors"))
    settings = GenerationConfig(
        max_new_tokens=setup.forced_tokens or setup.max_tokens,
        min_new_tokens=setup.forced_tokens,
        do_sample=False,
        num_beams=1,
        pad_token_id=setup.pad_id,
        eos_token_id=setup.eos_id,
        decoder_start_token_id=setup.decoder_start_id,
    )

    @torch.inference_mode()
    def pronounce(batch: Batch) -> list[list[int]]:
        width = max(len(word.ids) for word in batch)
        ids = torch.tensor([[*word.ids, *[setup.pad_id] * (width - len(word.ids))] for word in batch])
        mask = torch.tensor([[1] * len(word.ids) + [0] * (width - len(word.ids)) for word in batch])
        rows = model.generate(input_ids=ids, attention_mask=mask, generation_config=settings).tolist()
        return [row[1:] for row in rows]

    return in_turn(pronounce)

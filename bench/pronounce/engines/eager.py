"""transformers' own `generate`, as its documentation has it. Threads share each operation's work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.pronounce.setup import Batch, Pronounce, Setup, in_turn, padded

__all__ = ["DISTRIBUTIONS", "IMPORTS", "LIBRARIES", "model_files", "open_model", "pronouncer"]

IMPORTS = ("torch", "transformers.models.t5.modeling_t5", "transformers.generation")
DISTRIBUTIONS = ("transformers", "torch")
LIBRARIES = ("/site-packages/torch/", "/site-packages/torch.libs/", "/tokenizers/", "/safetensors/")


def model_files(setup: Setup) -> list[Path]:
    """The checkpoint's weights."""
    return [Path(setup.folder, "model.safetensors")]


def open_model(setup: Setup) -> Pronounce:
    """Loads the checkpoint stage's files."""
    from bench.pronounce import plain
    from g2p_build.reference.pretrained import as_model

    return pronouncer(setup, as_model(*plain.read(Path(setup.folder))))


def pronouncer(setup: Setup, model: Any, **settings: Any) -> Pronounce:
    """Pronounces by a transformers model's `generate`, greedily; `settings` are generate's."""
    import torch
    from transformers import GenerationConfig

    torch.set_num_threads(setup.threads)
    config = GenerationConfig(
        max_new_tokens=setup.tokens,
        min_new_tokens=setup.forced_tokens,
        do_sample=False,
        num_beams=1,
        pad_token_id=setup.pad_id,
        eos_token_id=setup.eos_id,
        decoder_start_token_id=setup.decoder_start_id,
        **settings,
    )

    @torch.inference_mode()
    def pronounce(batch: Batch) -> list[list[int]]:
        ids, mask = padded(setup, batch, max(len(word.ids) for word in batch))
        rows = model.generate(torch.tensor(ids), attention_mask=torch.tensor(mask), generation_config=config)
        return [row[1:] for row in rows.tolist()]

    return in_turn(pronounce)

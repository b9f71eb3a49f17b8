"""Upstream's own model in PyTorch. Threads share each operation's work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.speak.setup import Setup, Speak, Utterance

__all__ = ["DISTRIBUTIONS", "IMPORTS", "LIBRARIES", "model_files", "open_model", "speaker"]

IMPORTS = ("torch", "transformers.models.albert.modeling_albert", "safetensors.torch")
DISTRIBUTIONS = ("kokoro", "torch", "transformers")
LIBRARIES = ("/site-packages/torch/", "/site-packages/torch.libs/", "/tokenizers/", "/safetensors/")


def model_files(setup: Setup) -> list[Path]:
    """The checkpoint's weights."""
    return [Path(setup.folder, "model.safetensors")]


def open_model(setup: Setup) -> Speak:
    """Loads the checkpoint stage's files."""
    from bench.speak import upstream

    return speaker(setup, upstream.loaded(Path(setup.folder)))


def speaker(setup: Setup, model: Any) -> Speak:
    """Speaks by upstream's `forward_with_tokens`."""
    import torch

    from bench.speak import upstream

    torch.set_num_threads(setup.threads)

    @torch.inference_mode()
    def speak(utterance: Utterance) -> int:
        sound, _ = model.forward_with_tokens(torch.tensor([utterance.ids]), upstream.row(setup, utterance))
        return int(sound.numel())

    return speak

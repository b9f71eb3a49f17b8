"""Upstream's KModel in float64, with the library's noise. Run by an interpreter that has upstream's package.

python -m bench.truth.reference FOLDER SENTENCES VOICE...: FOLDER has what the checkpoint stage made, and
voices.safetensors; SENTENCES is JSON, a list of phonemes. Writes VOICE-N.npz for the Nth of them: `sound`, float64, and
`frames`, how many each symbol has, with the two edges. What is there already stays.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from bench.speak.upstream import loaded
from bench.truth.noise import noise


def model(folder: Path) -> Any:
    """Upstream's model with the folder's weights."""
    torch.set_default_dtype(torch.float64)
    found = loaded(folder).double()
    found.decoder.generator.stft.window = torch.hann_window(found.decoder.generator.stft.win_length)
    return found


def main(place: str, sentences: str, *voices: str) -> None:
    """Speaks each of the sentences with each of the voices."""
    folder = Path(place)
    upstream, styles = model(folder), load_file(folder / "voices.safetensors")
    vocabulary = json.loads((folder / "vocabulary.json").read_bytes())

    def ours(like: torch.Tensor) -> torch.Tensor:
        _, count, harmonics = like.shape
        return torch.from_numpy(noise(0, 0, harmonics, count).T[None].copy())

    torch.randn_like = ours  # type: ignore[assignment]
    for voice in voices:
        for number, phonemes in enumerate(json.loads(sentences)):
            path = folder / f"{voice}-{number}.npz"
            if path.exists():
                continue
            ids = [0, *[vocabulary[symbol] for symbol in phonemes], 0]
            style = styles[voice][len(phonemes) - 1][None].double()
            sound, frames = upstream.forward_with_tokens(torch.tensor([ids]), style)
            np.savez(
                folder / f"{voice}-{number}.npz", sound=sound.numpy().reshape(-1), frames=frames.numpy().reshape(-1)
            )
            print(voice, number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

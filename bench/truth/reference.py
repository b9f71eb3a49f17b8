"""Upstream's KModel in float64, with the library's noise. Run by an interpreter that has upstream's package.

python -m bench.truth.reference FOLDER SENTENCES VOICE...: FOLDER has config.json, model.safetensors and
voices.safetensors, SENTENCES is JSON, a list of phonemes. Writes VOICE-N.npz for the Nth of them: `sound`, float64, and
`frames`, how many each symbol has, with the two edges. What is there already stays.
"""

from __future__ import annotations

import json
import sys
import types
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from bench.truth.noise import noise


def model(folder: Path) -> Any:
    """Upstream's model with the folder's weights."""
    # Its package imports its own G2P when it is imported: the modules are loaded past it.
    spec = find_spec("kokoro")
    assert spec is not None and spec.submodule_search_locations is not None
    package = types.ModuleType("kokoro")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["kokoro"] = package
    from kokoro.model import KModel
    from torch.nn.utils import remove_weight_norm

    torch.set_default_dtype(torch.float64)
    torch.save({}, folder / "nothing.pth")
    config = json.loads((folder / "config.json").read_bytes())
    found = KModel(repo_id="local", config=config, model=str(folder / "nothing.pth"), disable_complex=False).eval()
    for module in found.modules():
        if hasattr(module, "weight_g"):
            remove_weight_norm(module)
    said = found.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    assert said.missing_keys == ["bert.pooler.weight", "bert.pooler.bias"] and not said.unexpected_keys, said
    found.double()
    found.decoder.generator.stft.window = torch.hann_window(found.decoder.generator.stft.win_length)
    return found


def main(place: str, sentences: str, *voices: str) -> None:
    """Speaks each of the sentences with each of the voices."""
    folder = Path(place)
    upstream, styles = model(folder), load_file(folder / "voices.safetensors")

    def ours(like: torch.Tensor) -> torch.Tensor:
        _, count, harmonics = like.shape
        return torch.from_numpy(noise(0, 0, harmonics, count).T[None].copy())

    torch.randn_like = ours  # type: ignore[assignment]
    for voice in voices:
        for number, phonemes in enumerate(json.loads(sentences)):
            path = folder / f"{voice}-{number}.npz"
            if path.exists():
                continue
            ids = [0, *[upstream.vocab[symbol] for symbol in phonemes], 0]
            style = styles[voice][len(phonemes) - 1][None].double()
            sound, frames = upstream.forward_with_tokens(torch.tensor([ids]), style)
            np.savez(
                folder / f"{voice}-{number}.npz", sound=sound.numpy().reshape(-1), frames=frames.numpy().reshape(-1)
            )
            print(voice, number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Upstream's own model, https://github.com/hexgrad/kokoro, with the checkpoint stage's weights.

The package imports its G2P when it is imported, and that is not installed: its modules are loaded past it.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
import types
import warnings
from pathlib import Path
from typing import Any

from bench.speak.setup import Setup, Utterance
from g2p_build.models.kokoro.architecture import KOKORO_82M, Architecture, from_json

__all__ = ["loaded", "row"]

_STYLE = KOKORO_82M.style_dim  # upstream's code cuts a row of a voice here, whatever the config says


def loaded(folder: Path, onnx: bool = False) -> Any:
    """The model (`KModel`), with weight norm folded as its authors' `remove_weight_norm` does it.

    Args:
        folder: with what the checkpoint stage made.
        onnx: whether it is to be exported, which its authors do with another STFT.
    """
    import torch
    from safetensors.torch import load_file
    from torch.nn.utils import remove_weight_norm

    _import_past_its_own_imports()
    from kokoro.model import KModel

    arch = from_json(json.loads((folder / "architecture.json").read_bytes()))
    with tempfile.TemporaryDirectory() as none, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save({}, Path(none, "nothing.pth"))
        model = KModel("local", _config(arch), str(Path(none, "nothing.pth")), disable_complex=onnx).eval()
    _resize(model, arch)
    for module in model.modules():
        if hasattr(module, "weight_g"):
            remove_weight_norm(module)
    said = model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    missing = [name for name in said.missing_keys if ".pooler." not in name and ".stft." not in name]
    if missing or said.unexpected_keys:
        raise RuntimeError(f"upstream's model has other tensors: {missing[:3]}, {said.unexpected_keys[:3]}")
    return model


def row(setup: Setup, utterance: Utterance) -> Any:
    """The voice's row for an utterance, [1, 2 * style], as upstream's pipeline takes it."""
    from safetensors.torch import load_file

    voice = load_file(setup.voices)[setup.voice]
    found = voice[len(utterance.ids) - 3][None]  # two ids more than symbols, and row 0 is for one symbol
    return found if found.shape[1] == 2 * _STYLE else _Halves(found)


class _Halves:
    """A row of another width, for code that asks for ``[:, :128]`` and ``[:, 128:]``."""

    def __init__(self, whole: Any) -> None:
        self.first, self.second = whole.chunk(2, dim=1)

    def __getitem__(self, place: tuple[slice, slice]) -> Any:
        return self.first if place[1].start is None else self.second


def _import_past_its_own_imports() -> None:
    spec = importlib.util.find_spec("kokoro")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package kokoro is not installed")
    package = types.ModuleType("kokoro")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["kokoro"] = package


def _config(arch: Architecture) -> dict[str, Any]:
    """The fields of `config.json` that the model reads."""
    names = ("n_token", "hidden_dim", "n_layer", "style_dim", "max_dur", "text_encoder_kernel_size")
    bert, net = vars(arch.plbert), {name: value for name, value in vars(arch.istftnet).items() if name != "harmonics"}
    return {name: getattr(arch, name) for name in names} | {
        "plbert": bert,
        "istftnet": net,
        "n_mels": 80,
        "dropout": 0.0,
        "vocab": {},
    }


def _resize(model: Any, arch: Architecture) -> None:
    """Gives the decoder another model's sizes: upstream's code has Kokoro-82M's written into it."""
    if arch.decoder_dim == KOKORO_82M.decoder_dim and arch.hidden_dim == KOKORO_82M.hidden_dim:
        return
    from kokoro.istftnet import AdainResBlk1d
    from torch import nn

    width, style, last = arch.decoder_dim, arch.style_dim, arch.istftnet.upsample_initial_channel
    joined = width + 2 + arch.residual_dim
    decoder = model.decoder
    decoder.encode = AdainResBlk1d(arch.hidden_dim + 2, width, style)
    decoder.decode = nn.ModuleList(
        [*(AdainResBlk1d(joined, width, style) for _ in range(3)), AdainResBlk1d(joined, last, style, upsample=True)]
    )
    decoder.asr_res = nn.Sequential(nn.Conv1d(arch.hidden_dim, arch.residual_dim, kernel_size=1))
    decoder.eval()

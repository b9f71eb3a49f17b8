"""What a cache that is restored between runs saves in CI: docs/ci.md's steps, timed cold and restored.

    python -m bench.build.ci --rounds 5 matrix=smoke

prints the rows of the table in docs/ci.md. Every run is a clone of its own. Between them the cache goes through a
compressed tar to another path, as CI services keep it.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.common import checkout, page
from bench.common.spread import digits
from g2p_build.engine import streams

__all__ = ["main"]

STAGES = checkout.ROOT / "g2p_build" / "stages"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints; exits with 1 where a restored run built anything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("overrides", nargs="*", help="of the variants to build (matrix=smoke)")
    asked = parser.parse_args(arguments)
    overrides = asked.overrides or ["matrix=smoke"]
    seconds: dict[str, list[float]] = {}
    sizes: dict[str, int] = {}
    for _ in range(asked.rounds):
        with tempfile.TemporaryDirectory(prefix="g2p-ci-") as folder:
            _round(Path(folder), overrides, seconds, sizes)
    rows = [_row(step, sorted(times), " s") for step, times in seconds.items()]
    pairs = zip(seconds["`doit compile`, cold"], seconds["`doit compile`, restored"], strict=True)
    rows.append(_row("cold / restored", sorted((cold / restored for cold, restored in pairs), reverse=True), ""))
    print("\n".join(page.table(rows)))
    print("\n" + ", ".join(f"{name}: {size / 1e6:.1f} MB" for name, size in sizes.items()))


def _row(step: str, best_first: Sequence[float], unit: str) -> dict[str, str]:
    values = {"best": best_first[0], "median": statistics.median(best_first), "worst": best_first[-1]}
    return {"step": step, **{name: f"{digits(value)}{unit}" for name, value in values.items()}}


def _round(folder: Path, overrides: Sequence[str], seconds: dict[str, list[float]], sizes: dict[str, int]) -> None:
    """One cold run and one restored run."""

    def timed(step: str, act: Callable[[], object]) -> None:
        started = time.monotonic()
        act()
        seconds.setdefault(step, []).append(time.monotonic() - started)

    first, second, tar = folder / "first", folder / "second", folder / "cache.tar.gz"
    for clone in (first, second):
        clone.mkdir()
        checkout.copy(clone)
    timed("`doit compile`, cold", lambda: _doit(first, "compile", *overrides))
    sizes["cache"] = _size(first)
    timed("`doit gc --delete`", lambda: _doit(first, "gc", "--delete"))
    sizes["cache after gc"] = _size(first)
    timed("pack (tar, gzip -1)", lambda: _pack(first / ".cache", tar))
    sizes["packed"] = tar.stat().st_size
    timed("unpack", lambda: _unpack(tar, second / ".cache"))
    said: list[str] = []
    timed("`doit compile`, restored", lambda: said.append(_doit(second, "compile", *overrides)))
    ran = {line.split()[0] for line in said[0].splitlines()} & {path.stem for path in STAGES.glob("*.py")}
    if ran:
        sys.exit(f"the restored run built something: {', '.join(sorted(ran))}")


def _doit(clone: Path, *words: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("G2P_")}
    env = kept | {"G2P_BUILD_CACHE": str(clone / ".cache"), "PYTHONPATH": str(clone)}
    command = [sys.executable, "-m", "doit", *words]
    return subprocess.run(command, cwd=clone, env=env, check=True, capture_output=True, text=True).stderr


def _pack(cache: Path, tar: Path) -> None:
    with tarfile.open(tar, "w:gz", compresslevel=1) as archive:
        archive.add(cache, ".")


def _unpack(tar: Path, cache: Path) -> None:
    with tarfile.open(tar) as archive:
        archive.extractall(cache, filter="data")


def _size(clone: Path) -> int:
    return sum(path.stat().st_size for path in (clone / ".cache").rglob("*") if path.is_file())


if __name__ == "__main__":
    streams.guard()
    main()

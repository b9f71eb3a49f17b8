"""A short run of each fuzz target. fuzz_main.c says how to do a long one."""

import subprocess
import sys
from pathlib import Path

import pytest
from core_probe import CORE, FAMILY, HERE, compile_with_sanitizers

TARGETS = {"weights": ["weights.c"], "manifest": [], "text": [], "form": [], "lexicon": [], "draft": []}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("mutations", [50_000, pytest.param(20_000_000, marks=pytest.mark.long)])
def test_seeds_and_mutations_of_them_do_no_harm(tmp_path: Path, target: str, mutations: int) -> None:
    run = compile_with_sanitizers(tmp_path / "fuzz", ["fuzz_main.c", f"fuzz_{target}.c"], TARGETS[target])
    seeds = sorted((HERE / "seeds" / target).iterdir())
    done = subprocess.run([run, str(mutations), "1", *seeds], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{len(seeds)} seeds and {mutations} mutations\n"), done.stderr


@pytest.mark.parametrize(
    "triple", ["x86_64-linux-gnu", "aarch64-linux-gnu", "aarch64-macos", "x86_64-windows-gnu", "wasm32-wasi"]
)
def test_the_core_compiles_everywhere_without_a_warning(tmp_path: Path, triple: str) -> None:
    pytest.importorskip("ziglang")
    bare = ["-DG2P_NO_FILES", "-DG2P_NO_THREADS"] if triple.startswith("wasm") else []
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", *bare]
    build = ["build-lib", "-static", "-fno-compiler-rt", "--name", "core", "-lc", "-target", triple]
    sources = [*sorted(CORE.glob("*.c")), *sorted(FAMILY.glob("*.c"))]
    included = [f"-I{CORE}", f"-I{FAMILY}"]
    command = [sys.executable, "-m", "ziglang", *build, *included, "-cflags", *flags, "--", *map(str, sources)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

"""The int8 library on processors with more and with less: every form of its kernels says the same words, to the bit."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from amx_machine import AMX, EMULATED, EMULATOR, compiled, granted, needs_vnni
from conftest import copy_tree, made_once, unpacked
from kits import FOLDERS, HERE, INCLUDES, WORDS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library's files, its weights archive, words, and the program golden.c linked with it.

    The program takes the processor's word from tests/amx/cpuid.h.
    """
    needs_vnni()

    def make(out: Path) -> None:
        tree = copy_tree(out / "tree", out / "cache")
        level = ["target.triple=x86_64-linux-gnu", "target.cpu=x86-64-v4", "target.name=x86_64_v4"]
        tree.compiled("dtype=int8", "calibration=null", "batch=8", *level)
        [manifest] = (tree.root / "manifests").glob("embedded+*.json")
        unpacked(tree, manifest.stem, out)
        archives = json.loads(manifest.read_bytes())["archives"]
        shutil.copyfile(tree.root / "dist" / archives["weights"]["file"], out / "weights.tar")
        sources = (HERE / "golden.c", HERE / "drivers.c", EMULATOR, FOLDERS[0] / "cpu.c", out / "libg2p.a")
        # The library calls its core by names of its own.
        compiled(out / "golden", "-DG2P_LIBRARY=g2p", f"-I{AMX}", *INCLUDES, *sources, "-lm")
        lines = WORDS.read_text(encoding="utf-8").splitlines(keepends=True)
        (out / "words.tsv").write_text("".join(lines[::10]), encoding="utf-8")

    return made_once(tmp_path_factory, "amx", make)


def said(
    folder: Path, out: Path, cpu: str, env: Mapping[str, str], weights: str, threads: int, seed: int
) -> tuple[bytes, int]:
    """The words' ids, phonemes and logits on a processor, and how many of AMX's instructions were emulated."""
    command = [folder / "golden", folder / weights, folder / "words.tsv", out / "said", str(threads), str(seed)]
    more = {"TEST_CPU": cpu, "AMX_REPORT": str(out / "report")}
    done = subprocess.run(command, env={**env, **more}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return (out / "said").read_bytes(), int((out / "report").read_text())


@pytest.mark.parametrize(
    ("weights", "threads", "seed"),
    [("weights.safetensors", 1, 0), ("weights.tar", 1, 0), ("weights.tar", 2, 3)],
    ids=["a word a call", "with drafts", "a list with drafts"],
)
def test_every_form_of_kernels_gives_the_same_bits(
    folder: Path, tmp_path: Path, weights: str, threads: int, seed: int
) -> None:
    given = (weights, threads, seed)
    plain, vnni = (said(folder, tmp_path, cpu, os.environ, *given) for cpu in ("plain", "vnni"))
    tiles, emulated = said(folder, tmp_path, "amx", granted(), *given)
    assert plain == vnni and plain[1] == 0
    assert tiles == plain[0]
    assert emulated > 0 or not EMULATED


@pytest.mark.parametrize("answer", [None, "1"], ids=["a system that knows no tiles", "a system that refuses them"])
def test_where_tiles_are_refused_the_next_form_is_taken(folder: Path, tmp_path: Path, answer: str | None) -> None:
    if answer is None and not EMULATED:
        pytest.skip("this system knows tiles")
    env = os.environ | ({} if answer is None else {"AMX_SYSTEM": answer})
    given = ("weights.safetensors", 1, 0)
    assert said(folder, tmp_path, "amx", env, *given) == said(folder, tmp_path, "vnni", os.environ, *given)

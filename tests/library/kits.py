"""Unpacks kits, and compiles C programs with them by the machine's own compiler."""

import json
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from conftest import CACHED, ROOT, Tree, copy_tree

HERE = Path(__file__).parent
FOLDERS = tuple(ROOT / "g2p_build" / "native" / name for name in ("core", "g2p"))
HEADER = FOLDERS[1] / "g2p.h"  # declares the functions; BASE declares the statuses
BASE = FOLDERS[0] / "base.h"
SOURCES = [path for folder in FOLDERS for path in sorted(folder.glob("*.c"))]
INCLUDES = [f"-I{folder}" for folder in FOLDERS]
WORDS = ROOT / "g2p_build" / "reference" / "golden" / "words.tsv"

SANITIZERS = {
    "address": ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    "thread": ("-O1", "-fsanitize=thread"),
    "none": ("-O2",),
}


@dataclass(frozen=True)
class Archives:
    """A variant's manifest and its archives, unpacked."""

    manifest: Path
    folder: Path
    weights: Path


@cache
def archives(built: Tree, variant: str, library: str = "objects") -> Archives:
    """Unpacks a variant from `built`, as an app gets it."""
    tree = _published(built) if library == "objects" else built
    pattern = variant.replace("host", "host+*") if library == "objects" else variant
    [manifest] = (tree.root / "manifests").glob(f"{pattern}.json")
    files = {kind: entry["file"] for kind, entry in json.loads(manifest.read_bytes())["archives"].items()}
    folder = _folder(built) / f"{variant}-{library}"
    for kind in files:
        with tarfile.open(tree.root / "dist" / files[kind]) as tar:
            tar.extractall(folder / kind, filter="data")
    return Archives(manifest, folder / "library", folder / "weights" / "weights.safetensors")


def _folder(built: Tree) -> Path:
    folder = built.root.parent / "library"
    folder.mkdir(exist_ok=True)
    return folder


@cache
def _published(built: Tree) -> Tree:
    """Builds the kits of the variants, in a tree of their own, so that `built` stays as it is for other tests."""
    tree = copy_tree(_folder(built) / "tree", built.cache)
    tree.compiled("batch=[1,8]", "kv_cache=true,false", "target.package=objects")
    tree.compiled("target.package=objects")
    return tree


def gcc(*arguments: str | Path) -> None:
    """Compiles. Skips the test if there is no compiler, or it has no sanitizers."""
    if not shutil.which("gcc"):
        pytest.skip("no gcc here")
    command = ["gcc", "-std=c11", "-D_GNU_SOURCE", "-g", "-Wall", "-Wextra", "-Werror", "-pthread", *arguments]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if "cannot find" in done.stderr:
        pytest.skip("gcc has no sanitizers here")
    assert done.returncode == 0, done.stderr


@cache
def driver(built: Tree, source: str, variant: str = CACHED, sanitizer: str = "address", options: str = "") -> Path:
    """Compiles a program of this folder with a variant's kit."""
    kit = archives(built, variant).folder
    units = [path for path in sorted(kit.iterdir()) if path.suffix in (".c", ".o")]
    core, out = _folder(built) / f"{variant}-{sanitizer}.o", _folder(built) / f"{source}-{variant}-{sanitizer}"
    if not core.exists():
        gcc(*SANITIZERS[sanitizer], "-r", *units, "-o", core)
    gcc(*SANITIZERS[sanitizer], f"-I{kit}", HERE / source, HERE / "drivers.c", core, *options.split(), "-lm", "-o", out)
    return out


def run(*command: str | Path | int) -> str:
    """Runs a program, which must succeed. Returns its output."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("the thread sanitizer cannot run on this kernel")
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
    return done.stdout

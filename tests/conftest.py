"""A copy of the tree to build in, and the variants that many tests use. All of pytest's workers share them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from checkouts import Checkout
    from emulated import Zig

# A shell makes its background commands ignore Ctrl-C. Without this, all that the tests start would ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Workers share the machine, and the computations are small, so each gets one thread. Child processes inherit this.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]
PARTS = ("conf", "dodo.py", "g2p_build", "tasks")


@dataclass(frozen=True)
class Tree:
    """A checkout to build in, with a build cache and a runtime cache of its own."""

    root: Path
    cache: Path

    @property
    def env(self) -> dict[str, str]:
        """The environment of its commands."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("G2P_")}
        return kept | {
            "G2P_BUILD_CACHE": str(self.cache),
            "G2P_CACHE": str(self.cache / "unpacked"),
            "PYTHONPATH": str(self.root),
            "HF_HUB_OFFLINE": "1",
            "COLUMNS": "200",
            "PYTHONFAULTHANDLER": "1",
        }

    def run(self, *command: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a command in it and waits. The caller looks at the exit status."""
        return subprocess.run(command, cwd=self.root, env=self.env, capture_output=True, text=True, input=stdin)

    def doit(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs doit in it."""
        return self.run(sys.executable, "-m", "doit", *words)

    def compiled(self, *words: str) -> str:
        """Runs `doit compile` in it, which must succeed. Returns what it printed to the error stream."""
        result = self.doit("compile", *words)
        assert result.returncode == 0, result.stderr
        return result.stderr

    def g2p(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs the runtime's command `g2p` in it."""
        return self.run(sys.executable, "-m", "g2p_build.runtime.cli", *words, stdin=stdin)

    def tts(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs the runtime's command `tts` in it."""
        return self.run(sys.executable, "-m", "g2p_build.runtime.tts_cli", *words, stdin=stdin)


def copy_tree(to: Path, cache: Path, source: Path = ROOT) -> Tree:
    """Copies what a build needs of a checkout."""
    for part in PARTS:
        if (source / part).is_dir():
            shutil.copytree(source / part, to / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            to.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / part, to / part)
    return Tree(to, cache)


DEFAULT = "embedded-host-b1-i64-o128-float32-kv"
CACHED = "embedded-host-b1.8-i64-o128-float32-kv"
CACHELESS = "embedded-host-b1.8-i64-o128-float32-nokv"
HALF = "embedded-host-b1-i64-o128-float16-kv"

# Overrides for an odd shape. Building it from nothing takes a few seconds.
SMALL = [
    "checkpoint=random",
    "checkpoint.shape.d_model=24",
    "checkpoint.shape.d_kv=7",
    "checkpoint.shape.d_ff=40",
    "checkpoint.shape.num_heads=3",
    "checkpoint.shape.num_layers=1",
    "checkpoint.shape.num_decoder_layers=1",
    "max_lens=short",
]


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that `make` fills, in the worker that asks first. All workers share it, so tests only read it."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / f"once-{name}"
    with FileLock(f"{folder}.lock"):
        if not (folder / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)  # left by a worker in which `make` failed
            folder.mkdir()
            make(folder)
            (folder / "made").touch()
    return folder


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree with four variants of the embedded checkpoint for this machine, and this worker's own cache."""

    def publish(tree: Tree) -> None:
        tree.compiled()
        tree.compiled("batch=[1,8]", "kv_cache=true,false")
        tree.compiled("dtype=float16")

    def make(folder: Path) -> None:
        publish(copy_tree(folder / "tree", folder / "cache"))

    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(made_once(tmp_path_factory, "built", make), folder, dirs_exist_ok=True)
    tree = Tree(folder / "tree", folder / "cache")
    publish(tree)  # again, because the cache knows a tree by its path
    return tree


@pytest.fixture(scope="session")
def ported(built: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree with the embedded checkpoint for other machines than this one, made from the cache of `built`."""

    def make(folder: Path) -> None:
        shutil.copytree(built.cache, folder / "cache")
        tree = copy_tree(folder / "tree", folder / "cache")
        tree.compiled("target=wasm,linux_arm64", "dtype=float32,float16")
        tree.compiled("target=host,wasm", "dtype=int8")
        musl = ["target=linux_arm64", "target.name=musl", "target.triple=aarch64-linux-musl"]
        tree.compiled(*musl, "dtype=float32,float16,int8")
        tree.compiled("target=iphone,android,android_arm64,android_x86_64")

    folder = made_once(tmp_path_factory, "ported", make)
    return Tree(folder / "tree", folder / "cache")


SPEECH = "kokoro_small-host-b1-i64-o128-float32-kv"
WEB_SPEECH = "kokoro_small-wasm-b1-i64-o128-float32-kv"


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree with a speech model of a small shape, whose weights are random."""

    def make(folder: Path) -> None:
        copy_tree(folder / "tree", folder / "cache").compiled("checkpoint=kokoro_small")

    folder = made_once(tmp_path_factory, "speech", make)
    return Tree(folder / "tree", folder / "cache")


@pytest.fixture(scope="session")
def spoken(speech: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree with that model as a WebAssembly module and for Android besides, made from the cache of `speech`."""

    def make(folder: Path) -> None:
        shutil.copytree(speech.cache, folder / "cache")
        targets = "target=host,wasm,android_arm64,android_x86_64"
        copy_tree(folder / "tree", folder / "cache").compiled("checkpoint=kokoro_small", targets)

    folder = made_once(tmp_path_factory, "spoken", make)
    return Tree(folder / "tree", folder / "cache")


@pytest.fixture(scope="session")
def zig(tmp_path_factory: pytest.TempPathFactory) -> "Zig":
    """The compiler that comes with the build's tools."""
    from emulated import Zig

    return Zig(tmp_path_factory.mktemp("zig"))


def unpacked(tree: Tree, name: str, folder: Path) -> Path:
    """Unpacks both archives of a published variant into a folder, and returns it."""
    for entry in json.loads((tree.root / "manifests" / f"{name}.json").read_bytes())["archives"].values():
        with tarfile.open(tree.root / "dist" / entry["file"]) as archive:
            archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> "Checkout":
    """A built tree with one variant of a small checkpoint. A test that changes something changes a copy."""
    from checkouts import checkout_in, compiled_checkout

    return checkout_in(made_once(tmp_path_factory, "checkout", compiled_checkout))


@dataclass(frozen=True)
class Undisturbed:
    """A tree in which the small variant was built from nothing, without a fault."""

    tree: Tree
    seconds: float  # how long the build took

    @property
    def products(self) -> dict[str, bytes]:
        """The products of the build."""
        return products(self.tree)

    def cache_for(self, tree: Tree) -> Tree:
        """Gives another tree a copy of this cache: there everything is built, and nothing is published."""
        shutil.copytree(self.tree.cache, tree.cache)
        return tree


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The small variant, built."""

    def make(folder: Path) -> None:
        tree = copy_tree(folder / "tree", folder / "cache")
        started = time.monotonic()
        tree.compiled(*SMALL)
        (folder / "seconds").write_text(str(time.monotonic() - started))

    folder = made_once(tmp_path_factory, "undisturbed", make)
    return Undisturbed(Tree(folder / "tree", folder / "cache"), float((folder / "seconds").read_text()))


def products(tree: Tree) -> dict[str, bytes]:
    """Every file in a tree's `dist/` and `manifests/` by its path in the tree, also hidden and half-written ones."""
    return {
        str(path.relative_to(tree.root)): path.read_bytes()
        for part in ("dist", "manifests")
        for path in sorted((tree.root / part).rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A tree and a cache in which nothing has been built."""
    return copy_tree(tmp_path / "tree", tmp_path / "cache")

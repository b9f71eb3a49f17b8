"""The speech library with sanitizers: hostile files and requests, and sound that is the same whoever else speaks."""

import array
import json
import os
import shutil
import statistics
import subprocess
import tarfile
from pathlib import Path

import pytest
from conftest import SPEECH, Tree, copy_tree, made_once
from emulated import Zig
from kits import HERE, SANITIZERS, gcc, run

from g2p_build.runtime import tts

SEEDS = sorted((HERE / "seeds" / "speech").iterdir())
LINES = ("həlˈO wˈɜɹld.", "hˈI.", "ðɪs ɪz ə tˈɛst, ænd ənˈʌðəɹ.", "wˈɪl jˈu ɡˈO?")


def unpacked(tree: Tree, name: str, folder: Path) -> Path:
    """Unpacks the archives of a variant, each into a folder of its role."""
    [manifest] = (tree.root / "manifests").glob(f"{name}.json")
    for role, entry in json.loads(manifest.read_bytes())["archives"].items():
        with tarfile.open(tree.root / "dist" / entry["file"]) as archive:
            archive.extractall(folder / role, filter="data")
    return folder


@pytest.fixture(scope="session")
def kit(speech: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model's kit, its weights and its voices; and its C, compiled with each sanitizer."""

    def make(folder: Path) -> None:
        shutil.copytree(speech.cache, folder / "cache")
        tree = copy_tree(folder / "tree", folder / "cache")
        tree.compiled("checkpoint=kokoro_small", "target.package=objects")
        unpacked(tree, "kokoro_small-host+*", folder)
        parts = [path for path in sorted((folder / "library").iterdir()) if path.suffix in (".c", ".o")]
        for sanitizer in ("address", "thread"):
            gcc(*SANITIZERS[sanitizer], "-r", *parts, "-o", folder / f"{sanitizer}.o")

    return made_once(tmp_path_factory, "speech-kit", make)


def program(kit: Path, out: Path, sanitizer: str, *sources: Path) -> Path:
    gcc(*SANITIZERS[sanitizer], f"-I{kit / 'library'}", *sources, kit / f"{sanitizer}.o", "-lm", "-o", out / "program")
    return out / "program"


def files(kit: Path) -> tuple[Path, Path]:
    return kit / "weights" / "weights.safetensors", kit / "voices" / "voices.safetensors"


@pytest.mark.parametrize("mutations", [300, pytest.param(100_000, marks=pytest.mark.long)])
def test_seeds_and_mutations_of_them_do_no_harm(kit: Path, tmp_path: Path, mutations: int) -> None:
    fuzz = program(kit, tmp_path, "address", HERE.parent / "core" / "fuzz_main.c", HERE / "fuzz_speech.c")
    weights, voices = files(kit)
    env = os.environ | {"SPEECH_WEIGHTS": str(weights), "SPEECH_VOICES": str(voices)}
    done = subprocess.run([fuzz, str(mutations), "1", *SEEDS], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{len(SEEDS)} seeds and {mutations} mutations\n"), done.stderr


def test_a_file_that_is_cut_off_anywhere_is_a_status(kit: Path, tmp_path: Path) -> None:
    said = run(program(kit, tmp_path, "address", HERE / "truncated_speech.c"), *files(kit))
    assert int(said.split()[0]) > 1000


@pytest.mark.parametrize("sanitizer", ["address", "thread"])
def test_sound_is_the_same_alone_among_others_and_on_any_number_of_threads(
    kit: Path, tmp_path: Path, sanitizer: str
) -> None:
    (tmp_path / "lines").write_text("\n".join(LINES), encoding="utf-8")
    speak = program(kit, tmp_path, sanitizer, HERE / "speech.c")
    said = set()
    for callers, threads in ((1, 1), (4, 1), (3, 3)):
        run(speak, *files(kit), "first", tmp_path / "lines", tmp_path / "out", callers, threads)
        said.add((tmp_path / "out").read_bytes())
    assert len(said) == 1


@pytest.mark.long
@pytest.mark.skipif(shutil.which("qemu-aarch64") is None, reason="qemu-aarch64 is not there (qemu-user)")
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_an_arm_processor_says_nearly_the_same(speech: Tree, zig: Zig, tmp_path: Path, dtype: str) -> None:
    """An executable under emulation: the same durations; 20 dB in all, 50 dB in most frames of 25 ms.

    The weights are random, which makes much of an angle near pi that becomes one near -pi.
    """
    shutil.copytree(speech.cache, tmp_path / "cache")
    tree = copy_tree(tmp_path / "tree", tmp_path / "cache")
    musl = ["target=linux_arm64", "target.name=musl", "target.triple=aarch64-linux-musl"]
    tree.compiled("checkpoint=kokoro_small", f"dtype={dtype}", *musl)
    tree.compiled("checkpoint=kokoro_small", f"dtype={dtype}")
    arm = unpacked(tree, f"kokoro_small-musl-*-{dtype}-kv", tmp_path / "arm")
    library = arm / "library"
    options = ["-target", "aarch64-linux-musl", "-static", "-std=c11", "-O2", "-I", library]
    zig.run("cc", *options, HERE / "speech.c", library / "libtts.a", "-lm", "-lpthread", "-o", "speech", cwd=tmp_path)
    (tmp_path / "lines").write_text("\n".join(LINES), encoding="utf-8")
    emulated = ["qemu-aarch64", tmp_path / "speech", *files(arm), "first", tmp_path / "lines", tmp_path / "out"]
    said = []
    for threads in (1, 2):
        run(*emulated, 1, threads)
        said.append(array.array("f", (tmp_path / "out").read_bytes()))
    assert said[0] == said[1]
    with tts.load(tree.root / "manifests" / f"{SPEECH.replace('float32', dtype)}.json") as model:
        ours = array.array("f", b"".join(model.say(line, "first", seed=seed) for seed, line in enumerate(LINES)))
    assert len(ours) == len(said[0])
    noise = [(a - b) ** 2 for a, b in zip(ours, said[0], strict=True)]
    loud = statistics.fmean(sample**2 for sample in ours)
    by_frame = [statistics.fmean(noise[start : start + 600]) for start in range(0, len(noise), 600)]
    assert statistics.fmean(noise) < loud / 100
    assert statistics.median(by_frame) < loud / 100_000

"""The C example speaks a text. It is built from unpacked library archives, and from the kit that phones get."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import DEFAULT, ROOT, SPEECH, Tree, copy_tree, unpacked
from kits import gcc, run

from g2p_build.native.kit import kit_files

SOURCE = ROOT / "examples" / "c"
TEXT = "Hello,\nworld – it’s [well-known]!"


def archive(tree: Tree, name: str, role: str) -> Path:
    """An archive of a variant, as it was published."""
    manifest = json.loads((tree.root / "manifests" / f"{name}.json").read_bytes())
    return tree.root / "dist" / manifest["archives"][role]["file"]


@pytest.fixture(scope="module")
def folders(built: Tree, speech: Tree, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The unpacked archives of both variants."""
    folder = tmp_path_factory.mktemp("unpacked")
    return [unpacked(built, DEFAULT, folder / "g2p"), unpacked(speech, SPEECH, folder / "tts")]


@pytest.fixture(scope="module")
def files(built: Tree, speech: Tree) -> list[Path]:
    """What the example opens: archives, as they are."""
    return [archive(built, DEFAULT, "weights"), *(archive(speech, SPEECH, role) for role in ("weights", "voices"))]


@pytest.fixture(scope="module")
def expected(built: Tree, speech: Tree, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What Python's command makes of the text."""
    out, g2p = tmp_path_factory.mktemp("said") / "out.wav", built.root / "manifests" / f"{DEFAULT}.json"
    words = ["--manifest", f"manifests/{SPEECH}.json", "--g2p", str(g2p), "--voice", "first"]
    made = speech.tts("speak", "--text", TEXT, "-o", str(out), *words)
    assert made.returncode == 0, made.stderr
    return out.read_bytes()


def test_no_name_of_one_library_is_in_the_other(folders: list[Path], tmp_path: Path) -> None:
    """Every object of both, in one program: two kits whose versions differ do not take each other's core."""
    both = [folder / f"lib{name}.a" for folder, name in zip(folders, ("g2p", "tts"), strict=True)]
    gcc("-nostdlib", "-r", "-Wl,--whole-archive", *both, "-o", tmp_path / "both.o")


@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
def test_it_speaks_as_pythons_command_does(
    folders: list[Path], files: list[Path], expected: bytes, tmp_path: Path, static: bool
) -> None:
    if not shutil.which("cmake"):
        pytest.skip("no cmake here")
    prefix = f"-DCMAKE_PREFIX_PATH={folders[0]};{folders[1]}"
    run("cmake", "-S", SOURCE, "-B", tmp_path, prefix, f"-DG2P_STATIC={'ON' if static else 'OFF'}")
    run("cmake", "--build", tmp_path)
    run(tmp_path / "speak", *files, "first", TEXT, tmp_path / "out.wav")
    assert (tmp_path / "out.wav").read_bytes() == expected
    given = [tmp_path / "speak", *files, "third", TEXT, tmp_path / "none.wav"]
    done = subprocess.run(given, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "speak: no voice is named 'third': add it, or see tts_voices\n")


def test_the_kit_that_phones_get_speaks_too(
    folders: list[Path], files: list[Path], speech: Tree, expected: bytes, tmp_path: Path
) -> None:
    """A kit for this machine: the same C and the same project as for another, with this machine's kernels."""
    if not shutil.which("cmake"):
        pytest.skip("no cmake here")
    tree = copy_tree(tmp_path / "tree", speech.cache)
    tree.compiled("checkpoint=kokoro_small", "target.package=objects")
    [manifest] = (tree.root / "manifests").glob("kokoro_small-*.json")
    kit = unpacked(tree, manifest.stem, tmp_path / "kit")
    assert json.loads(manifest.read_bytes())["files"]["header"] == "tts.h"
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\nproject(app C)\nadd_subdirectory(kit)\n"
        "find_package(g2p CONFIG REQUIRED)\n"
        f"add_executable(speak {SOURCE / 'speak.c'})\ntarget_link_libraries(speak PRIVATE tts g2p::static)\n"
    )
    out = tmp_path / "out"
    run("cmake", "-S", tmp_path, "-B", out, f"-DCMAKE_PREFIX_PATH={folders[0]}", "-DCMAKE_BUILD_TYPE=Release")
    run("cmake", "--build", out)
    run(out / "speak", *files, "first", TEXT, tmp_path / "out.wav")
    assert (tmp_path / "out.wav").read_bytes() == expected
    package = kit_files("tts", [path.name for path in kit.iterdir()], [], "arm64-apple-ios14.0")
    assert {f"Sources/CTTS/include/{name}" for name in ("module.modulemap", "tts.h")} <= set(package)
    for warnings in ("-Wpedantic", "-Wconversion"):
        gcc(warnings, f"-I{kit}", f"-I{folders[0]}", "-fsyntax-only", SOURCE / "speak.c")

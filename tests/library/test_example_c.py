"""The C example pronounces the golden words. It is built from an unpacked library archive, by cmake or by hand."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CACHED, ROOT, Tree
from kits import archives, gcc, run

SOURCE = ROOT / "examples" / "c"
GOLDEN = json.loads((ROOT / "g2p_build" / "reference" / "golden" / "embedded.json").read_text(encoding="utf-8"))[
    "words"
]
WORDS = {row["word"]: row["ipa"] for row in GOLDEN if row["lang"] == "vie-n"}


def by_hand(library: Path, static: bool, out: Path) -> Path:
    """Compiles and links it with plain commands."""
    linked = [library / "libg2p.a", "-lm"] if static else [f"-L{library}", "-lg2p", f"-Wl,-rpath,{library}"]
    gcc("-Wpedantic", f"-I{library}", SOURCE / "pronounce.c", *linked, "-o", out / "pronounce")
    return out / "pronounce"


def by_cmake(library: Path, static: bool, out: Path) -> Path:
    """Builds its CMake project."""
    if not shutil.which("cmake"):
        pytest.skip("no cmake here")
    run("cmake", "-S", SOURCE, "-B", out, f"-DCMAKE_PREFIX_PATH={library}", f"-DG2P_STATIC={'ON' if static else 'OFF'}")
    run("cmake", "--build", out)
    return out / "pronounce"


@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
@pytest.mark.parametrize("build", [by_hand, by_cmake])
def test_golden_words(built: Tree, tmp_path: Path, build: Callable[[Path, bool, Path], Path], static: bool) -> None:
    found = archives(built, CACHED, "shared")
    program = build(found.folder, static, tmp_path)
    lines = "".join(f"{word}\t{phonemes}\n" for word, phonemes in WORDS.items())
    for model in (found.manifest, found.weights):
        assert run(program, model, "vie-n", *WORDS) == lines
    done = subprocess.run([program, found.weights, "vie", "a"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "pronounce: unknown language 'vie': did you mean vie-n?\n")

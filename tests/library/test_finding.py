"""C and C++ projects find an unpacked library, wherever it lies, by pkg-config and by CMake's find_package."""

import json
import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from conftest import DEFAULT, ROOT, Tree
from kits import archives, run

from g2p_build.native.finding import finding

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
SAID = "tie\tˈtie\n"

# The example is C, and so is a part of this; C++ includes the header as it is.
CPP = """
#include <g2p.h>
#include <iostream>
int main(int, char **arguments) {
  g2p *model;
  char phonemes[G2P_TEXT];
  if (g2p_open(arguments[1], nullptr, &model, nullptr)) return 1;
  if (g2p_pronounce(model, "tie", "fin", phonemes, sizeof phonemes, nullptr)) return 1;
  std::cout << "tie\\t" << phonemes << "\\n";
  g2p_close(model);
}
"""


@pytest.fixture
def moved(built: Tree, tmp_path: Path) -> Path:
    """A copy of the library's folder, in a place that the build knew nothing of, with a blank in its name."""
    return Path(shutil.copytree(archives(built, DEFAULT, "shared").folder, tmp_path / "third party" / "g2p"))


def weights(built: Tree) -> Path:
    return archives(built, DEFAULT, "shared").weights


def tools(*names: str) -> None:
    for name in names:
        if not shutil.which(name):
            pytest.skip(f"no {name} here")


def pkg_config(folder: Path, *options: str) -> list[str]:
    """The words that it gives to a compiler."""
    env = os.environ | {"PKG_CONFIG_PATH": str(folder)}
    said = subprocess.run(["pkg-config", *options, "g2p"], env=env, capture_output=True, text=True, check=True).stdout
    # A shell's quotes: a blank in a path has a backslash before it.
    return subprocess.run(["sh", "-c", f"printf '%s\\n' {said.strip()}"], capture_output=True, text=True).stdout.split(
        "\n"
    )[:-1]


@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
def test_pkg_config(built: Tree, moved: Path, tmp_path: Path, static: bool) -> None:
    tools("pkg-config", "gcc")
    (tmp_path / "app.c").write_text((ROOT / "examples" / "c" / "pronounce.c").read_text(encoding="utf-8"))
    if static:
        (moved / "libg2p.so").unlink()
    options = ["--cflags", "--libs", *(["--static"] if static else [])]
    words = pkg_config(moved, *options)
    run("gcc", "-std=c11", tmp_path / "app.c", *words, f"-Wl,-rpath,{moved}", "-o", tmp_path / "app")
    assert run(tmp_path / "app", weights(built), "fin", "tie") == SAID
    assert pkg_config(moved, "--modversion") == [VERSION]


@pytest.mark.parametrize("target", ["g2p::g2p", "g2p::static"])
def test_find_package(built: Tree, moved: Path, tmp_path: Path, target: str) -> None:
    tools("cmake", "g++")
    (tmp_path / "app.cpp").write_text(CPP)
    (tmp_path / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.18)\nproject(app CXX)\nfind_package(g2p {VERSION} CONFIG REQUIRED)\n"
        "find_package(g2p CONFIG REQUIRED) # as another part of the project would\n"
        f"add_executable(app app.cpp)\ntarget_link_libraries(app PRIVATE {target})\n"
    )
    run("cmake", "-S", tmp_path, "-B", tmp_path / "out", f"-DCMAKE_PREFIX_PATH={moved}")
    run("cmake", "--build", tmp_path / "out")
    assert run(tmp_path / "out" / "app", weights(built)) == SAID


def test_a_newer_version_than_there_is_is_not_found(moved: Path, tmp_path: Path) -> None:
    tools("cmake", "gcc")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\nproject(app C)\nfind_package(g2p 99 CONFIG REQUIRED)\n"
    )
    command = ["cmake", "-S", tmp_path, "-B", tmp_path / "out", f"-DCMAKE_PREFIX_PATH={moved}"]
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.returncode != 0 and f"g2p-config.cmake, version: {VERSION}" in " ".join(failed.stderr.split())


def test_the_manifest_names_the_files(built: Tree, moved: Path) -> None:
    files = json.loads(archives(built, DEFAULT, "shared").manifest.read_bytes())["files"]
    assert files["found_by"] == ["g2p-config-version.cmake", "g2p-config.cmake", "g2p.pc"]
    assert files["library"] == ["libg2p.so"] and all((moved / file).is_file() for file in files["found_by"])


def test_no_path_is_written_down(moved: Path) -> None:
    for path in [moved / "g2p.pc", *moved.glob("*.cmake")]:
        assert not [line for line in path.read_text(encoding="utf-8").splitlines() if " /" in line or "=/" in line]


def test_what_is_linked_besides_is_what_the_platform_has() -> None:
    private = {
        triple: finding("g2p", "x", triple, "1")["g2p.pc"].splitlines()[-1].partition(": ")[2]
        for triple in ("x86_64-linux-gnu", "arm64-apple-macosx", "aarch64-linux-android")
    }
    assert list(private.values()) == ["-lm -lpthread", "-lm", "-lm"]

"""The built wheel, in an environment of its own, in folders that are no checkout."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from conftest import ROOT, SMALL


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel. It also has the packages of this environment, but not the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    # Build from a copy: setuptools leaves a build/ in the source.
    source = folder / "source"
    source.mkdir()
    for part in ("conf", "g2p_build", "tasks", "pyproject.toml", "setup.py", "README.md"):
        subprocess.run(["cp", "-r", ROOT / part, source], check=True)
    built = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "wheels"), str(source)]
    subprocess.run([*pip, *built], check=True)
    [wheel] = (folder / "wheels").glob("*.whl")
    place = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    [packages] = place.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run([*pip, "--python", str(place / "bin" / "python"), "install", "--no-deps", str(wheel)], check=True)
    return place


def run(environment: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("G2P_", "PYTHON"))}
    env = kept | {
        "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "G2P_BUILD_CACHE": str(folder.parent / "cache"),
        "G2P_CACHE": str(folder.parent / "unpacked"),
        "COLUMNS": "200",
    }
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


def test_an_empty_folder_compiles(environment: Path, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    made = run(environment, folder, "g2p-build", "compile", "target=iphone", *SMALL)
    assert made.returncode == 0, made.stderr
    [manifest] = (folder / "manifests").glob("random*-iphone-*.json")
    assert len(list((folder / "dist").glob("*.tar"))) == 2
    again = run(environment, folder, "g2p-build", "compile", "target=iphone", *SMALL)
    assert again.stderr.split() == ["current", manifest.stem]


def test_init_makes_a_folder_that_doit_and_own_targets_work_in(environment: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    assert run(environment, folder, "g2p-build", "init").returncode == 0
    text = (folder / "conf" / "target" / "android.yaml").read_text()
    (folder / "conf" / "target" / "tablet.yaml").write_text(text)
    listed = run(environment, folder, sys.executable.replace(sys.prefix, str(environment)), "-m", "doit", "variants")
    assert listed.returncode == 0 and "embedded" in listed.stdout, listed.stderr
    made = run(environment, folder, "g2p-build", "variants", "target=tablet", "--json")
    assert '"name": "tablet"' in made.stdout, made.stderr
    again = run(environment, folder, "g2p-build", "init")
    assert again.returncode == 3
    assert again.stderr == "ERROR: dodo.py is here already: nothing was written; run it in an empty folder\n"


def test_a_mistake_is_one_line(environment: Path, tmp_path: Path) -> None:
    wrong = run(environment, tmp_path, "g2p-build", "compile", "target=iphon")
    assert wrong.returncode == 3
    assert wrong.stderr.startswith("ERROR: unknown target 'iphon': did you mean 'iphone'?")
    assert wrong.stderr.count("\n") == 1


def test_there_are_no_benchmarks_to_be_offered(environment: Path, tmp_path: Path) -> None:
    listed = run(environment, tmp_path, "g2p-build", "list")
    names = {line.split()[0] for line in listed.stdout.splitlines() if line}
    assert "verify" in names
    assert "bench" not in names


def test_pronouncing_needs_neither_torch_nor_the_build(environment: Path, tmp_path: Path) -> None:
    code = "import sys, g2p_build.runtime; print(sorted({'torch', 'tvm', 'doit', 'hydra'} & set(sys.modules)))"
    assert run(environment, tmp_path, str(environment / "bin" / "python"), "-c", code).stdout == "[]\n"

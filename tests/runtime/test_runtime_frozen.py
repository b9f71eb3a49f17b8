"""The runtime in an app that is one file: a zip file that Python runs, and a program that PyInstaller froze."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import venv
import zipapp
from pathlib import Path

import pytest
from conftest import ROOT, Tree

APP = """
import sys
from g2p_build.runtime.cli import main
sys.exit(main())
"""

# What the runtime needs, all the way down. That of rpds is machine code, which Python loads from no zip file.
PURE = ("attrs", "jsonschema", "jsonschema-specifications", "platformdirs", "referencing", "typing_extensions")
SAID = "knight\tˈnaɪt\n"


def copy_distributions(names: tuple[str, ...], to: Path) -> None:
    """Copies the modules of installed distributions, as `pip install --target` would lay them out."""
    for name in names:
        for file in importlib.metadata.files(name) or ():
            if file.suffix in (".py", ".json", ".so", "") and ".." not in file.parts:
                (to / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), to / file)


def run(*command: str | Path, cache: Path, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("G2P_", "PYTHON"))}
    env = kept | {"G2P_CACHE": str(cache), **env}
    return subprocess.run(command, cwd=cache.parent, env=env, capture_output=True, text=True)


@pytest.fixture(scope="module")
def zipped(built: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip file with an app, the runtime and its dependencies; beside it the variants, and in lib/ machine code."""
    folder = tmp_path_factory.mktemp("zipped")
    shutil.copytree(ROOT / "g2p_build" / "runtime", folder / "app" / "g2p_build" / "runtime")
    shutil.copyfile(ROOT / "g2p_build" / "__init__.py", folder / "app" / "g2p_build" / "__init__.py")
    copy_distributions(PURE, folder / "app")
    (folder / "app" / "__main__.py").write_text(APP)
    copy_distributions(("rpds-py",), folder / "lib")
    (folder / "manifests").symlink_to(built.root / "manifests")
    (folder / "dist").symlink_to(built.root / "dist")
    (folder / "elsewhere").mkdir()
    zipapp.create_archive(folder / "app", folder / "app.pyz")
    return folder


def test_an_app_in_a_zip_file_finds_its_schemas_and_the_variants_beside_it(zipped: Path, tmp_path: Path) -> None:
    # -S: none of the packages of this environment are there.
    command = (sys.executable, "-S", zipped / "app.pyz", "pronounce", "knight")
    for turn in range(2):  # the second finds the manifest among those that were checked
        made = run(*command, cache=tmp_path / "cache", PYTHONPATH=str(zipped / "lib"))
        assert (made.returncode, made.stdout, made.stderr) == (0, SAID, ""), turn


def test_without_what_cannot_be_zipped_it_says_so_in_a_line(zipped: Path, tmp_path: Path) -> None:
    made = run(sys.executable, "-S", zipped / "app.pyz", "pronounce", "knight", cache=tmp_path / "cache")
    assert (made.returncode, made.stdout) == (2, "")
    assert made.stderr.startswith("g2p: manifests are checked with jsonschema, which needs rpds")
    assert made.stderr.count("\n") == 1


def test_an_app_that_was_packed_without_the_schemas_says_how_to_pack_them(zipped: Path, tmp_path: Path) -> None:
    shutil.copytree(zipped / "app", tmp_path / "app", ignore=shutil.ignore_patterns("*.schema.json"))
    shutil.copytree(zipped / "manifests", tmp_path / "manifests")
    zipapp.create_archive(tmp_path / "app", tmp_path / "app.pyz")
    command = (sys.executable, "-S", tmp_path / "app.pyz", "pronounce", "knight")
    made = run(*command, cache=tmp_path / "cache", PYTHONPATH=str(zipped / "lib"))
    assert (made.returncode, made.stdout) == (2, "")
    assert "packed without manifest.schema.json" in made.stderr and "--collect-data g2p_build.runtime" in made.stderr
    assert made.stderr.count("\n") == 1


@pytest.mark.long
@pytest.mark.parametrize("installed", [True, False], ids=["installed", "a checkout"])
def test_pyinstaller_makes_a_program_of_one_file(built: Tree, tmp_path: Path, installed: bool) -> None:
    """Installed, the package says itself what it needs; in a checkout an option says it."""
    venv.create(tmp_path / "env", with_pip=True, symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    if run(python, "-m", "pip", "install", "--quiet", "pyinstaller", cache=tmp_path / "cache").returncode:
        pytest.skip("pip installs no PyInstaller here")
    [packages] = (tmp_path / "env").glob("lib/python*/site-packages")
    copy_distributions((*PURE, "rpds-py", "rich", "pygments", "markdown-it-py", "mdurl"), packages)
    options, found = ["--collect-data", "g2p_build.runtime"], {"PYTHONPATH": str(ROOT)}
    if installed:
        source = tmp_path / "source"
        source.mkdir()
        for part in ("conf", "g2p_build", "tasks", "pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE"):
            subprocess.run(["cp", "-r", ROOT / part, source], check=True)
        made = run(python, "-m", "pip", "install", "--quiet", "--no-deps", source, cache=tmp_path / "cache")
        assert made.returncode == 0, made.stderr
        options, found = [], {}
    (tmp_path / "say.py").write_text(APP)
    variants = [f"--add-data={built.root / part}:{part}" for part in ("manifests", "dist")]
    frozen = run(
        python, "-m", "PyInstaller", "--onefile", "--log-level=ERROR", *options, *variants, tmp_path / "say.py",
        cache=tmp_path / "cache", **found,
    )  # fmt: skip
    assert frozen.returncode == 0, frozen.stderr
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "dist" / "say", tmp_path / "elsewhere" / "say")
    made = run(tmp_path / "elsewhere" / "say", "pronounce", "knight", cache=tmp_path / "cache")
    assert (made.returncode, made.stdout, made.stderr) == (0, SAID, "")

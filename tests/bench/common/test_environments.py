"""Environments for contenders. Each is made once, and sees the build's packages only if it should."""

import os
import subprocess
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.common import environments
from bench.common.environments import interpreter


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A list of no packages: nothing has to be downloaded."""
    packages = tmp_path / "empty.txt"
    packages.write_text("# nothing\n")
    return packages


def prints(python: Path, code: str) -> str:
    # Python prints its own path.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run([python, "-c", code], env=env, check=True, capture_output=True, text=True).stdout.strip()


SEES_OURS = "from importlib.metadata import distributions; print('g2p-build' in {one.name for one in distributions()})"


@pytest.mark.parametrize("beside", [True, False])
def test_an_environment_sees_the_builds_packages_only_where_it_stands_beside_them(
    empty: Path, tmp_path: Path, beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The build's own folder may only point to where packages are.
    own = tmp_path / "own"
    own.mkdir()
    (own / "more.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    monkeypatch.setattr(environments, "sysconfig", SimpleNamespace(get_paths=lambda: {"purelib": str(own)}))
    said: list[str] = []
    python = interpreter(tmp_path / "cache", empty, said.append, beside)
    assert prints(python, SEES_OURS) == str(beside)
    assert interpreter(tmp_path / "cache", empty, said.append, beside) == python
    assert said == ["empty: installing"]

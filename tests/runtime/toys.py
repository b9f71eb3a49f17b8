"""Toy variants. Each is compiled once, in a process of its own. A test that changes one gets a copy."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import made_once

from g2p_build.runtime import manifest

ROOT = Path(__file__).parents[2]


def _toy(factory: pytest.TempPathFactory, kind: str, *sizes: str) -> Path:
    def make(folder: Path) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        script = Path(__file__).with_name("toy.py")
        subprocess.run([sys.executable, str(script), str(folder), kind, *sizes], env=environment, check=True)

    return made_once(factory, f"toy-{kind}", make)


@pytest.fixture(scope="session")
def toy_kv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with manifests/ and dist/ of a toy variant with a cache, for batches of 1, 4 and 8."""
    return _toy(tmp_path_factory, "kv", "1", "4", "8")


@pytest.fixture(scope="session")
def toy_nokv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without a cache, only for batches of 4."""
    return _toy(tmp_path_factory, "nokv", "4")


@pytest.fixture
def toy(toy_kv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The manifest of a copy of the toy variant with a cache. The runtime's cache of archives is the test's own."""
    for part in ("manifests", "dist"):
        shutil.copytree(toy_kv / part, tmp_path / part)
    monkeypatch.setenv("G2P_CACHE", str(tmp_path / "unpacked"))
    monkeypatch.delenv("G2P_MANIFESTS", raising=False)
    return tmp_path / "manifests" / "toy-host-kv.json"


@pytest.fixture
def edit() -> Callable[..., None]:
    """Changes a manifest's file and seals it with its new digest."""

    def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
        data = json.loads(path.read_bytes())
        change(data)
        data["digest"] = manifest.digest(data)
        path.write_text(json.dumps(data), encoding="utf-8")

    return edit


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Runs the command `g2p` in a process of its own, in an empty folder."""

    def run(*arguments: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
        (tmp_path / "empty").mkdir(exist_ok=True)
        return subprocess.run(
            [sys.executable, "-m", "g2p_build.runtime.cli", *arguments],
            input=stdin,
            capture_output=True,
            cwd=tmp_path / "empty",
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        )

    return run

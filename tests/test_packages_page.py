"""The page of packages: each of its blocks works as it stands, from a folder that has only what the block names."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from conftest import ROOT, Tree, copy_tree

PAGE = (ROOT / "docs" / "packages.md").read_text(encoding="utf-8")
REFUSED = "is not in the alphabet of fin"


def blocks(heading: str) -> dict[str, str]:
    """The blocks below a heading, by their languages."""
    below = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^```(\w+)\n(.*?)^```$", below, re.MULTILINE | re.DOTALL))


@pytest.fixture
def folder(ported: Tree, tmp_path: Path) -> Tree:
    """A checkout in which nothing is built; its cache has what the page builds."""
    tree = copy_tree(tmp_path / "tree", ported.cache, ported.root)
    shutil.copytree(ROOT / "rust", tree.root / "rust", ignore=shutil.ignore_patterns("target"))
    return tree


def shell(tree: Tree, commands: str, env: Mapping[str, str] = {}, path: Path | None = None) -> str:
    """What commands print. Any that fails ends them."""
    folders = [*([path] if path else []), Path(sys.executable).parent, os.environ["PATH"]]
    every = {**tree.env, **env, "PATH": os.pathsep.join(map(str, folders))}
    del every["PYTHONPATH"]
    ran = subprocess.run(
        ["bash", "-euc", commands], cwd=tree.root, env=every, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def said(tree: Tree, *command: str | Path, cwd: Path | None = None) -> list[str]:
    """The lines that a program prints which has nothing of ours around it."""
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    ran = subprocess.run(command, cwd=cwd or tree.root, env=env, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def test_python(folder: Tree, tmp_path: Path) -> None:
    environment, programs = tmp_path / "environment", tmp_path / "programs"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    programs.mkdir()
    pip = programs / "pip"  # the environment's
    pip.write_text(f'#!/bin/sh\nexec {sys.executable} -m pip --python {environment}/bin/python "$@" --no-index -q\n')
    pip.chmod(0o755)
    page = blocks("Python")
    shell(folder, page["sh"], path=programs)
    knight, tie, wrong = said(folder, environment / "bin" / "python", "-I", "-c", page["python"], cwd=tmp_path)
    assert (knight, tie) == ("ˈnaɪt", "ˈtie") and REFUSED in wrong


@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm")
def test_web(folder: Tree) -> None:
    page = blocks("Web, Node, Deno")
    shell(folder, page["sh"], env={"npm_config_offline": "true"})
    (folder.root / "app.mjs").write_text(page["js"], encoding="utf-8")
    knight, tie, wrong = said(folder, str(shutil.which("node")), "app.mjs")
    assert (knight, tie) == ("ˈnaɪt", "ˈtie") and REFUSED in wrong


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no cc")
def test_c(folder: Tree) -> None:
    page = blocks("C")
    (folder.root / "app.c").write_text(page["c"], encoding="utf-8")
    assert shell(folder, page["sh"]).splitlines()[-1] == "ˈnaɪt"


@pytest.mark.skipif(shutil.which("cargo") is None or shutil.which("cc") is None, reason="there is no cargo, or no cc")
def test_rust(folder: Tree, tmp_path: Path) -> None:
    page = blocks("Rust")
    [takes] = re.findall(r"`(g2p = \{.*?\})`", PAGE)
    (folder.root / "src").mkdir()
    (folder.root / "src" / "main.rs").write_text(page["rust"], encoding="utf-8")
    manifest = f'[package]\nname = "app"\nedition = "2021"\n\n[dependencies]\n{takes}\n'
    (folder.root / "Cargo.toml").write_text(manifest)
    built = {"CARGO_TARGET_DIR": str(tmp_path / "target")}
    shell(folder, page["sh"] + "cargo build --offline --quiet\n", env=built)
    assert said(folder, tmp_path / "target" / "debug" / "app", cwd=tmp_path) == ["ˈnaɪt"]

"""The files that commands leave in a tree: git ignores them, and `make clean` removes them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import ROOT, Tree


def patterns() -> set[str]:
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    return {line.strip("/") for line in lines if line and not line.startswith("#")}


def test_make_clean_removes_what_git_ignores_and_no_more() -> None:
    plan = subprocess.run(["make", "-n", "clean"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    removed = {word for line in re.findall(r"^rm -rf (.*)$", plan, re.MULTILINE) for word in line.split()}
    assert removed | {"__pycache__"} == patterns() and "-name __pycache__" in plan


def test_a_build_and_a_multirun_leave_nothing_else(built: Tree, tmp_path: Path) -> None:
    tree = Tree(tmp_path / "tree", built.cache)
    shutil.copytree(built.root, tree.root)
    assert tree.run(sys.executable, "-m", "g2p_build", "-m", "batch=1,8").returncode == 0
    shutil.copy2(ROOT / ".gitignore", tree.root)
    subprocess.run(["git", "init", "--quiet"], cwd=tree.root, check=True)
    listed = subprocess.run(["git", "ls-files", "--others", "--exclude-standard"], cwd=tree.root, capture_output=True)
    assert [name for name in listed.stdout.decode().splitlines() if not (ROOT / name).exists()] == []
    for folder in ("dist", "build/multirun"):
        assert (tree.root / folder).is_dir()

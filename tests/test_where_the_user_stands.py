"""Relative paths mean where the user stands, in every command; those in a file of conf/, the checkout."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SMALL, Tree, Undisturbed, copy_tree
from stages.small_checkpoints import checkpoint, write

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def doit_in(folder: Path, tree: Tree, *words: str, first: tuple[str, ...] = (), **env: str) -> Run:
    """Runs the tree's doit for somebody who stands in another folder."""
    command = [sys.executable, "-m", "doit", "-f", os.path.relpath(tree.root / "dodo.py", folder), *first, *words]
    return subprocess.run(command, cwd=folder, env=tree.env | env, capture_output=True, text=True)


@pytest.fixture
def elsewhere(undisturbed: Undisturbed, tmp_path: Path) -> tuple[Path, Tree]:
    """A folder with a checkpoint and a word list, and a tree beside it that has other files of the same names."""
    tree = undisturbed.cache_for(copy_tree(tmp_path / "main", tmp_path / "cache"))
    here = tmp_path / "here"
    for number, folder in enumerate((here, tree.root)):
        write(folder / "out" / "best", *checkpoint(num_layers=1 + number))
        (folder / "words").mkdir()
        (folder / "words" / "xx.tsv").write_text("a\tx\n" * (1 + number), encoding="utf-8")
    return here, tree


def test_overrides(elsewhere: tuple[Path, Tree]) -> None:
    here, tree = elsewhere
    given = ["checkpoint=path", "checkpoint.path=out/best", "lexicon=words/xx.tsv"]
    for words in (given, [*given[:1], "checkpoint.path=../here/out/best", "lexicon=[words/xx.tsv]"]):
        result = doit_in(here, tree, "why", "--json", *words)
        assert result.returncode == 0, result.stderr
        rows = {row["stage"]: row for row in map(json.loads, result.stdout.splitlines())}
        config = rows["checkpoint"]["components"]["inputs"]["config.json"]
        assert config == digest(here / "out/best/config.json") != digest(tree.root / "out/best/config.json")
        assert rows["lexicon"]["components"]["inputs"]["1/xx.tsv"] == digest(here / "words/xx.tsv")


def digest(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_published_is_found_again_from_everywhere(elsewhere: tuple[Path, Tree]) -> None:
    here, tree = elsewhere
    result = doit_in(here, tree, "compile", *SMALL, "lexicon=words/xx.tsv")
    assert result.returncode == 0, result.stderr
    for folder in (here, tree.root):
        [row] = map(json.loads, doit_in(folder, tree, "manifests", "--json").stdout.splitlines())
        assert row["state"] == "current" and str(here / "words" / "xx.tsv") in " ".join(row["overrides"])


@pytest.mark.parametrize(
    ("words", "made"),
    [
        (["compile", "--profile", "prof.json", *SMALL], "prof.json"),
        (["compile", "--profile=prof.json", *SMALL], "prof.json"),
        (["ir", "--out", "phases", "--phase", "program", *SMALL], "phases/random*program*"),
        (["run", "-o", "report.txt", "tokenizer", *SMALL], "report.txt"),
    ],
    ids=["profile", "profile with =", "ir", "doit's own"],
)
def test_files_that_a_command_writes(elsewhere: tuple[Path, Tree], words: list[str], made: str) -> None:
    here, tree = elsewhere
    before = {path.name for path in tree.root.iterdir()}
    result = doit_in(here, tree, *words)
    assert result.returncode == 0, result.stderr
    assert list(here.glob(made)), list(here.rglob("*"))
    assert {path.name for path in tree.root.iterdir()} - {"__pycache__"} <= before | {"dist", "manifests"}


def test_files_that_a_command_reads(elsewhere: tuple[Path, Tree]) -> None:
    here, tree = elsewhere
    (here / "there.json").write_text(doit_in(here, tree, "why", "--json", *SMALL).stdout, encoding="utf-8")
    result = doit_in(here, tree, "why", "--against", "there.json", *SMALL)
    assert result.returncode == 0 and result.stdout.startswith("same key"), result.stderr


def test_the_cache_and_the_users_home(elsewhere: tuple[Path, Tree], tmp_path: Path) -> None:
    here, tree = elsewhere
    assert doit_in(here, tree, "list", G2P_BUILD_CACHE="kept").returncode == 0
    assert (here / "kept").is_dir() and not (tree.root / "kept").exists()
    result = doit_in(here, tree, "compile", "--profile=~/prof.json", *SMALL, HOME=str(tmp_path))
    assert result.returncode == 0 and (tmp_path / "prof.json").is_file(), result.stderr
    result = doit_in(here, tree, "compile", "--profile=~nobody-here/prof.json", *SMALL)
    assert "Traceback" not in result.stderr and "~nobody-here" in result.stderr
    result = doit_in(here, tree, "why", "checkpoint=path", "checkpoint.path=~nobody-here/x")
    assert result.returncode == 3 and "Traceback" not in result.stderr and "~nobody-here/x" in result.stderr


def test_a_folder_below_the_tree_and_one_that_is_named(elsewhere: tuple[Path, Tree]) -> None:
    here, tree = elsewhere
    below = tree.root / "out"
    variant = ["checkpoint=path", "checkpoint.path=best"]
    command = [sys.executable, "-m", "doit", "-k", "variants", "--json", *variant]
    result = subprocess.run(command, cwd=below, env=tree.env, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    result = doit_in(tree.root, tree, "variants", "--json", *variant, first=("-d", str(here / "out")))
    assert result.returncode == 0, result.stderr  # -d says where the user stands


def test_paths_in_a_file_of_conf_begin_at_the_checkout(elsewhere: tuple[Path, Tree]) -> None:
    here, tree = elsewhere
    text = (tree.root / "conf/checkpoint/path.yaml").read_text(encoding="utf-8")
    text = re.sub("(?m)^path:.*", "path: out/best", text)
    (tree.root / "conf/checkpoint/mine.yaml").write_text(text, encoding="utf-8")
    shutil.rmtree(here / "out")
    result = doit_in(here, tree, "variants", "--json", "checkpoint=mine")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["checkpoint"]["path"] == str(tree.root / "out" / "best")
    command = [sys.executable, "-m", "g2p_build", "--cfg", "job", "checkpoint=mine", "lexicon=words/xx.tsv"]
    result = subprocess.run(command, cwd=here, env=tree.env, capture_output=True, text=True)
    assert f"- {here}/words/xx.tsv" in result.stdout or f"files: {here}/words/xx.tsv" in result.stdout, result.stderr


def test_the_worker_imports_nothing_from_there(elsewhere: tuple[Path, Tree]) -> None:
    here, tree = elsewhere
    for name in ("g2p_build", "torch", "json"):
        (here / name).mkdir()
        (here / name / "__init__.py").write_text("raise SystemExit('wrong copy')\n", encoding="utf-8")
    command = [sys.executable, "-P", "-m", "doit", "-f", "../main/dodo.py", "tokenizer", *SMALL, "checkpoint.eos_id=2"]
    result = subprocess.run(command, cwd=here, env=tree.env, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr

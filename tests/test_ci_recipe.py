"""docs/ci.md: with a cache restored from an earlier run, nothing is built again, however it was restored."""

import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]
from conftest import DEFAULT, ROOT, Tree, copy_tree

[RECIPE] = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs" / "ci.md").read_text(encoding="utf-8"), re.M | re.S)


def products(tree: Tree) -> dict[str, bytes]:
    folders = (tree.root / "dist", tree.root / "manifests")
    return {path.name: path.read_bytes() for folder in folders for path in folder.glob("*") if path.is_file()}


def stages(said: str) -> set[str]:
    """The stages that ran."""
    return {line.split()[0] for line in said.splitlines()} - {"publish", "current"}


def share(cache: Path, elsewhere: Path) -> Path:
    return cache


def copied(cache: Path, elsewhere: Path) -> Path:
    """Restores by copying: new inodes, new times, another path."""
    return Path(shutil.copytree(cache, elsewhere, copy_function=shutil.copy))


def packed(cache: Path, elsewhere: Path) -> Path:
    """Restores from a tar without times: all files are from 1970 then."""

    def forgotten(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime = 0
        return member

    with tarfile.open(elsewhere.with_suffix(".tar"), "w") as tar:
        tar.add(cache, ".", filter=forgotten)
    with tarfile.open(elsewhere.with_suffix(".tar")) as tar:
        tar.extractall(elsewhere, filter="data")
    return elsewhere


@pytest.mark.parametrize("restore", [share, copied, packed], ids=lambda restore: restore.__name__)
def test_a_second_clone_builds_nothing(built: Tree, tmp_path: Path, restore: Callable[[Path, Path], Path]) -> None:
    clone = copy_tree(tmp_path / "clone", restore(built.cache, tmp_path / "cache"), built.root)
    for words in ([], ["batch=[1,8]", "kv_cache=true,false"], ["dtype=float16"]):
        assert stages(clone.compiled(*words)) == set()
    assert products(clone) == products(built)
    assert clone.compiled().split() == ["current", DEFAULT]


def test_what_gc_leaves_is_enough_for_the_next_run(built: Tree, tmp_path: Path) -> None:
    first = copy_tree(tmp_path / "first", packed(built.cache, tmp_path / "restored"), built.root)
    shutil.rmtree(first.cache / "trees")  # the records of an earlier run, whose machine is gone
    first.compiled()
    assert first.doit("gc", "--max-size", "50MB", "--delete").returncode == 0
    blobs = sum(path.stat().st_size for path in (first.cache / "blobs").rglob("*") if path.is_file())
    assert blobs < 50_000_000
    shutil.rmtree(first.root)  # the runner is gone
    second = copy_tree(tmp_path / "second", packed(first.cache, tmp_path / "again"), built.root)
    assert stages(second.compiled()) == set()


def test_the_commands_of_the_recipe_work(built: Tree, tmp_path: Path) -> None:
    steps = [step for job in yaml.safe_load(RECIPE)["jobs"].values() for step in job["steps"]]
    commands = [step["run"].split() for step in steps if step.get("run", "").startswith(".venv/bin/doit ")]
    assert [command[1] for command in commands] == ["compile", "gc"]
    clone = copy_tree(tmp_path / "clone", copied(built.cache, tmp_path / "cache"), built.root)
    for command in commands:
        # Without the recipe's matrix: the restored cache holds only the default variant.
        result = clone.doit(*(word for word in command[1:] if "=" not in word))
        assert result.returncode == 0, result.stderr
    assert clone.compiled().split() == ["current", DEFAULT]
    uploaded = [step["with"]["path"].split() for step in steps if "upload-artifact" in step.get("uses", "")]
    assert all(list(clone.root.glob(pattern)) for [*patterns] in uploaded for pattern in patterns)

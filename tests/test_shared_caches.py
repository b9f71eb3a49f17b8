"""A cache that may only be read serves whoever can read it, and another one may lie over it."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import SMALL, Tree, Undisturbed, copy_tree, products
from faults import errors, forget, leftovers, powerless, read_only

SEED = "checkpoint.seed=1"  # what nobody has built


@dataclass(frozen=True)
class Layered(Tree):
    """A tree whose cache lies over another one."""

    shared: Path = Path()

    @property
    def env(self) -> dict[str, str]:
        """The environment of its commands."""
        return super().env | {"G2P_BUILD_SHARED_CACHE": str(self.shared)}


def seen(folder: Path) -> dict[str, tuple[int, ...]]:
    """Every file below a folder, with what changes when it is written, renamed or touched."""
    found = {path: path.lstat() for path in folder.rglob("*")}
    return {str(path): (stat.st_size, stat.st_mtime_ns, stat.st_ino, stat.st_mode) for path, stat in found.items()}


@pytest.fixture
def shared(undisturbed: Undisturbed, tmp_path: Path) -> Path:
    """A cache that somebody else has filled, in a folder with an odd name."""
    folder = tmp_path / "a:b, of the team"
    shutil.copytree(undisturbed.tree.cache, folder)
    return folder


COMMANDS = [
    ["why"],
    ["why", "--json"],
    ["list"],
    ["variants"],
    ["manifests"],
    ["gc"],
    ["compile"],
    ["-n", "2", "compile", "batch=1,1"],
    ["library"],
    ["ir", "--phase=program"],
    ["clean"],
    ["compile"],
]


@pytest.mark.parametrize("how", ["another user's", "a read-only file system"])
def test_a_fresh_checkout_is_served_by_every_command(
    undisturbed: Undisturbed, shared: Path, tmp_path: Path, how: str
) -> None:
    """The other user's umask was 022, so everything is readable, and nothing else."""
    tree = copy_tree(tmp_path / "fresh", shared)
    for path in (shared, *shared.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = seen(shared)
    for number, words in enumerate(COMMANDS if how.startswith("another") else COMMANDS[6:7]):
        given = [] if words[0] in ("gc", "manifests") else SMALL
        command = [sys.executable, "-m", "doit", *words, *given]
        if how.startswith("another"):
            result = tree.run(*powerless(command))
        else:
            with read_only(shared) as place:
                result = place.run(tree, *command)
        assert result.returncode == 0 and not errors(result.stderr), (number, words, result.stderr)
        if "compile" in words:
            assert products(tree) == undisturbed.products
    assert seen(shared) == before
    if how.startswith("another"):
        for words in (["compile", SEED], ["gc", "--delete"]):
            given = [] if words[0] == "gc" else SMALL
            result = tree.run(*powerless([sys.executable, "-m", "doit", *words, *given]))
            assert result.returncode != 0 and all(str(shared) in line for line in errors(result.stderr))
            assert "G2P_BUILD_CACHE" in result.stderr
        assert products(tree) == undisturbed.products
    for path in (shared, *shared.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_what_is_new_goes_into_the_upper_one(undisturbed: Undisturbed, shared: Path, tmp_path: Path) -> None:
    tree = Layered(copy_tree(tmp_path / "fork", tmp_path).root, tmp_path / "local: mine", shared)
    before = seen(shared)
    tree.compiled(*SMALL)
    assert products(tree) == undisturbed.products
    assert not list(tree.cache.glob("blobs/*/*")) and not list(tree.cache.glob("actions/*/*"))
    built = {line.split()[0] for line in tree.compiled(*SMALL, SEED).splitlines()}
    assert built == {"checkpoint", "weights", "archive", "manifest", "publish"}  # the code is below
    new = {path.name for path in tree.cache.glob("*/*/*") if path.parent.parent.name in ("blobs", "actions")}
    assert new and not new & {path.name for path in shared.glob("*/*/*")}
    said = tree.compiled(*SMALL, "checkpoint.seed=0,1")
    assert [line.split()[0] for line in said.splitlines()] == ["current", "current"]
    assert tree.doit("why", *SMALL, SEED).stdout.splitlines()[-1] == "nothing would run"
    assert seen(shared) == before and leftovers(tree) == []


def test_gc_looks_at_the_upper_one_alone(shared: Path, tmp_path: Path) -> None:
    tree = Layered(copy_tree(tmp_path / "fork", tmp_path).root, tmp_path / "local", shared)
    tree.compiled(*SMALL, SEED)
    before, mine = seen(shared), set(tree.cache.glob("[ab]*/*/*"))
    assert tree.doit("gc", "--keep=0m", "--delete").returncode == 0
    assert set(tree.cache.glob("[ab]*/*/*")) == mine  # a manifest needs it, though half of it is below
    assert [line.split()[0] for line in tree.compiled(*SMALL, SEED).splitlines()] == ["current"]
    tree.doit("clean", *SMALL, SEED)
    assert tree.doit("gc", "--keep=0m", "--delete").returncode == 0
    assert not list(tree.cache.glob("[ab]*/*/*")) and seen(shared) == before


def test_what_is_damaged_or_gone_below_is_made_above(undisturbed: Undisturbed, shared: Path, tmp_path: Path) -> None:
    tree = Layered(copy_tree(tmp_path / "fork", tmp_path).root, tmp_path / "local", shared)
    forget(Tree(tree.root, shared), "tokenizer")
    [manifest] = [
        shared / "blobs" / digest[:2] / digest
        for path in shared.glob("actions/*/*.json")
        for name, digest in json.loads(path.read_bytes())["outputs"].items()
        if name == "manifest.json"
    ]
    manifest.chmod(0o644)
    manifest.write_bytes(b"{}")
    before = seen(shared)
    assert {line.split()[0] for line in tree.compiled(*SMALL).splitlines()} == {"tokenizer", "manifest", "publish"}
    assert products(tree) == undisturbed.products and seen(shared) == before


def test_one_that_is_not_there_is_one_line(tree: Tree) -> None:
    result = Layered(tree.root, tree.cache, tree.root / "none").doit("why")
    assert result.returncode == 3 and "Traceback" not in result.stderr
    assert "G2P_BUILD_SHARED_CACHE=" in result.stderr and "is not there" in result.stderr


def test_one_over_itself_is_itself(undisturbed: Undisturbed, tree: Tree) -> None:
    undisturbed.cache_for(tree)
    layered = Layered(tree.root, tree.cache, tree.cache)
    layered.compiled(*SMALL)
    assert products(layered) == undisturbed.products

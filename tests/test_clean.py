"""`doit clean …` removes a variant's published files from the tree, and nothing else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CACHED, CACHELESS, DEFAULT, HALF, Tree

from g2p_build.runtime import manifest as manifests


@pytest.fixture
def copy(built: Tree, tmp_path: Path) -> Tree:
    """A copy of the tree with four published variants. The cache is shared, because cleaning does not touch it."""
    shutil.copytree(built.root, tmp_path / "tree")
    return Tree(tmp_path / "tree", built.cache)


def products(tree: Tree) -> set[str]:
    return {
        f"{part}/{path.name}"
        for part in ("dist", "manifests")
        for path in (tree.root / part).iterdir()
        if path.is_file()
    }


def archive(tree: Tree, name: str, role: str) -> str:
    manifest = manifests.read(tree.root / "manifests" / f"{name}.json")
    return f"dist/{manifest['archives'][role]['file']}"


def indexed(tree: Tree) -> list[str]:
    """The names in the index. Asserts that the manifest and the archives of each are there."""
    index = manifests.read_index(tree.root / "manifests" / "index.json")
    names = [entry["name"] for entry in index["manifests"]]
    assert all((tree.root / archive(tree, name, role)).is_file() for name in names for role in ("library", "weights"))
    assert index["default"] == (DEFAULT if DEFAULT in names else None)
    return names


def test_a_variant_goes_and_comes_back_from_the_cache_byte_for_byte(copy: Tree) -> None:
    before = {name: (copy.root / name).read_bytes() for name in products(copy)}
    library = archive(copy, DEFAULT, "library")
    cached = set(copy.cache.glob("[ab]*/*/*"))
    result = copy.doit("clean")
    assert result.returncode == 0
    assert set(before) - products(copy) == {library, f"manifests/{DEFAULT}.json"}
    assert indexed(copy) == sorted([CACHED, CACHELESS, HALF])
    assert library in result.stdout and "the cache keeps" in result.stdout
    assert set(copy.cache.glob("[ab]*/*/*")) == cached
    assert {line.split()[0] for line in copy.compiled().splitlines()} == {"publish"}
    assert {name: (copy.root / name).read_bytes() for name in products(copy)} == before


def test_weights_stay_for_as_long_as_another_manifest_needs_them(copy: Tree) -> None:
    weights, half = archive(copy, CACHED, "weights"), archive(copy, HALF, "weights")
    assert copy.doit("clean").returncode == 0
    assert copy.doit("clean", "batch=[1,8]").returncode == 0
    assert weights in products(copy)
    assert copy.doit("clean", "batch=[1,8]", "kv_cache=false").returncode == 0
    assert weights not in products(copy)
    assert indexed(copy) == [HALF]
    assert half in products(copy)


def test_several_variants_go_at_once(copy: Tree) -> None:
    assert copy.doit("clean", "dtype=float32,float16").returncode == 0
    assert copy.doit("clean", "batch=[1,8]", "kv_cache=true,false").returncode == 0
    assert products(copy) == {"manifests/index.json"}
    assert indexed(copy) == []


def test_archives_of_older_builds_go_too(copy: Tree) -> None:
    older, other = f"dist/{DEFAULT}-0123456789abcdef.tar", f"dist/{DEFAULT}-mine.tar"
    for name in (older, other):
        (copy.root / name).write_bytes(b"")
    assert copy.doit("clean").returncode == 0
    assert older not in products(copy) and other in products(copy)


def test_a_new_build_removes_the_archives_that_it_replaces(copy: Tree) -> None:
    older, other = f"dist/{DEFAULT}-0123456789abcdef.tar", "dist/embedded-float16-weights-0123456789abcdef.tar"
    for name in (older, other):
        (copy.root / name).write_bytes(b"")
    (copy.root / "manifests" / f"{DEFAULT}.json").unlink()
    copy.compiled()
    assert older not in products(copy) and other in products(copy)
    assert {f"dist/{file}" for file in archives(copy)} | {other} == {p for p in products(copy) if p.startswith("dist/")}


def archives(tree: Tree) -> set[str]:
    """What all manifests name."""
    manifests = [json.loads(path.read_bytes()) for path in (tree.root / "manifests").glob("*-*.json")]
    return {archive["file"] for manifest in manifests for archive in manifest["archives"].values()}


def test_a_damaged_manifest_goes(copy: Tree) -> None:
    (copy.root / "manifests" / f"{DEFAULT}.json").write_bytes(b"{")
    assert copy.doit("clean").returncode == 0
    assert not {name for name in products(copy) if DEFAULT in name}
    assert indexed(copy) == sorted([CACHED, CACHELESS, HALF])


def test_a_dry_run_says_the_same_and_removes_nothing(copy: Tree) -> None:
    before = products(copy)
    asked = copy.doit("clean", "-n")
    assert products(copy) == before
    done = copy.doit("clean")
    assert asked.returncode == done.returncode == 0
    assert asked.stdout.replace("would remove", "removed") == done.stdout


def test_where_nothing_is_it_says_so(copy: Tree) -> None:
    before = products(copy)
    result = copy.doit("clean", "target=iphone")
    assert result.returncode == 0
    assert result.stdout.splitlines()[-1].startswith("nothing is published of embedded-iphone-")
    assert products(copy) == before


@pytest.mark.parametrize("killed_at", [1, 2])
def test_a_kill_leaves_an_index_of_what_is_there(copy: Tree, killed_at: int) -> None:
    code = f"""
import os, signal
from pathlib import Path
import tasks
from g2p_build.config import compose
from g2p_build import graph
from g2p_build.products import unpublish
from g2p_build.store.workspace import Workspace
unlink, calls = Path.unlink, []
def dying(path, missing_ok=False):
    if path.suffix in (".json", ".tar"):
        calls.append(path)
    if len(calls) == {killed_at}:
        os.kill(os.getpid(), signal.SIGKILL)
    unlink(path, missing_ok)
Path.unlink = dying
[variant] = compose.variants()
workspace = Workspace(Path({str(copy.cache)!r}), Path({str(copy.root)!r}))
unpublish.unpublish(workspace, graph.nodes(variant), variant.name)
"""
    assert copy.run(sys.executable, "-c", code).returncode == -9
    assert indexed(copy) == sorted([CACHED, CACHELESS, HALF])
    copy.compiled()
    assert indexed(copy) == sorted([DEFAULT, CACHED, CACHELESS, HALF])


def test_what_cannot_be_removed_is_one_line_and_a_failure(copy: Tree) -> None:
    (copy.root / "manifests" / ".index.json.tmp").mkdir()  # where the index is written
    result: subprocess.CompletedProcess[str] = copy.doit("clean")
    assert result.returncode == 1
    assert result.stderr.startswith(f"ERROR: clean:{DEFAULT}: cannot use ") and result.stderr.count("\n") == 1
    assert indexed(copy) == sorted([DEFAULT, CACHED, CACHELESS, HALF])
    assert (copy.root / "manifests" / f"{DEFAULT}.json").is_file()

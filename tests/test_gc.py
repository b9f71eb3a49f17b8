"""`doit gc` removes what nobody needs from the cache, and never removes what somebody needs."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import DEFAULT, Tree, copy_tree
from test_compile import SMALL

from g2p_build import graph
from g2p_build.config import compose
from g2p_build.errors import BuildError
from g2p_build.store import actions, blobs, gc, in_use
from g2p_build.store.actions import Action

DAY = 86400.0


def age(paths: Sequence[Path], days: float) -> None:
    then = time.time() - days * DAY
    for path in paths:
        os.utime(path, (then, then))


def act(cache: Path, name: str, days: float, *contents: bytes) -> Path:
    """Records an action as if a build had made it `days` ago. Returns the path of its entry."""
    outputs = {}
    for number, content in enumerate(contents):
        file = cache / f"{name}-{number}"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        outputs[str(number)] = blobs.put(cache, file)
    components = {"stage": name, "source": "0" * 64}
    actions.record(cache, Action(components, outputs, 1.0))
    entry = actions.path_of(cache, actions.key_of(components))
    age([entry], days)
    return entry


def blobs_of(entry: Path) -> list[Path]:
    digests = json.loads(entry.read_bytes())["outputs"].values()
    return [blobs.path_of(entry.parents[2], digest) for digest in digests]


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_what_was_used_within_keep_stays_with_its_blobs(tmp_path: Path) -> None:
    old, young = act(tmp_path, "old", 8, b"shared", b"old"), act(tmp_path, "young", 6, b"shared", b"young")
    gc.remove(tmp_path, 7 * DAY)
    assert files(tmp_path / "actions") == {young}
    assert files(tmp_path / "blobs") == set(blobs_of(young))
    assert not old.parent.exists()  # empty folders go too


def test_looking_removes_nothing(tmp_path: Path) -> None:
    act(tmp_path, "old", 8, b"old")
    before = files(tmp_path)
    garbage = gc.find(tmp_path, 7 * DAY)
    assert len(garbage.gone) == 2
    assert files(tmp_path) == before


def test_finding_an_action_is_a_use_of_it(tmp_path: Path) -> None:
    entry = act(tmp_path, "old", 30, b"old")
    assert actions.find(tmp_path, entry.stem)
    assert gc.find(tmp_path, DAY).gone == frozenset()
    used = entry.stat().st_mtime_ns
    assert actions.find(tmp_path, entry.stem)
    assert entry.stat().st_mtime_ns == used  # another use within the hour writes nothing


def test_the_least_recently_used_goes_until_the_cache_fits(tmp_path: Path) -> None:
    entries = [act(tmp_path, f"day{days}", days, bytes([days]) * 10_000, b"shared" * 1000) for days in (1, 2, 3)]
    gc.remove(tmp_path, 7 * DAY, most=30_000)
    assert files(tmp_path / "actions") == set(entries[:2])
    assert files(tmp_path / "blobs") == {path for entry in entries[:2] for path in blobs_of(entry)}
    gc.remove(tmp_path, 7 * DAY, most=30_000)
    assert files(tmp_path / "actions") == set(entries[:2])
    gc.remove(tmp_path, 7 * DAY, most=0)
    assert not files(tmp_path / "actions") and not files(tmp_path / "blobs")


def test_what_no_build_can_use_goes_however_young(tmp_path: Path) -> None:
    good, damaged, lacking = (act(tmp_path, name, 0, name.encode()) for name in ("good", "damaged", "lacking"))
    damaged.write_bytes(damaged.read_bytes().replace(b"damaged", b"damagec"))
    blobs_of(lacking)[0].unlink()
    stray = tmp_path / "blobs" / "00" / ("0" * 64)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"of a build that was killed before it could record it")
    gc.remove(tmp_path, 7 * DAY)
    assert files(tmp_path / "actions") == {good}
    assert files(tmp_path / "blobs") == set(blobs_of(good))


def test_the_log_of_an_action_stays_with_it_and_that_of_a_failure_for_a_while(tmp_path: Path) -> None:
    kept = act(tmp_path, "kept", 1, b"kept")
    gone = act(tmp_path, "gone", 8, b"gone")
    logs = [tmp_path / "logs" / f"{key}.log" for key in (kept.stem, gone.stem, "a" * 64, "b" * 64)]
    logs[0].parent.mkdir()
    for log, days in zip(logs, (30, 0, 1, 30), strict=True):
        log.write_text("said")
        age([log], days)
    gc.remove(tmp_path, 7 * DAY)
    assert files(tmp_path / "logs") == {logs[0], logs[2]}


@pytest.mark.parametrize("killed_at", [1, 2, 3, 4, 5])
def test_a_killed_gc_leaves_no_entry_without_its_blobs(tmp_path: Path, killed_at: int) -> None:
    for days in (8, 9):
        act(tmp_path, f"day{days}", days, bytes([days]), b"shared")
    code = f"""
import os, signal
from pathlib import Path
from g2p_build.store import gc
unlink, calls = Path.unlink, []
def dying(path, missing_ok=False):
    if path.name != "in-use.lock":
        calls.append(path)
    if len(calls) == {killed_at}:
        os.kill(os.getpid(), signal.SIGKILL)
    unlink(path, missing_ok)
Path.unlink = dying
gc.remove(Path({str(tmp_path)!r}), 0.0)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    for entry in files(tmp_path / "actions"):
        assert actions.read(tmp_path, entry.stem) and all(path.is_file() for path in blobs_of(entry))
    gc.remove(tmp_path, 0.0)
    assert not files(tmp_path / "actions") and not files(tmp_path / "blobs")


@pytest.fixture
def old(built: Tree, tmp_path: Path) -> Tree:
    """A tree whose default variant was published a month ago, with a cache that holds four variants."""
    shutil.copytree(built.cache, tmp_path / "cache", ignore=shutil.ignore_patterns("trees", "unpacked"))
    tree = copy_tree(tmp_path / "tree", tmp_path / "cache", built.root)
    tree.compiled()
    grow_old(tree)
    return tree


def grow_old(tree: Tree) -> None:
    age(sorted(files(tree.cache / "actions") | files(tree.cache / "logs") | files(tree.cache / "trees")), 30)


def kinds(tree: Tree, *words: str) -> dict[str, dict[str, int]]:
    result = tree.doit("gc", "--json", *words)
    assert result.returncode == 0, result.stderr
    return {row["kind"]: row for row in map(json.loads, result.stdout.splitlines())}


def actions_left(found: dict[str, dict[str, int]]) -> int:
    return found["actions"]["files"] - found["actions"]["unneeded"]


def one_variant() -> int:
    """The number of actions that the default variant is made by."""
    [default] = compose.variants()
    return len(graph.nodes(default))


def test_what_a_published_manifest_needs_stays_and_the_rest_goes(old: Tree) -> None:
    before = files(old.cache / "actions")
    said = old.doit("gc")
    assert said.returncode == 0 and said.stderr.rstrip().endswith("with --delete")
    assert files(old.cache / "actions") == before
    asked = kinds(old)
    deleted = kinds(old, "--delete")
    assert asked["blobs"] == deleted["blobs"]
    assert actions_left(deleted) == one_variant()
    after = kinds(old, "--delete")
    assert after["total"]["unneeded"] <= 1  # this command's own lock
    assert after["blobs"]["bytes"] == deleted["blobs"]["bytes"] - deleted["blobs"]["unneeded_bytes"]
    on_disk = sum(path.stat().st_size for path in files(old.cache / "blobs"))
    assert after["blobs"]["bytes"] == on_disk
    shutil.rmtree(old.root / "dist")
    assert {line.split()[0] for line in old.compiled().splitlines()} == {"publish"}


def test_a_manifest_that_was_removed_needs_nothing(old: Tree) -> None:
    assert old.doit("clean").returncode == 0
    kinds(old, "--delete")
    assert not files(old.cache / "actions") and not files(old.cache / "blobs")


def test_a_tree_that_is_gone_needs_nothing(old: Tree, tmp_path: Path) -> None:
    old.root.rename(tmp_path / "elsewhere")
    kinds(Tree(tmp_path / "elsewhere", old.cache), "--delete")
    assert not files(old.cache / "actions") and not files(old.cache / "blobs") and not files(old.cache / "trees")


def test_a_build_that_finds_everything_current_uses_it(old: Tree, tmp_path: Path) -> None:
    old.compiled()
    shutil.rmtree(old.root / "manifests")  # so that only the use counts
    assert actions_left(kinds(old, "--keep", "1d")) == one_variant()
    assert actions_left(kinds(old, "--keep", "0d")) == 0


def test_a_size_does_not_push_out_what_manifests_need(old: Tree) -> None:
    result = old.doit("gc", "--max-size", "1MB", "--delete")
    assert result.returncode == 0
    assert "1.0 MB cannot be reached: manifests need " in result.stderr
    assert old.compiled().split() == ["current", DEFAULT]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--keep", "7"], "ERROR: gc: '7' is not an age: "),
        (["--max-size", "2gb"], "ERROR: gc: '2gb' is not a size: "),
        (["target=iphone"], "ERROR: gc: it is for the whole cache and takes no overrides: leave out target=iphone"),
    ],
)
def test_what_gc_cannot_do_is_one_line(tree: Tree, words: list[str], line: str) -> None:
    result = tree.doit("gc", *words)
    assert result.returncode != 0
    assert result.stderr.startswith(line) and result.stderr.count("\n") == 1


def test_an_empty_cache_has_nothing_to_remove(tree: Tree) -> None:
    assert kinds(tree, "--delete")["total"]["bytes"] == 0


def test_nothing_is_removed_while_a_build_runs(tree: Tree) -> None:
    command = [sys.executable, "-m", "doit", "compile", *SMALL]
    with subprocess.Popen(command, cwd=tree.root, env=tree.env, stderr=subprocess.PIPE, text=True) as build:
        assert build.stderr and build.stderr.readline().startswith("checkpoint")
        made = files(tree.cache / "blobs")
        assert made
        result = tree.doit("gc", "--keep", "0m", "--delete")
        assert build.poll() is None  # it was indeed running
        assert result.returncode != 0
        assert result.stderr.startswith("ERROR: gc: a build is using the cache") and result.stderr.count("\n") == 1
        assert made <= files(tree.cache / "blobs")
        said = build.stderr.read()
    assert build.returncode == 0, said
    kinds(tree, "--keep", "0m", "--delete")
    assert tree.compiled(*SMALL).split()[0] == "current"


def test_a_build_that_starts_meanwhile_waits(old: Tree) -> None:
    command = [sys.executable, "-m", "doit"]
    with in_use.alone(old.cache):
        build = subprocess.Popen(command, cwd=old.root, env=old.env, stderr=subprocess.PIPE, text=True)
        assert build.stderr and build.stderr.readline() == "`doit gc` is removing from the cache; waiting\n"
        assert build.poll() is None
    assert build.communicate()[1].split() == ["current", DEFAULT]
    assert build.returncode == 0


def test_a_build_that_was_killed_is_in_nobodys_way(old: Tree) -> None:
    code = "import sys, time; from pathlib import Path; from g2p_build.store import in_use;"
    code += "in_use.share(Path(sys.argv[1])); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, old.cache], stdout=subprocess.PIPE) as user:
        assert user.stdout and user.stdout.readline()
        with pytest.raises(BuildError, match="a build is using the cache"), in_use.alone(old.cache):
            pass
        user.kill()
    with in_use.alone(old.cache):
        pass

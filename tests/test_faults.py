"""Whatever happens to a build, finished stages are kept, nothing is half-written, and the next build succeeds.

Every fault is real. Only a few trials run here; `make test-long` runs all. `FAULT_SEED=n` chooses others.
"""

import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import SMALL, Tree, Undisturbed, products
from faults import SEED, entries, errors, forget, leftovers, powerless, read_only, some, start, tmpfs, with_limit

STAGES = ["checkpoint", "tokenizer", "weights", "program", "code", "library", "archive", "manifest"]

# --- killed -----------------------------------------------------------------------------------------------------------


def kill_and_build_again(tree: Tree, undisturbed: Undisturbed, moment: float, *words: str) -> None:
    """Kills a build `moment` seconds after its start. The next gives the same bytes and repeats no finished stage."""
    build = start(tree, *words, "compile")
    try:
        build.communicate(timeout=moment)
    except subprocess.TimeoutExpired:
        build.kill()
        build.communicate()
    finished = entries(tree)
    again = start(tree, *words, "compile")
    _, said = again.communicate()
    assert again.returncode == 0, said
    assert products(tree) == undisturbed.products
    assert {key: entry for key, entry in entries(tree).items() if key in finished} == finished
    assert leftovers(tree) == []


@pytest.mark.parametrize("trial", some(14, 200))
def test_a_build_that_is_killed_loses_the_stage_that_ran_and_nothing_else(
    undisturbed: Undisturbed, tree: Tree, trial: int
) -> None:
    moment = random.Random(f"{SEED} {trial}").uniform(0, undisturbed.seconds)
    kill_and_build_again(tree, undisturbed, moment, *(["-n", "2"] if trial % 4 == 3 else []))


@pytest.mark.parametrize("trial", some(6, 100))
def test_a_build_that_is_killed_while_it_archives_and_publishes(
    undisturbed: Undisturbed, tree: Tree, trial: int
) -> None:
    undisturbed.cache_for(tree)
    forget(tree, "archive", "manifest")
    moment = random.Random(f"{SEED} {trial}").uniform(0.2, 0.9)
    kill_and_build_again(tree, undisturbed, moment)


# --- interrupted ------------------------------------------------------------------------------------------------------


def interrupt_after(tree: Tree, stage: str, *words: str) -> None:
    """Sends Ctrl-C shortly after a stage has ended. The build must end with one line."""
    build = start(tree, *words, "compile")
    assert build.stderr
    said = ""
    while not said.startswith(stage):
        said = build.stderr.readline()
        assert said, f"it ended before {stage} did"
    time.sleep(random.Random(f"{SEED} {stage}").uniform(0, 1.5))
    before = entries(tree)
    os.killpg(build.pid, signal.SIGINT)
    out, said = build.communicate(timeout=30)
    assert build.returncode in (130, -signal.SIGINT)
    errors(said)
    assert [line for line in said.splitlines() if not re.match(r"\w+ +\d+\.\d s  ", line)] == [
        "interrupted: what was finished is kept"
    ]
    assert out == ""
    assert leftovers(tree) == []
    assert {key: entry for key, entry in entries(tree).items() if key in before} == before


def test_an_interrupted_build_says_so_in_one_line_and_keeps_what_was_finished(
    undisturbed: Undisturbed, tree: Tree
) -> None:
    interrupt_after(tree, "checkpoint")
    first = entries(tree)
    assert len(first) >= 1
    interrupt_after(tree, "program", "-n", "2")
    second = entries(tree)
    assert first.items() <= second.items()
    tree.compiled(*SMALL)
    assert second.items() <= entries(tree).items()
    assert products(tree) == undisturbed.products


@pytest.mark.parametrize("trial", some(3, 100))
def test_an_interruption_at_any_moment_leaves_nothing_behind(undisturbed: Undisturbed, tree: Tree, trial: int) -> None:
    undisturbed.cache_for(tree)
    forget(tree, "tokenizer", "archive", "manifest")
    before = entries(tree)
    build = start(tree, *(["-n", "2"] if trial % 2 else []), "compile")
    while build.poll() is None and not list(tree.cache.glob("tmp/*")):
        time.sleep(0.01)  # until it has begun
    time.sleep(random.Random(f"{SEED} {trial}").uniform(0, 0.7))
    if build.poll() is None:
        os.killpg(build.pid, signal.SIGINT)
    _, said = build.communicate(timeout=30)
    assert errors(said) == []
    assert build.returncode in (0, 130, -signal.SIGINT)
    assert said.count("interrupted: what was finished is kept\n") == (build.returncode == 130)
    assert leftovers(tree) == []
    assert before.items() <= entries(tree).items()
    tree.compiled(*SMALL)
    assert products(tree) == undisturbed.products


# --- a crash ----------------------------------------------------------------------------------------------------------


def test_a_stage_that_crashes_fails_its_variant_and_no_other(undisturbed: Undisturbed, tree: Tree) -> None:
    undisturbed.cache_for(tree)
    stage = tree.root / "g2p_build" / "stages" / "checkpoint.py"
    text = stage.read_text(encoding="utf-8")
    anchor = "    from safetensors.torch import save_file\n"
    assert text.count(anchor) == 1
    crash = "    import os, signal\n    if params['seed'] == 1:\n        os.kill(os.getpid(), signal.SIGSEGV)\n"
    stage.write_text(text.replace(anchor, crash + anchor), encoding="utf-8")
    result = tree.doit("compile", *SMALL, "checkpoint.seed=1,0")
    assert result.returncode not in (0, 130)
    [line] = errors(result.stderr)
    found = re.fullmatch(r"ERROR: (checkpoint:\S+): its process died of SIGSEGV; its log is (\S+)", line)
    assert found and "Segmentation fault" in Path(found[2]).read_text()
    [not_built] = [line for line in result.stderr.splitlines() if line.startswith("not built")]
    assert found[1].partition(":")[2] in not_built
    assert products(tree) == undisturbed.products
    assert leftovers(tree) == []


# --- no room ----------------------------------------------------------------------------------------------------------


def test_a_stage_whose_output_finds_no_room(undisturbed: Undisturbed, tree: Tree) -> None:
    undisturbed.cache_for(tree)
    forget(tree, "checkpoint")
    before = entries(tree)
    for kibibytes in (0, 100):  # no room for the log; then room for the log, but not for the weights
        result = tree.run(*with_limit(kibibytes, [sys.executable, "-m", "doit", "compile", *SMALL]))
        assert result.returncode != 0
        [line] = errors(result.stderr)
        assert re.fullmatch(
            r"ERROR: checkpoint:\S+: cannot use \S+: File too large: "
            r"raise the limit \(ulimit -f\), then run the same command again",
            line,
        )
        assert products(tree) == {} and entries(tree) == before and leftovers(tree) == []
    tree.compiled(*SMALL)
    assert products(tree) == undisturbed.products


@pytest.mark.parametrize("kibibytes", [pytest.param(n, marks=pytest.mark.long) for n in (1, 200, 300, 600, 1500, 3500)])
def test_a_stage_whose_output_finds_little_room(undisturbed: Undisturbed, tree: Tree, kibibytes: int) -> None:
    result = tree.run(*with_limit(kibibytes, [sys.executable, "-m", "doit", "compile", *SMALL]))
    assert result.returncode != 0
    assert errors(result.stderr)
    assert products(tree) == {} and leftovers(tree) == []
    tree.compiled(*SMALL)
    assert products(tree) == undisturbed.products


def test_a_dist_in_which_there_is_no_room(undisturbed: Undisturbed, tree: Tree) -> None:
    undisturbed.cache_for(tree)
    archives = [name for name in undisturbed.products if name.startswith("dist")]
    with tmpfs(tree.root / "dist", "200k") as place:
        result = place.doit(tree)
        assert result.returncode != 0
        [line] = errors(result.stderr)
        assert re.fullmatch(
            r"ERROR: compile:\S+: cannot use \S+/dist/\S+: No space left on device: "
            "make room there, then run the same command again",
            line,
        )
        assert place.run(tree, "ls", "-A", "dist").stdout == ""
        assert products(tree) == {}
        assert place.run(tree, "mount", "-o", "remount,size=20m", "dist").returncode == 0
        assert place.doit(tree).returncode == 0
        sums = place.run(tree, "sha256sum", *archives).stdout.splitlines()
    assert len(sums) == len(archives)
    for digest, name in map(str.split, sums):
        assert digest == hashlib.sha256(undisturbed.products[name]).hexdigest()


@pytest.mark.parametrize(
    ("size", "forgotten"),
    [
        ("1600k", ["code", "library", "archive", "manifest"]),
        ("1400k", ["archive", "manifest"]),
        *(pytest.param(f"{n}k", STAGES, marks=pytest.mark.long) for n in range(50, 7500, 350)),
    ],
)
def test_a_cache_in_which_there_is_no_room(
    undisturbed: Undisturbed, tree: Tree, size: str, forgotten: list[str]
) -> None:
    filled = undisturbed.cache_for(Tree(tree.root, tree.root.parent / "filled"))
    forget(filled, *forgotten)
    with tmpfs(tree.cache, size) as place:
        kept = (f"{filled.cache}/actions", f"{filled.cache}/blobs")
        assert place.run(tree, "cp", "-R", *kept, str(tree.cache)).returncode == 0
        result = place.doit(tree)
        assert result.returncode != 0
        lines = errors(result.stderr)
        assert lines and all("make room" in line for line in lines)
        assert products(tree) == {}
        assert place.run(tree, "find", str(tree.cache / "tmp"), "-mindepth", "1").stdout == ""
        assert place.run(tree, "mount", "-o", "remount,size=60m", str(tree.cache)).returncode == 0
        again = place.doit(tree)
        assert again.returncode == 0, again.stderr
    assert products(tree) == undisturbed.products


# --- not writable -----------------------------------------------------------------------------------------------------


def test_a_read_only_cache_serves_what_is_current(undisturbed: Undisturbed, tree: Tree) -> None:
    undisturbed.cache_for(tree)
    tree.compiled(*SMALL)
    with read_only(tree.cache) as place:
        result = place.doit(tree)
        assert (result.returncode, result.stderr.split()[0], result.stderr.count("\n")) == (0, "current", 1)
        result = place.doit(tree, "checkpoint.seed=1")
        assert result.returncode != 0
        [line] = errors(result.stderr)
        assert "Read-only file system: make it writable" in line and "G2P_BUILD_CACHE" in line
    assert products(tree) == undisturbed.products


@pytest.mark.parametrize("part", ["dist", "manifests"])
def test_products_that_may_not_be_written(undisturbed: Undisturbed, tree: Tree, part: str) -> None:
    undisturbed.cache_for(tree)
    (tree.root / part).mkdir(mode=0o555)
    result = tree.run(*powerless([sys.executable, "-m", "doit", "compile", *SMALL]))
    assert result.returncode != 0
    [line] = errors(result.stderr)
    assert f"/{part}/" in line and "Permission denied: make it accessible to you" in line
    assert not list((tree.root / part).iterdir())
    (tree.root / part).chmod(0o755)
    tree.compiled(*SMALL)
    assert products(tree) == undisturbed.products


def test_a_cache_that_may_not_be_written_is_one_line(undisturbed: Undisturbed, tree: Tree) -> None:
    undisturbed.cache_for(tree)
    tree.compiled(*SMALL)
    forget(tree, "tokenizer")
    for folder in (tree.cache, *(path for path in tree.cache.rglob("*") if path.is_dir())):
        folder.chmod(0o555)
    result = tree.run(*powerless([sys.executable, "-m", "doit", "compile", *SMALL]))
    for folder in (tree.cache, *(path for path in tree.cache.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    assert result.returncode != 0
    [line] = errors(result.stderr)
    assert str(tree.cache) in line and "Permission denied: make it accessible to you" in line
    tree.compiled(*SMALL)
    assert products(tree) == undisturbed.products

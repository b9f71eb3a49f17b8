"""Builds that share a tree or a cache run each stage only once. The second build waits, and takes over if needed."""

import json
import re
import signal
import subprocess
import time
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from conftest import Tree, Undisturbed, copy_tree, products
from faults import entries, errors, leftovers, start

# Code for the worker: it notes each run of a stage, and whether its process had imported torch and TVM before.
NOTE = """\
    import json

    stage = request["function"].partition(":")[0].rpartition(".")[2]
    with open({path!r}, "a") as file:
        loaded = [name for name in ("torch", "tvm") if name in sys.modules]
        file.write(json.dumps([stage, Path(request["out"]).name, os.getpid(), loaded]))
        file.write("\\n")
"""


@pytest.fixture
def noted(tree: Tree) -> Tree:
    """A tree whose workers note what they run. The key of no stage depends on how stages are run."""
    worker = tree.root / "g2p_build" / "engine" / "worker.py"
    text = worker.read_text(encoding="utf-8")
    anchor = "    started = time.monotonic()\n    try:\n        module, _, name = "
    assert text.count(anchor) == 1
    note = NOTE.format(path=str(tree.root.parent / "runs"))
    worker.write_text(text.replace(anchor, note + anchor), encoding="utf-8")
    return tree


def runs(tree: Tree) -> list[tuple[str, str, int, list[str]]]:
    """Every run of a stage so far: its name, its key, its process, and what the process had imported before."""
    path = tree.root.parent / "runs"
    return [tuple(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def finish(*builds: "subprocess.Popen[str]") -> list[str]:
    """Waits until some builds end, which must succeed. Returns their error streams."""
    said = [build.communicate()[1] for build in builds]
    for build, text in zip(builds, said, strict=True):
        assert build.returncode == 0 and errors(text) == [], text
    return said


def wait_for(stage: str, tree: Tree) -> None:
    """Waits until a stage runs."""
    for _ in range(1200):
        if any(run[0] == stage for run in runs(tree)):
            return
        time.sleep(0.05)
    raise AssertionError(f"{stage} did not start within a minute")


WAITS = re.compile(r"^\w+:\S+: another build is making it; waiting$", re.MULTILINE)


def test_two_builds_in_one_tree_run_each_stage_once(undisturbed: Undisturbed, noted: Tree) -> None:
    said = finish(start(noted, "compile"), start(noted, "-n", "2", "compile"))
    assert Counter(key for _, key, _, _ in runs(noted)) == Counter(entries(noted).keys())
    assert any(WAITS.search(text) for text in said), said
    assert products(noted) == undisturbed.products
    assert leftovers(noted) == []


def test_two_trees_with_one_cache_share_what_their_variants_share(undisturbed: Undisturbed, noted: Tree) -> None:
    other = copy_tree(noted.root.parent / "other", noted.cache, noted.root)
    finish(start(noted, "compile"), start(other, "compile", "target=host,android"))
    ran = runs(noted)
    assert Counter(key for _, key, _, _ in ran) == Counter(entries(noted).keys())
    assert Counter(stage for stage, _, _, _ in ran) == {
        "checkpoint": 1,
        "tokenizer": 1,
        "weights": 1,
        "program": 1,
        "code": 2,
        "library": 2,
        "archive": 3,
        "manifest": 2,
    }
    assert products(noted) == undisturbed.products
    for name, data in undisturbed.products.items():
        if not name.endswith("index.json"):
            assert products(other)[name] == data
    assert any("android" in name for name in products(other))


def test_when_a_build_is_killed_the_one_that_waits_for_it_takes_over(undisturbed: Undisturbed, noted: Tree) -> None:
    first = start(noted, "compile")
    wait_for("program", noted)
    finished = entries(noted)
    second = start(noted, "compile")
    assert second.stderr
    assert WAITS.match(line := second.stderr.readline()), line
    first.send_signal(signal.SIGKILL)
    first.communicate()
    finish(second)
    counted = Counter(stage for stage, _, _, _ in runs(noted))
    assert counted.pop("program") == 2  # the killed one, and once more
    assert {stage: count for stage, count in counted.items() if stage != "archive"} == dict.fromkeys(
        ("checkpoint", "tokenizer", "weights", "code", "library", "manifest"), 1
    )
    assert finished.items() <= entries(noted).items()
    assert products(noted) == undisturbed.products
    assert leftovers(noted) == []


def test_a_build_imports_torch_and_tvm_once(undisturbed: Undisturbed, noted: Tree) -> None:
    undisturbed.cache_for(noted)
    finish(start(noted, "compile", "checkpoint.seed=1,2", "target=android"))
    ran = runs(noted)
    assert len({process for _, _, process, _ in ran}) == 1
    heavy = [stage for stage, _, _, _ in ran if stage in ("checkpoint", "program", "weights", "code")]
    assert Counter(heavy) == {"checkpoint": 2, "weights": 2, "code": 1}
    # A stage finds what earlier stages imported. So each was imported once.
    loaded: list[Any] = [modules for _, _, _, modules in ran]
    assert loaded[0] == []
    assert all(set(before) <= set(after) for before, after in pairwise(loaded))
    assert loaded[-1] == ["torch", "tvm"]

"""A sweep runs each distinct stage once, in any number of processes. And what it reports to programs and people."""

import json
import os
import pty
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import Tree
from test_compile import SMALL


def events(tree: Tree, *words: str) -> list[dict[str, Any]]:
    """The events of `doit compile --json` with two processes."""
    result = tree.doit("-n", "2", "compile", "--json", *words)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def ran(found: list[dict[str, Any]]) -> Counter[str]:
    """How many keys of each stage were built."""
    return Counter(event["stage"] for event in found if event["outcome"] == "built" and event["stage"] != "publish")


def entries(tree: Tree) -> Counter[str]:
    """How many actions of each stage the cache holds."""
    return Counter(json.loads(path.read_bytes())["components"]["stage"] for path in tree.cache.glob("actions/*/*.json"))


def test_three_batch_sizes_share_all_but_program_and_library(tree: Tree) -> None:
    found = events(tree, "matrix=batches", *SMALL)
    once = {"checkpoint": 1, "tokenizer": 1, "weights": 1, "program": 3, "code": 3, "library": 3}
    once |= {"archive": 4, "manifest": 3}
    assert ran(found) == entries(tree) == once
    assert ran(events(tree, "matrix=batches", *SMALL)) == {}


def test_twenty_four_variants_of_six_checkpoints_compile_four_libraries(tree: Tree) -> None:
    sweep = ["checkpoint.seed=range(0,6)", "target=iphone,android", "dtype=float32,float16"]
    found = events(tree, *SMALL, *sweep)
    assert len({name for event in found for name in event["variants"]}) == 24
    # Programs and libraries depend on the architecture, not on the checkpoint. All six share one tokenizer file.
    once = {"checkpoint": 6, "tokenizer": 1, "weights": 12, "program": 2, "code": 4, "library": 4}
    once |= {"archive": 16, "manifest": 24}
    assert entries(tree) == once
    assert ran(events(tree, *SMALL, *sweep)) == {}


def test_an_event_says_stage_variants_key_outcome_and_seconds(tree: Tree) -> None:
    found = events(tree, *SMALL, "batch=1,2")
    by_stage = {(event["stage"], event["label"]): event for event in found}
    assert len(by_stage) == len(found) == 16
    weights = next(event for event in found if event["stage"] == "weights")
    assert len(weights["variants"]) == 2
    assert weights["outcome"] == "built" and weights["seconds"] >= 0 and weights["error"] is None
    assert (tree.cache / "actions" / weights["key"][:2] / f"{weights['key']}.json").is_file()
    published = [event for event in found if event["stage"] == "publish"]
    assert [event["key"] for event in published] == [None, None]
    again = events(tree, *SMALL, "batch=1,2")
    assert {event["outcome"] for event in again} == {"current"}
    assert {event["key"] for event in again} == {event["key"] for event in found}


BROKEN = """
def build(params, inputs, out):
    print("about to divide")
    1 / 0
"""


def test_a_stage_that_fails_shows_the_end_of_its_log(tree: Tree) -> None:
    path = tree.root / "g2p_build" / "stages" / "tokenizer.py"
    path.write_text(path.read_text() + BROKEN)
    result = tree.doit("compile", *SMALL)
    assert result.returncode != 0
    [error] = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
    found = re.fullmatch(r"ERROR: tokenizer:\S+: failed: ZeroDivisionError: division by zero; its log is (\S+)", error)
    assert found and "about to divide" in Path(found[1]).read_text()
    assert "    | about to divide" in result.stderr and "    | ZeroDivisionError: division by zero" in result.stderr
    result = tree.doit("compile", "--json", *SMALL)
    outcomes = {event["stage"]: event for event in map(json.loads, result.stdout.splitlines())}
    assert outcomes["tokenizer"]["outcome"] == "failed" and outcomes["tokenizer"]["log"] == found[1]
    assert outcomes["publish"]["outcome"] == "not built"


def test_a_profile_says_where_the_time_went(tree: Tree, tmp_path: Path) -> None:
    tree.compiled("--profile", str(tmp_path / "trace.json"), *SMALL)
    slices = json.loads((tmp_path / "trace.json").read_bytes())["traceEvents"]
    names = Counter(each["name"] for each in slices)
    stages = dict.fromkeys(["checkpoint", "tokenizer", "weights", "program", "code", "library", "manifest"], 1)
    assert names == {"command": 1, "configure": 1, "publish": 1, "archive": 2, **stages}
    [whole] = [each for each in slices if each["name"] == "command"]
    assert all(each["ph"] == "X" and 0 <= each["ts"] <= each["ts"] + each["dur"] <= whole["dur"] for each in slices)
    result = tree.doit("compile", "--profile", str(tmp_path / "nowhere" / "trace.json"), *SMALL)
    assert result.returncode != 0
    assert result.stderr.strip() == (
        f"ERROR: --profile {tmp_path}/nowhere/trace.json: there is no folder {tmp_path}/nowhere"
    )


def test_stages_that_do_not_fit_into_memory_together_run_one_after_the_other(tree: Tree, tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    words = ["-n", "2", "compile", "--profile", str(trace), *SMALL, "checkpoint.seed=1,2"]
    command = [sys.executable, "-m", "doit", *words]
    environment = tree.env | {"G2P_BUILD_MEMORY": "1GB"}
    result = subprocess.run(command, cwd=tree.root, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert re.search(r"waits for 0\.\d GB of memory", result.stderr)
    environment["G2P_BUILD_MEMORY"] = "100MB"
    command.append("batch=7")
    result = subprocess.run(command, cwd=tree.root, env=environment, capture_output=True, text=True)
    assert result.returncode != 0
    errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
    assert len(errors) == 2
    assert all(line.endswith("GB of memory, but may take only 0.1: set G2P_BUILD_MEMORY higher") for line in errors)


def on_terminal(tree: Tree, *words: str) -> str:
    """What a command shows on a terminal."""
    mine, its = pty.openpty()
    environment = tree.env | {"TERM": "xterm", "COLUMNS": "150"}
    with subprocess.Popen(
        [sys.executable, "-m", "doit", *words], cwd=tree.root, env=environment, stderr=its
    ) as command:
        os.close(its)
        seen = b""
        while True:
            try:
                part = os.read(mine, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            seen += part
    os.close(mine)
    assert command.returncode == 0, seen
    return seen.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are POSIX here")
def test_a_person_sees_what_runs_how_far_it_is_and_how_long_it_took_last_time(tree: Tree) -> None:
    seen = on_terminal(tree, "compile", *SMALL)
    assert "0 of 10 done" in seen and "9 of 10 done" in seen
    assert re.search(r"library +random\+\w+-host-b1-i32-o64-float32-kv", seen)
    assert "last time" not in seen
    path = tree.root / "g2p_build" / "stages" / "tokenizer.py"
    path.write_text(path.read_text() + "\nCHANGED = 1\n")
    assert re.search(r"tokenizer .*\d\.\d s last time", on_terminal(tree, "compile", *SMALL))
    assert "done" not in on_terminal(tree, "compile", *SMALL)  # nothing runs, so there is no progress

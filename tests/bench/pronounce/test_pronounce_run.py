"""`doit bench …` as a whole: contenders run in processes of their own, and one that cannot run says why."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from conftest import CACHED, ROOT, Tree, copy_tree

from bench.common.process import Failed, Process
from bench.pronounce import counterparts, peers
from bench.pronounce.contenders import PEERS
from bench.pronounce.engines import ours, ours_vm
from bench.pronounce.setup import CHILD, Setup, Word
from g2p_build.config import compose
from g2p_build.config.variant import on_virtual_machine
from g2p_build.engine.build import Build
from g2p_build.models.layout import input_buckets
from g2p_build.models.programs import TOKENS
from g2p_build.store.workspace import Workspace


@pytest.fixture(scope="module")
def tree(built: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    copied = copy_tree(tmp_path_factory.mktemp("bench") / "tree", built.cache, built.root)
    shutil.copytree(ROOT / "bench", copied.root / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    return copied


def bench(tree: Tree, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "doit", "bench", "--rounds=2", "--threads=1", *words]
    return subprocess.run(command, cwd=tree.root, env=tree.env | env, capture_output=True, text=True)


@pytest.fixture(scope="module")
def rows(tree: Tree) -> list[dict[str, Any]]:
    """Our float32 variant of batch sizes 1 and 8 and transformers, on the golden words."""
    result = bench(tree, "--json", "--contenders=eager", "batch=[1,8]")
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_contender_is_timed_at_each_batch_size(rows: list[dict[str, Any]]) -> None:
    timed = [row for row in rows if "load" in row]
    assert [(row["contender"], row["batch"]) for row in timed] == [
        (name, size) for name in ("ours-float32", "eager") for size in (1, 8)
    ]
    for row in timed:
        assert len(row["rounds"]) == 2
        assert 0 < row["ms"]["low"] <= row["ms"]["median"] <= row["ms"]["high"]
        assert row["model_bytes"] > 0 < row["peak_bytes"]
        assert 0 < row["load"]["low"] <= row["load"]["median"] <= row["load"]["high"]
        slowest = 2 * row["load"]["high"] - row["load"]["median"]  # of three, whose third quartile lies half-way
        assert 0 < row["import_seconds"] + row["open_seconds"] < slowest


def test_every_golden_word_is_said_as_by_transformers(rows: list[dict[str, Any]]) -> None:
    assert {(row["differ"], row["words"]) for row in rows if "load" in row} == {(0, 60)}


def test_our_package_is_one_library_and_the_archive_of_the_weights(rows: list[dict[str, Any]], tree: Tree) -> None:
    manifest = json.loads((tree.root / "manifests" / f"{CACHED}.json").read_bytes())
    [sizes] = [row["sizes"] for row in rows if "sizes" in row]
    for row in rows:
        if "load" in row and row["variant"]:
            assert row["model_bytes"] == manifest["archives"]["weights"]["size"]
            assert row["library_bytes"] == sizes["library"]


def test_every_function_is_timed_by_itself_at_every_batch_size(rows: list[dict[str, Any]], tree: Tree) -> None:
    manifest = json.loads((tree.root / "manifests" / f"{CACHED}.json").read_bytes())
    longest = manifest["model"]["max_input_len"]
    # The virtual machine's functions, of which there are several for inputs: each has lengths of its own.
    kinds = {
        (function["role"], length, function["tokens"])
        for function in manifest["functions"]
        for length in input_buckets(longest)
        if function["role"] != "step"
    } | {("step", longest, tokens) for tokens in TOKENS}
    timed = {(row["role"], row["batch"], row["input_len"], row["tokens"]): row for row in rows if "function" in row}
    assert set(timed) == {(role, size, length, new) for size in (1, 8) for role, length, new in kinds}
    assert {new for role, _, _, new in timed if role == "step"} >= {1, 16}
    assert min(row["us"][0] for row in timed.values()) > 0


def test_opening_is_timed_from_python_and_from_c_beside_importing_torch(rows: list[dict[str, Any]]) -> None:
    opened = {(row["contender"], row["language"]): row for row in rows if "language" in row}
    assert set(opened) == {("import torch", "Python"), ("ours-float32", "Python"), ("ours-float32", "C")}
    assert [row["failed"] for row in opened.values()] == [None] * 3
    c = opened["ours-float32", "C"]
    assert 0 < c["open_ms"]["median"] < c["ms"]["median"]
    assert c["peak_bytes"] > 0 < c["sizes"]["library"]
    assert opened["import torch", "Python"]["torch_ratio"] == {"median": 1.0, "low": 1.0, "high": 1.0}


def test_the_result_is_kept_in_files_that_say_how_it_was_made(rows: list[dict[str, Any]], tree: Tree) -> None:
    folder = tree.root / "docs/benchmarks"
    kept = json.loads((folder / "pronounce.json").read_bytes())
    assert [row["contender"] for row in kept["runs"][0]["rows"]] == [row["contender"] for row in rows if "load" in row]
    assert kept["command"].startswith("doit bench --rounds=2")
    text = (folder / "pronounce.md").read_text(encoding="utf-8")
    assert kept["command"] in text
    assert str(tree.root) not in text + json.dumps(kept)


def test_words_of_a_dictionary_are_all_pronounced_but_not_all_timed(tree: Tree, tmp_path: Path) -> None:
    # Words that end soon. There are more of them than are timed.
    (tmp_path / "fin.tsv").write_text("".join(f"{'abdefghijklmnopr'[n]}\tx\n" for n in range(16)), encoding="utf-8")
    result = bench(tree, "--json", "--contenders=ours", f"--words={tmp_path}", f"--out={tmp_path}", "dtype=float16")
    assert result.returncode == 0, result.stderr
    timed, whole, listed = [row for line in result.stdout.splitlines() if "differ" in (row := json.loads(line))]
    assert (timed["contender"], timed["batch"], timed["words"]) == ("ours-float16", 1, 10)
    assert (whole["batch"], whole["words"]) == (None, 16)
    assert (listed["list"], listed["words"], listed["differ"], listed["most"]) == (16, 16, 0, None)
    assert len(listed["rounds"]) == 2


KNIGHT = Word("eng-us", "knight", ())
IDS = [3 + byte for byte in "ˈnaɪt".encode()] + [1]


def setup(manifest: Path, threads: int, forced: int | None) -> Setup:
    return Setup("ours", "float32", threads, str(manifest), (1, 8), (), 64, 127, forced, 0, 1, 0)


@pytest.mark.parametrize("threads", [1, 2])
def test_our_runtime_can_be_made_to_go_on_and_to_stop(
    tree: Tree, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G2P_CACHE", tree.env["G2P_CACHE"])
    tree.compiled("batch=[1,8]")
    [variant] = compose.variants(["batch=[1,8]"])
    natural = ours.open_model(setup(tree.root / "manifests" / f"{CACHED}.json", threads, None))
    assert natural([[KNIGHT], [KNIGHT] * 8]) == [IDS] * 9
    build = Build(Workspace(tree.cache, tree.root))
    endless = counterparts.built(build, counterparts.endless(variant))
    machine = counterparts.built(build, on_virtual_machine(variant))
    for count in (3, 30):
        found = [
            ours.open_model(setup(endless, threads, count))([[KNIGHT], [KNIGHT] * 8]),
            ours.open_list(setup(endless, threads, count))([KNIGHT] * 9, 0),
            ours_vm.open_model(setup(machine, threads, count))([[KNIGHT], [KNIGHT] * 8]),
        ]
        for rows in found:
            assert [len(ids) for ids in rows] == [count] * 9
            assert all(ids == rows[0] and ids[: len(IDS)] == IDS[:count] for ids in rows)


def test_a_word_that_ends_before_it_may_is_noticed(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G2P_CACHE", tree.env["G2P_CACHE"])
    tree.compiled("batch=[1,8]")
    pronounce = ours.open_model(setup(tree.root / "manifests" / f"{CACHED}.json", 1, 30))
    with pytest.raises(RuntimeError, match=rf"'knight' ended after {len(IDS)} of 30 tokens"):
        pronounce([[KNIGHT]])


def test_a_peer_that_cannot_be_installed_is_a_row_that_says_so(tree: Tree, tmp_path: Path) -> None:
    words = ["--rounds=1", "--contenders=ctranslate2-int8", f"--out={tmp_path}", "batch=[1,8]"]
    result = bench(tree, *words, PIP_NO_INDEX="1", COLUMNS="200")
    assert result.returncode == 0, result.stderr
    assert "ours-float32" in result.stdout
    [line] = [line for line in result.stdout.splitlines() if "cannot be installed" in line]
    assert re.search(r"ctranslate2-int8 .* ctranslate2==", line)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("--contenders=torch", "unknown contender 'torch'"),
        ("--threads=0", "--threads 0: '0' is not a number from 1"),
        ("--rounds=0", "--rounds 0: at least one round"),
        ("--words=nowhere", "nowhere"),
    ],
)
def test_a_wrong_option_is_one_line(tree: Tree, word: str, said: str) -> None:
    result = bench(tree, word)
    assert result.returncode != 0
    [line] = [line for line in result.stderr.splitlines() if "ERROR" in line]
    assert said in line
    assert "Traceback" not in result.stderr


def question(engine: str) -> dict[str, Any]:
    setup = Setup(engine, "float32", 1, "", (1,), (), 64, 5, None, 0, 1, 0)
    return {"setup": asdict(setup), "cores": [0], "words": {}}


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(CHILD, Path(sys.executable), 1, tmp_path / "log")


def test_a_process_that_dies_says_its_last_line(process: Process) -> None:
    with pytest.raises(Failed, match=r"^ModuleNotFoundError: .*no_such_library"):
        process.ask(question("no_such_library"), 60)


def test_a_process_that_is_killed_says_by_what(process: Process) -> None:
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(Failed, match="died of SIGKILL"):
        process.ask(question("ours"), 60)


def test_a_process_that_does_not_answer_in_time_is_ended(process: Process) -> None:
    with pytest.raises(Failed, match="no answer within 0 s"):
        process.ask(question("ours"), 0)
    assert not process.alive


def test_every_contender_that_needs_an_environment_has_a_list_for_it() -> None:
    assert {peer.packages for peer in PEERS if peer.packages} == {path.stem for path in peers.FOLDER.glob("*.txt")}

"""`doit bench` for speech as a whole, with a small model: who takes part has rows, and who cannot says why."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import ROOT, SPEECH, Tree, copy_tree, made_once

from bench.speak import measure, peers
from bench.speak.command import options
from bench.speak.contenders import PEERS
from bench.speak.workload import utterances
from g2p_build.checkpoints.kokoro.phonemes import own_vocabulary
from g2p_build.config import compose
from g2p_build.errors import BuildError
from tasks import bench as task

ROUNDS = 2


@pytest.fixture(scope="module")
def result(speech: Tree, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is kept of a run of ours with one and two threads, upstream's code, and a peer of other weights."""

    def make(folder: Path) -> None:
        shutil.copytree(speech.cache, folder / "cache")
        tree = copy_tree(folder / "tree", folder / "cache", speech.root)
        shutil.copytree(ROOT / "bench", tree.root / "bench", ignore=shutil.ignore_patterns("__pycache__"))
        words = [f"--rounds={ROUNDS}", "--contenders=eager,onnxruntime-int8", "--json", "checkpoint=kokoro_small"]
        done = tree.run(sys.executable, "-m", "doit", "bench", *words)
        assert done.returncode == 0, done.stderr
        (folder / "printed").write_text(done.stdout, encoding="utf-8")

    folder = made_once(tmp_path_factory, "bench-speak", make)
    kept: dict[str, Any] = json.loads((folder / "tree/docs/benchmarks/kokoro.json").read_bytes())
    printed = [json.loads(line) for line in (folder / "printed").read_text(encoding="utf-8").splitlines()]
    assert [row for row in printed if row["part"] == "times"] == [{"part": "times", **row} for row in kept["times"]]
    page = (folder / "tree/docs/benchmarks/kokoro.md").read_text(encoding="utf-8")
    assert kept["command"] in page and str(folder) not in page
    return kept


def test_ours_speak_with_each_number_of_threads(result: dict[str, Any]) -> None:
    mine = [row for row in result["times"] if row["variant"] == SPEECH]
    assert [(row["threads"], row["utterance"]) for row in mine] == [
        (threads, name) for threads in (1, 2) for name in ("sentence", "clause")
    ]
    for row in mine:
        assert len(row["rounds"]) == ROUNDS
        assert row["rtf"]["median"] > 0 < row["cpu_rtf"]["median"]
        assert row["ratio"] == {"median": 1.0, "low": 1.0, "high": 1.0}
        assert (row["speedup"] is None) == (row["threads"] == 1)


def test_the_first_piece_is_the_clause_and_comes_before_the_rest(result: dict[str, Any]) -> None:
    spoken = {row["utterance"]: row for row in result["times"] if (row["variant"], row["threads"]) == (SPEECH, 1)}
    [first] = [row for row in result["first_sounds"] if (row["variant"], row["threads"]) == (SPEECH, 1)]
    assert first["sound_seconds"] == spoken["clause"]["sound_seconds"] < spoken["sentence"]["sound_seconds"]


def test_every_program_is_timed_where_it_runs_and_they_are_nearly_all_of_the_call(result: dict[str, Any]) -> None:
    rows = {row["program"]: row for row in result["programs"] if row["threads"] == 1}
    assert list(rows) == ["bert", "duration", "text_encoder", "f0n", "source", "decoder", "the rest", "all"]
    for name, row in rows.items():
        assert row["ms"]["median"] > 0
        if name != "the rest":
            assert (row["gflop"] > 0) == (name != "source") and 0 < row["of_roof"] < 1  # no products: sines
    assert rows["the rest"]["ms"]["median"] < rows["all"]["ms"]["median"]


def test_memory_is_counted_by_the_library_and_seen_from_outside(result: dict[str, Any], speech: Tree) -> None:
    [row] = [row for row in result["footprints"] if row["variant"] == SPEECH]
    manifest = json.loads((speech.root / "manifests" / f"{SPEECH}.json").read_bytes())
    assert row["model_bytes"] == manifest["archives"]["weights"]["size"]
    assert 0 < row["own_bytes"] < row["peak_bytes"]
    assert row["library_bytes"] > 100_000


def test_upstreams_code_finds_the_same_durations(result: dict[str, Any]) -> None:
    if any("cannot be installed" in row["failed"] for row in result["failures"] if row["contender"] == "eager"):
        pytest.skip("pip cannot fetch upstream's package")
    sounds = {
        name: {row["utterance"]: row["sound_seconds"] for row in result["times"] if row["contender"] == name}
        for name in ("ours-float32", "eager")
    }
    assert sounds["eager"] == sounds["ours-float32"]
    assert {row["contender"] for row in result["footprints"]} == {"ours-float32", "eager"}


def test_a_file_of_other_weights_is_not_compared(result: dict[str, Any]) -> None:
    [why] = [row["failed"] for row in result["failures"] if row["contender"] == "onnxruntime-int8"]
    assert why == "its file has the weights of another checkpoint: checkpoint.source=packages alone"


def test_a_peer_that_cannot_be_installed_says_so_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    said: list[str] = []
    plan: Any = SimpleNamespace(root=tmp_path, contenders=PEERS[:1], threads=[1], source="random", say=said.append)
    plan.checkpoint, plan.voices, plan.voice = tmp_path, tmp_path, ""
    [row] = measure.memory(plan)
    assert row["failed"].startswith("cannot be installed: ") and "kokoro==" in row["failed"]
    assert said == ["kokoro: installing", f"eager: {row['failed']}"]


@pytest.mark.parametrize(
    ("overrides", "words", "forced", "said"),
    [
        (["family=g2p,kokoro"], "", 0, "the variants are of the families g2p and kokoro: measure one at a time"),
        (["family=kokoro"], "list.tsv", 0, "--words=list.tsv: speech has no words or tokens to choose"),
        (["family=kokoro"], "", 3, "--forced-tokens=3: speech has no words or tokens to choose"),
    ],
)
def test_what_speech_does_not_have_is_one_line(overrides: list[str], words: str, forced: int, said: str) -> None:
    plan: Any = SimpleNamespace(variants=compose.variants(overrides))
    assert said in str(task._measure(plan, words, forced))


def test_compiling_takes_minutes_so_it_has_to_be_asked_for() -> None:
    assert "compile" not in {peer.name for peer in options("", "1", 1).peers}
    assert [peer.name for peer in options("compile,onnxruntime", "1", 1).peers] == [
        "compile",
        "onnxruntime-float32",
        "onnxruntime-int8",
    ]
    with pytest.raises(BuildError, match="'onnxruntme': did you mean onnxruntime"):
        options("onnxruntme", "1", 1)


def test_every_contender_that_needs_an_environment_has_a_list_for_it() -> None:
    assert {peer.packages for peer in PEERS if peer.packages} == {path.stem for path in peers.FOLDER.glob("*.txt")}


def test_a_symbol_that_the_checkpoint_lacks_is_one_line() -> None:
    known = dict.fromkeys(own_vocabulary(), 1)
    assert utterances(known)["clause"].ids[0] == 0
    with pytest.raises(BuildError, match="says 'ʧ'"):
        utterances({symbol: 1 for symbol in known if symbol != "ʧ"})

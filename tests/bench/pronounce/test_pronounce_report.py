"""The results of contenders become rows, tables, the document and the picture."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.common.named import chosen
from bench.pronounce import contenders, plot, report, results
from bench.pronounce.contenders import PEERS, Contender
from bench.pronounce.setup import Word
from g2p_build.config import compose
from g2p_build.errors import BuildError

[VARIANT] = compose.variants(["batch=[1,8]"])
[OURS] = contenders.ours([VARIANT])
EAGER, INT8 = (next(peer for peer in PEERS if peer.name == name) for name in ("eager", "ctranslate2-int8"))
BATCHES = {"1": [[Word("fin", "a", (5,))], [Word("fin", "b", (6,))], [Word("fin", "a", (5,))]]}
OPENED = {"import_seconds": 0.1, "open_seconds": 0.2, "model_bytes": 3_000_000}
OPENED |= {"library_bytes": 1_000_000, "versions": {"numpy": "2"}}
SPREAD = {"median": 0.5, "low": 0.4, "high": 0.6}


def running(contender: Contender, ms: list[float], ids: list[list[int]]) -> results.Running:
    """A contender after its rounds. Its process is not needed any more."""
    process: Any = None
    return results.Running(contender, 1, (1,), process, dict(OPENED), [0.5, 0.5], 9_000_000, {"1": ms}, {"1": ids})


def rows(*taking: results.Running, forced: bool = False) -> list[dict[str, Any]]:
    return list(results.rows(taking, BATCHES, forced, 1))


def test_times_are_compared_with_ours_round_by_round() -> None:
    ours, eager = rows(running(OURS, [1.0, 2.0, 1.0], [[7, 1]] * 3), running(EAGER, [4.0, 8.0, 4.0], [[7, 1]] * 3))
    assert (ours["ms"]["median"], ours["ratio"]["median"]) == (1.0, 1.0)
    assert eager["ratio"] == {"median": 4.0, "low": 4.0, "high": 4.0}
    assert (eager["contender"], eager["batch"], eager["rounds"]) == ("eager", 1, [4.0, 8.0, 4.0])


def test_each_word_that_transformers_says_otherwise_counts_once() -> None:
    truth = running(EAGER, [1.0], [[7, 8, 1, 0], [9, 1, 0, 0], [7, 8, 1]])
    same = running(OURS, [1.0], [[7, 8, 1], [9], [7, 8]])  # the end token may be left out
    other = running(INT8, [1.0], [[7, 1], [9, 1], [7, 1]])
    assert [(row["differ"], row["words"]) for row in rows(same, truth, other)] == [(0, 2), (0, 2), (1, 2)]


def test_beyond_an_end_token_forced_words_are_not_compared() -> None:
    truth = running(EAGER, [1.0], [[7, 8, 9], [7, 8, 9], [7, 8, 9]])  # transformers is kept from ending
    stopped = running(OURS, [1.0], [[7, 1, 5], [7, 8, 9], [7, 1, 5]])
    wrong = running(INT8, [1.0], [[6, 1, 5], [7, 8, 9], [6, 1, 5]])
    assert [row["differ"] for row in rows(stopped, truth, wrong, forced=True)] == [0, 0, 1]


def test_without_ours_there_are_times_but_no_ratios() -> None:
    [row] = rows(running(EAGER, [4.0], [[7]] * 3))
    assert (row["ms"]["median"], row["ratio"]) == (4.0, None)


def test_who_dies_between_batches_has_a_row_for_what_was_done_and_one_that_says_why() -> None:
    died = running(EAGER, [4.0], [[7]] * 3)
    died.failed = "batch 8: died of SIGSEGV"
    _, done, why = rows(running(OURS, [1.0], [[7]] * 3), died)
    assert (done["batch"], done["failed"]) == (1, None)
    assert (why["batch"], why["failed"]) == (None, "batch 8: died of SIGSEGV")


@pytest.fixture
def result() -> dict[str, Any]:
    measured = rows(running(OURS, [1.0, 2.0], [[7, 1]] * 3), running(EAGER, [4.0, 8.0], [[7, 1]] * 3))
    step = {
        "function": "step_b1_k4",
        "role": "step",
        "batch": 1,
        "input_len": 64,
        "tokens": 4,
        "us": [50.0, 49.0, 51.0],
    }
    opened = {"contender": OURS.name, "variant": VARIANT.name, "language": "C", "failed": None}
    sizes = {"library": 122_000, "kernels": 123_000, "core": 82_000, "tables": 28_000}
    opened |= {"ms": SPREAD, "torch_ratio": SPREAD, "open_ms": SPREAD, "peak_bytes": 3_500_000, "sizes": sizes}
    listed = {"contender": OURS.name, "threads": 1, "list": 60, "most": None, "words": 60, "differ": 1, "failed": None}
    listed |= {"ms": SPREAD, "words_s": SPREAD, "ratio": SPREAD, "speedup": SPREAD, "versions": {"other": "3"}}
    run = {
        "checkpoint": "embedded",
        "max_lens": {"input": 64, "output": 128},
        "words": "golden",
        "list": "words",
        "forced_tokens": None,
        "rounds": 2,
        "rows": [*measured, results.failure(INT8, 1, "cannot be installed: no network")],
        "lists": [listed],
        "opening": [opened],
        "functions": [{"contender": OURS.name, **step}],
    }
    machine = {"processor": "Some CPU", "machine": "x86_64", "vectors": "AVX2", "cores": 2, "memory_gib": 8.0}
    return {"machine": machine | {"system": "Linux", "python": "3.11", "load": [0.1, 0.2]}, "runs": [run]}


def test_tables_hold_the_times_the_footprint_the_functions_and_who_failed(result: dict[str, Any]) -> None:
    tables = {title.partition(": ")[2]: listed for title, listed in report.tables(result["runs"][0])}
    assert [row["contender"] for row in tables["milliseconds a word"]] == ["ours-float32", "eager"]
    assert tables["milliseconds a word"][1]["times ours"] == "4.00 (4.00-4.00)"
    assert tables["footprint"][0]["package MB"] == "4.00"
    assert tables["one list"][0]["words a batch"] == "its own"
    assert tables["opening"] == [
        {"what": "ours-float32", "from": "C", "ms": "0.500 (0.400-0.600)", "times import torch": "0.500 (0.400-0.600)"}
    ]
    assert (tables["our libraries"][0]["library KB"], tables["our libraries"][0]["memory KB"]) == ("122", "3500")
    assert tables["our functions by themselves"][0]["new tokens"] == "4"
    assert tables["not measured"] == [
        {"contender": "ctranslate2-int8", "threads": "1", "why": "cannot be installed: no network"}
    ]


def test_the_document_and_the_numbers_are_written(result: dict[str, Any], tmp_path: Path) -> None:
    report.write(tmp_path / "new", {"command": "doit bench batch=[1,8]", **result})
    text = (tmp_path / "new/pronounce.md").read_text(encoding="utf-8")
    for said in (
        "doit bench batch=[1,8]",
        "Some CPU",
        "AVX2",
        "numpy 2",
        "other 3",
        "| eager | 1 | 1 |",
    ):
        assert said in text
    assert json.loads((tmp_path / "new/pronounce.json").read_bytes())["runs"] == result["runs"]


def test_the_picture_has_a_panel_for_each_measure_and_a_bar_for_every_value(result: dict[str, Any]) -> None:
    found = dict(plot.panels(result["runs"][0], ["ours-float32", "eager"], [1]))
    assert {title: len(bars) for title, bars in found.items()} == {
        "ms a word, batch 1": 2,
        "ms a word, one list": 1,
        "package, MB": 2,
        "load, s": 2,
        "peak memory, MB": 2,
    }
    assert found["ms a word, batch 1"]["eager", 0] == (4.0, 4.0, 4.0, "6")


def test_every_panel_and_bar_is_drawn(result: dict[str, Any]) -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    plot.draw(figure, result["runs"])
    assert [len(panel.patches) for panel in figure.axes] == [2, 1, 2, 2, 2]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["ours-float32", "eager"]


def test_a_library_is_chosen_whole_or_at_one_precision() -> None:
    assert [peer.name for peer in chosen(["ctranslate2", "eager"], PEERS)] == [
        "ctranslate2-float32",
        "ctranslate2-int8",
        "eager",
    ]
    assert [peer.name for peer in chosen(["executorch-int8", "ours"], PEERS)] == ["executorch-int8"]
    with pytest.raises(BuildError, match="'ctranslate': did you mean ctranslate2"):
        chosen(["ctranslate"], PEERS)


def test_variants_of_one_dtype_go_by_their_whole_names() -> None:
    several = compose.variants(["batch=1,8", "dtype=float32,float16", "max_lens=short"])[:3]
    assert [mine.name for mine in contenders.ours(several)] == [
        "ours-embedded-host-b1-i32-o64-float32-kv",
        "ours-float16",
        "ours-embedded-host-b8-i32-o64-float32-kv",
    ]


def test_the_virtual_machines_variants_say_so() -> None:
    several = compose.variants(["target.engine=standalone,vm", "dtype=float32,float16"])
    names = [mine.name for mine in contenders.ours(several)]
    assert sorted(names) == ["ours-float16", "ours-float32", "ours-vm-float16", "ours-vm-float32"]
    assert [mine.engine for mine in contenders.ours(several) if mine.lists] == ["ours", "ours"]

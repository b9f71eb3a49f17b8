"""What contenders said becomes rows, goals, tables, the document and the picture."""

from pathlib import Path
from typing import Any

import pytest

from bench.speak import contenders, plot, report, results
from bench.speak.contenders import PEERS, Contender
from bench.speak.measure import Running
from g2p_build.config import compose

[OURS] = contenders.ours(compose.variants(["checkpoint=kokoro_small"]))
ONNX = next(peer for peer in PEERS if peer.name == "onnxruntime-float32")
RATE = 24_000
OPENED = {"import_seconds": 0.1, "open_seconds": 0.2, "imported_bytes": 10_000_000, "versions": {"other": "3"}}
OPENED |= {"model_bytes": 300_000_000, "library_bytes": 30_000_000, "peak_bytes": 500_000_000, "samples": 240_000}


def said(seconds: float, **more: Any) -> dict[str, Any]:
    return {"seconds": seconds, "cpu_seconds": seconds / 2, "samples": 48_000, "peak_bytes": 1, **more}


def running(contender: Contender, threads: int, seconds: list[float]) -> Running:
    """A contender after its rounds. Its process is not needed any more."""
    process: Any = None
    names = ("sentence", "clause", *(("early",) if contender.variant else ()))
    return Running(contender, threads, process, {}, {name: [said(each) for each in seconds] for name in names})


def clocked(threads: int, decoder: float) -> Running:
    process: Any = None
    worked = 2.0  # by all threads together
    sentence = said(decoder + 1, programs={"bert": [0.5, 0.25], "decoder": [decoder, worked]}, own_bytes=90_000_000)
    sentence["cpu_seconds"] = 2.5
    return Running(OURS, threads, process, {}, {"sentence": [sentence], "long": [sentence]})


@pytest.fixture
def result() -> dict[str, Any]:
    taking = [running(OURS, 1, [1.0, 2.0]), running(ONNX, 1, [2.0, 4.0]), running(OURS, 2, [0.5, 1.0])]
    found = [{"contender": each, "threads": 1, "failed": None, **OPENED} for each in (OURS, ONNX)]
    found.append({"contender": PEERS[0], "threads": 1, "failed": "cannot be installed: no network"})
    assert OURS.variant is not None
    peaks = {"gflops": 200.0, "sgemm": 100.0, "reads": {"1048576": 50.0}}
    work = {
        "float32": {"bert": {"flops": 10**9, "least_seconds": 0.25}, "decoder": {"flops": 10**11, "least_seconds": 1.0}}
    }
    clocks = [clocked(1, 2.0), clocked(2, 1.0)]
    run = {
        "times": list(results.times(taking, RATE)),
        "first_sounds": list(results.first_sounds(taking, RATE)),
        "footprints": list(results.footprints(found, clocks, {OURS.variant.name: 500_000}, RATE)),
    }
    machine = {"processor": "Some CPU", "machine": "x86_64", "vectors": "AVX2", "cores": 2, "memory_gib": 8.0}
    return {
        "machine": machine | {"system": "Linux", "python": "3.11", "load": [0.1, 0.2]},
        "peaks": peaks,
        "checkpoint": "kokoro_small",
        "voice": "first",
        "rounds": 2,
        "utterances": {"sentence": "həlˈO.", "clause": "həlˈO,"},
        **run,
        "programs": results.programs(clocks, peaks, work),
        "goals": results.goals(run),
        "failures": list(results.failures(found, taking)),
    }


def test_times_are_of_a_second_of_sound_and_compared_round_by_round(result: dict[str, Any]) -> None:
    rows = {(row["contender"], row["threads"], row["utterance"]): row for row in result["times"]}
    ours, peer, two = (rows[*who, "sentence"] for who in ((OURS.name, 1), (ONNX.name, 1), (OURS.name, 2)))
    assert (ours["sound_seconds"], ours["rounds"], ours["rtf"]["median"]) == (2.0, [0.5, 1.0], 0.75)
    assert (peer["ratio"]["median"], peer["speedup"]) == (2.0, None)
    assert (two["ratio"]["median"], two["speedup"]["median"]) == (1.0, 2.0)


def test_goals_say_what_was_found_and_whether_it_is_enough(result: dict[str, Any]) -> None:
    found = {row["goal"]: (row["found"], row["met"]) for row in result["goals"]}
    assert found == {
        "one thread: time beside ONNX Runtime float32's": (0.5, True),
        "two threads: how many times as fast as one": (2.0, True),
        "first sound of a short clause, one thread": (1.5, False),
        "memory beside the weights, 10 s of sound": (90.0, True),
        "the library": (500.0, False),
    }


def test_memory_beside_the_weights_leaves_out_what_was_imported(result: dict[str, Any]) -> None:
    ours, peer = result["footprints"]
    assert [row["beside_bytes"] for row in (ours, peer)] == [190_000_000] * 2
    assert (ours["library_bytes"], peer["library_bytes"], peer["own_bytes"]) == (500_000, 30_000_000, None)


def test_programs_have_shares_of_what_the_machine_could_do(result: dict[str, Any]) -> None:
    rows = {(row["threads"], row["program"]): row for row in result["programs"]}
    one, two = rows[1, "decoder"], rows[2, "decoder"]
    for row in (one, two):  # of one thread
        assert (row["gflops"], row["of_sgemm"], row["of_peak"], row["of_roof"]) == (50.0, 0.5, 0.25, 0.5)
    assert two["speedup"]["median"] == 2.0
    rest = rows[1, "the rest"]
    assert (rest["ms"]["median"], rest["cpu_ms"]["median"], "gflop" in rest) == (500.0, 250.0, False)
    assert rows[1, "all"]["gflop"] == 101.0


def test_the_document_has_the_tables_and_who_failed(result: dict[str, Any], tmp_path: Path) -> None:
    report.write(tmp_path, {"command": "doit bench family=kokoro", **result})
    text = (tmp_path / "kokoro.md").read_text(encoding="utf-8")
    for part in (
        "doit bench family=kokoro",
        "other 3",
        "`həlˈO.`",
        "| ours-float32 | 2 | sentence | 2.00 |",
        "| ours-float32 | 1 | decoder | 2000 (2000-2000) | 2000 (2000-2000) | 100 | 50.0 | 50% | 25% | 50% |",
        "| eager | 1 | cannot be installed: no network |",
    ):
        assert part in text


def test_the_picture_has_a_bar_for_every_value(result: dict[str, Any]) -> None:
    found = dict(plot.panels(result, [1, 2]))
    assert {title: len(bars) for title, bars in found.items()} == {
        "s a second, sentence": 3,
        "s a second, clause": 3,
        "peak memory, MB": 2,
    }
    assert found["s a second, sentence"][ONNX.name, 0] == (2.0, 2.0, 2.0, "1.50")


def test_every_bar_is_drawn(result: dict[str, Any]) -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    plot.draw(figure, result)
    assert [len(panel.patches) for panel in figure.axes] == [3, 3, 2]


def test_who_fails_in_the_middle_has_a_row_that_says_so() -> None:
    died = running(ONNX, 2, [1.0])
    died.failed = "sentence: died of SIGSEGV"
    [row] = results.failures([], [died])
    assert (row["contender"], row["threads"], row["failed"]) == (ONNX.name, 2, "sentence: died of SIGSEGV")

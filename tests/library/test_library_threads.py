"""Many threads, one model and many."""

from pathlib import Path

import pytest
from conftest import CACHED, Tree
from kits import HERE, INCLUDES, SANITIZERS, SOURCES, WORDS, archives, driver, gcc, run

MOST_KB = 8 * 6 * 8192  # eight threads; two models, each with a session for it and two helpers, of 8 MB each


def test_threads_do_not_race(built: Tree) -> None:
    run(driver(built, "soak.c", CACHED, "thread"), archives(built, CACHED).weights, WORDS, 400, "plain")


@pytest.mark.parametrize("words", [2000, pytest.param(100_000, marks=pytest.mark.long)])
def test_memory_stays_flat(built: Tree, words: int) -> None:
    said = run(driver(built, "soak.c", CACHED, "none"), archives(built, CACHED).weights, WORDS, words, "count")
    done, opened, cancelled, most, more = (int(part.split()[0]) for part in said.split(", "))
    assert done >= words and opened > words // 200 and cancelled > words // 200, said
    assert most < MOST_KB and more < 2048, said


@pytest.mark.parametrize("sanitizer", ["address", "thread"])
def test_a_slow_callback_does_not_stop_other_threads(tmp_path: Path, sanitizer: str) -> None:
    sources = [*(HERE / name for name in ("callbacks.c", "drivers.c", "toy.c")), *SOURCES]
    gcc(*SANITIZERS[sanitizer], *INCLUDES, *sources, "-o", tmp_path / "callbacks")
    run(tmp_path / "callbacks")

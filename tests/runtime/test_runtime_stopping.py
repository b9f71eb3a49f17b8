"""Stopping a call, closing a model, sending it to another process, and how much it keeps."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import DEFAULT, Tree

from g2p_build.runtime import G2P, Cancel, errors, load

MANY = 20_000  # words: many seconds
PROMPTLY = 5.0  # seconds, on a busy machine


@pytest.fixture
def manifest(built: Tree, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("G2P_CACHE", built.env["G2P_CACHE"])
    return built.root / "manifests" / f"{DEFAULT}.json"


@pytest.fixture
def g2p(manifest: Path) -> G2P:
    return load(manifest, lexicon=False)


def words(count: int) -> list[str]:
    letters = itertools.product("bdkmnst", "aeiou", "bdkmnst", "aeiou", "bdkmnst")
    return ["".join(word) for word in itertools.islice(itertools.cycle(letters), count)]


@pytest.mark.parametrize("presses", [1, 2, 5])
def test_ctrl_c_ends_a_call(manifest: Path, built: Tree, presses: int) -> None:
    code = (
        "import sys\n"
        "from g2p_build.runtime import load\n"
        "g2p = load(sys.argv[1])\n"
        "print('ready', flush=True)\n"
        f"g2p(['knight'] * {MANY})\n"
    )
    command = [sys.executable, "-c", code, str(manifest)]
    with subprocess.Popen(command, env=built.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.3)
        for _ in range(presses):
            process.send_signal(signal.SIGINT)
            time.sleep(0.002)
        began = time.monotonic()
        _, said = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGINT and b"KeyboardInterrupt" in said
        assert b"Fatal" not in said
        assert time.monotonic() - began < PROMPTLY


def test_a_token_ends_a_call_from_another_thread(g2p: G2P) -> None:
    cancel = Cancel()
    timer = threading.Timer(0.3, cancel.cancel)
    timer.start()
    began = time.monotonic()
    with pytest.raises(errors.Cancelled, match="the call was cancelled"):
        g2p(words(MANY), cancel=cancel)
    assert time.monotonic() - began < PROMPTLY
    timer.join()
    with pytest.raises(errors.Cancelled):
        g2p.results(["knight"], cancel=cancel)  # a cancelled token stays cancelled
    assert g2p(["knight"]) == ["ˈnaɪt"]


def test_a_task_that_is_cancelled_ends_its_call(g2p: G2P) -> None:
    async def run() -> float:
        task = asyncio.create_task(g2p.results_async(words(MANY)))
        await asyncio.sleep(0.3)  # other tasks run meanwhile
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        [result] = await g2p.results_async(["knight"])
        assert result.phonemes == "ˈnaɪt"
        return time.monotonic() - began

    assert asyncio.run(run()) < PROMPTLY


def test_a_stream_gives_results_in_order_and_takes_words_as_it_goes(g2p: G2P) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        for word in itertools.cycle(["knight", "", "through"]):
            taken += 1
            yield word

    found = [(result.word, result.phonemes) for result in itertools.islice(g2p.stream(endless()), 4)]
    assert found == [("knight", "ˈnaɪt"), ("", ""), ("through", "ˈθɹu"), ("knight", "ˈnaɪt")]
    assert taken <= 1024
    assert list(g2p.stream([])) == []
    with pytest.raises(TypeError, match="not one string"):
        next(g2p.stream("knight"))


def test_a_closed_model_says_so(manifest: Path) -> None:
    with load(manifest) as g2p:
        other = load(manifest)
        assert g2p(["knight"]) == ["ˈnaɪt"]
    for call in (g2p, g2p.tokens, g2p.results, lambda some: g2p.look_up(some[0])):
        with pytest.raises(errors.Closed, match=f"{DEFAULT} is closed: load it again"):
            call(["knight"])  # type: ignore[operator]
    g2p.close()
    assert other(["knight"]) == ["ˈnaɪt"]


def _pronounced(g2p: G2P, word: str) -> str:
    return g2p([word])[0]


def test_a_model_can_be_sent_to_other_processes(g2p: G2P) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.starmap(_pronounced, [(g2p, "knight"), (g2p, "through")]) == ["ˈnaɪt", "ˈθɹu"]
    g2p.add_words({"knight": "x"}, "eng-us")
    with pytest.raises(TypeError, match="words of your own cannot be sent to another process"):
        pickle.dumps(g2p)


@pytest.mark.parametrize("threads", [-1, 257, 2**33])
def test_impossible_threads_are_refused(manifest: Path, threads: int) -> None:
    with pytest.raises(ValueError, match=f"threads={threads}: give 1 to 256, or 0"):
        load(manifest, threads=threads)

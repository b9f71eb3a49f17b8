"""Stages reserve memory before they start. All builds that share a cache share the limit."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from g2p_build.errors import BuildError
from g2p_build.store.memory import limit, reserved


def unexpected() -> None:
    raise AssertionError("there was room")


@pytest.mark.parametrize(("text", "size"), [("4GB", 4 * 10**9), ("1.5GiB", 3 * 2**29), ("9B", 9)])
def test_the_limit_can_be_named(monkeypatch: pytest.MonkeyPatch, text: str, size: int) -> None:
    monkeypatch.setenv("G2P_BUILD_MEMORY", text)
    assert limit() == size


@pytest.mark.parametrize("text", ["much", "-1GB", "4", "GB"])
def test_what_is_not_a_size_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("G2P_BUILD_MEMORY", text)
    with pytest.raises(BuildError, match=r"G2P_BUILD_MEMORY: '.*' is not a size: give a number with B, kB, MB"):
        limit()


def test_unless_named_the_limit_is_less_than_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("G2P_BUILD_MEMORY", raising=False)
    assert 0 < limit() < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_more_memory_than_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G2P_BUILD_MEMORY", "1GB")
    with (
        pytest.raises(BuildError, match=r"needs 3\.0 GB of memory, but may take only 1\.0: set G2P_BUILD_MEMORY"),
        reserved(tmp_path, 3 * 10**9, unexpected),
    ):
        raise AssertionError("it ran")


def test_what_fits_beside_others_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G2P_BUILD_MEMORY", "1GB")
    waited, ran = [], []

    def second() -> None:
        with reserved(tmp_path, 4 * 10**8, lambda: waited.append(True)):
            ran.append(True)

    with reserved(tmp_path, 6 * 10**8, unexpected):
        beside = threading.Thread(target=second)
        beside.start()
        beside.join(60)
        assert ran and not waited


def test_what_does_not_fit_starts_when_the_others_have_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G2P_BUILD_MEMORY", "1GB")
    said, happened = threading.Event(), []

    def second() -> None:
        with reserved(tmp_path, 6 * 10**8, said.set):
            happened.append("second starts")

    thread = threading.Thread(target=second)
    with reserved(tmp_path, 6 * 10**8, unexpected):
        thread.start()
        assert said.wait(60)
        happened.append("first ends")
    thread.join()
    assert happened == ["first ends", "second starts"]


HOLDER = """
import sys, time
from pathlib import Path
from g2p_build.store.memory import reserved
with reserved(Path(sys.argv[1]), 6 * 10**8, lambda: None):
    print("holds", flush=True)
    time.sleep(600)
"""


def test_another_build_counts_for_as_long_as_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G2P_BUILD_MEMORY", "1GB")
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "holds\n"
        killed: list[bool] = []

        def kill() -> None:
            os.kill(other.pid, signal.SIGKILL)
            killed.append(True)

        with reserved(tmp_path, 6 * 10**8, kill):
            assert killed

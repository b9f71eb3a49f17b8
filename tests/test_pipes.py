"""A process that answers requests: its answers, its output and its death reach the asking process."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

from g2p_build.engine.pipes import Died, Process

Start = Callable[[str], Process]


@pytest.fixture
def start(tmp_path: Path, request: pytest.FixtureRequest) -> Start:
    """A function that starts a process. It answers each request by a line of code, which has the request in `asked`."""

    def process(answers: str) -> Process:
        text = f"""
import os, subprocess, sys, time
from g2p_build.engine import pipes
answer = pipes.answering()
for asked in pipes.requests():
    {answers}
"""
        (tmp_path / "answers.py").write_text(text, encoding="utf-8")
        found = Process("answers", tmp_path, os.environ | {"PYTHONPATH": str(ROOT)}, log=tmp_path / "log")
        request.addfinalizer(found.close)
        return found

    return process


def test_each_request_has_its_answer(start: Start) -> None:
    process = start("answer({'twice': asked['text'] * 2})")
    assert [process.ask({"text": text})["twice"] for text in ("ʃ", "a\nb", "x" * 100_000)] == [
        "ʃʃ",
        "a\nba\nb",
        "x" * 200_000,
    ]


def test_what_it_prints_is_no_answer_but_its_log(start: Start, tmp_path: Path) -> None:
    process = start("""print('{"python": 1}', flush=True); os.system("echo native >&2"); answer({"said": 1})""")
    assert process.ask({}, 60) == {"said": 1}
    assert (tmp_path / "log").read_text().splitlines() == ['{"python": 1}', "native"]


@pytest.mark.parametrize(("does", "code", "said"), [("os.abort()", -6, "SIGABRT"), ("sys.exit(3)", 3, "exit status 3")])
def test_a_death_is_told_with_its_cause(start: Start, does: str, code: int, said: str) -> None:
    with pytest.raises(Died, match=f"^{said}$") as died:
        start(does).ask({}, 60)
    assert died.value.code == code


def test_a_traceback_is_at_the_end_of_its_log(start: Start, tmp_path: Path) -> None:
    with pytest.raises(Died, match="exit status 1"):
        start("1 / 0").ask({}, 60)
    assert (tmp_path / "log").read_text().splitlines()[-1] == "ZeroDivisionError: division by zero"


def test_a_death_is_noticed_although_what_it_started_lives(start: Start) -> None:
    with pytest.raises(Died, match="exit status 4"):
        start("subprocess.Popen(['sleep', '600'], close_fds=False); os._exit(4)").ask({}, 60)


def test_a_process_that_does_not_answer_in_time_is_killed(start: Start) -> None:
    process = start("time.sleep(600)")
    with pytest.raises(TimeoutError, match="no answer within 1 s"):
        process.ask({}, 1)
    assert not process.alive


def test_what_it_started_ends_with_it(start: Start) -> None:
    process = start("answer({'pid': subprocess.Popen(['sleep', '600']).pid})")
    pid = process.ask({}, 60)["pid"]
    assert running(pid)
    process.close()
    for _ in range(200):
        if not running(pid):
            return
        time.sleep(0.05)
    raise AssertionError("it goes on")


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False

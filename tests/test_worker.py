"""The process that stages run in: whatever goes wrong in a stage reaches the build as one error."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from g2p_build.engine import worker
from g2p_build.errors import BuildError

Stage = Callable[[str], str]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A function that makes a stage of a few lines, which the worker can import."""
    worker._stop(worker._owner())  # an earlier worker has another import path
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def make(body: str) -> str:
        name = f"stage_{len(list(tmp_path.glob('stage_*.py')))}"
        text = (
            "import os, signal\nfrom g2p_build.errors import BuildError\ndef build(params, inputs, out):\n    " + body
        )
        (tmp_path / f"{name}.py").write_text(text + "\n", encoding="utf-8")
        return name

    return make


def run(name: str, tmp_path: Path, **params: object) -> float:
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    return worker.run(f"{name}:build", params, {}, out, tmp_path / "log")


def test_a_stage_writes_its_outputs_and_its_prints_go_to_the_log(stage: Stage, tmp_path: Path) -> None:
    seconds = run(
        stage("print('phase 1'); os.system('echo native'); (out / 'x').write_text(params['text'])"), tmp_path, text="ʃ"
    )
    assert (tmp_path / "out" / "x").read_text() == "ʃ"
    assert sorted((tmp_path / "log").read_text().splitlines()) == ["native", "phase 1"]
    assert seconds >= 0


def test_a_refusal_is_told_as_it_is(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"^weights are NaN$"):
        run(stage("raise BuildError('weights are NaN')"), tmp_path)


def test_a_defect_is_one_line_and_its_traceback_is_in_the_log(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"^failed: ZeroDivisionError: division by zero; its log is .*log$"):
        run(stage("1 / 0"), tmp_path)
    assert "Traceback" in (tmp_path / "log").read_text()


def test_a_crash_is_an_error_and_the_next_stage_gets_a_new_process(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"^its process died of SIGSEGV; its log is .*log$"):
        run(stage("print('last words', flush=True); os.kill(os.getpid(), signal.SIGSEGV)"), tmp_path)
    said = (tmp_path / "log").read_text()
    assert said.startswith("last words\nFatal Python error: Segmentation fault\n")
    run(stage("(out / 'pid').write_text(str(os.getpid()))"), tmp_path)


def test_stages_share_a_process(stage: Stage, tmp_path: Path) -> None:
    name = stage("(out / 'pid').write_text(str(os.getpid()))")
    pids = set()
    for _ in range(2):
        run(name, tmp_path)
        pids.add((tmp_path / "out" / "pid").read_text())
    assert len(pids) == 1


def test_the_worker_ends_when_the_build_is_killed(stage: Stage, tmp_path: Path) -> None:
    name = stage("import time; (out / 'pid').write_text(str(os.getpid())); time.sleep(600)")
    (tmp_path / "out").mkdir()
    code = (
        "from pathlib import Path; from g2p_build.engine import worker\n"
        f"worker.run({name + ':build'!r}, {{}}, {{}}, Path({str(tmp_path / 'out')!r}), Path({str(tmp_path / 'log')!r}))"
    )
    build = subprocess.Popen([sys.executable, "-c", code])
    pid = tmp_path / "out" / "pid"
    wait_until(lambda: pid.is_file() and bool(pid.read_text()))
    build.send_signal(signal.SIGKILL)
    build.wait()
    wait_until(lambda: not alive(int(pid.read_text())))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to pass within 30 seconds")

"""Our side of a contender's process."""

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Failed", "Process"]


class Failed(Exception):
    """A contender does not take part, or no longer. One line, which becomes its row."""


class Process:
    """A contender's process: one answer for each question.

    Args:
        python: the interpreter.
        tree: the folder that this package lies in.
        threads: for libraries that ask the environment.
        log: receives what the process prints.
    """

    def __init__(self, python: Path, tree: Path, threads: int, log: Path) -> None:
        read, write = os.pipe()
        count = str(threads)
        limits = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TVM_NUM_THREADS"), count)
        paths = [str(tree), os.environ.get("PYTHONPATH", "")]
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [str(python), "-m", "bench.pronounce.child", str(write)],
                stdin=subprocess.PIPE,
                stderr=errors,
                pass_fds=[write],
                env=os.environ | limits | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
                start_new_session=True,  # what it starts itself ends with it
            )
        os.close(write)
        self._answers, self._log, self._read = read, log, b""

    def ask(self, question: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Sends a question and waits for its answer.

        Args:
            question: plain data.
            seconds: how long to wait.

        Raises:
            Failed: it died or did not answer in time; then it has ended.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # what it died of is in its log
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        until = time.monotonic() + seconds
        while b"\n" not in self._read:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                self.close()
                raise Failed(f"no answer within {seconds:.0f} s")
            data = os.read(self._answers, 1 << 20)
            if not data:
                raise Failed(self._died())
            self._read += data
        line, self._read = self._read.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Ends it, and whatever it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        if self._answers >= 0:
            os.close(self._answers)
            self._answers = -1

    def _died(self) -> str:
        code = self._process.wait()
        self.close()
        if code < 0:
            return f"died of {signal.Signals(-code).name}"
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1][:200] if lines else f"exit status {code}"

"""Our side of a contender's process."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.common.checkout import ROOT
from g2p_build.engine import pipes

__all__ = ["Failed", "Process", "last_line"]

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TVM_NUM_THREADS")


class Failed(Exception):
    """A contender does not take part, or no longer. One line, which becomes its row."""


class Process:
    """A contender's process: one answer for each question.

    Args:
        module: what runs in it.
        python: the interpreter.
        threads: for libraries that ask the environment.
        log: receives what the process prints.
    """

    def __init__(self, module: str, python: Path, threads: int, log: Path) -> None:
        env = os.environ | dict.fromkeys(_THREADS, str(threads))
        self._process = pipes.Process(module, ROOT, env, python, log)
        self._log = log

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.alive

    def ask(self, question: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Sends a question and waits for its answer.

        Args:
            question: plain data.
            seconds: how long to wait.

        Raises:
            Failed: it died or did not answer in time; then it has ended.
        """
        try:
            return self._process.ask(question, seconds)
        except TimeoutError as late:
            raise Failed(str(late)) from None
        except pipes.Died as died:
            why = f"died of {died}" if died.code < 0 else last_line(self._log.read_text(errors="replace"))
            raise Failed(why or str(died)) from None

    def close(self) -> None:
        """Ends it, and whatever it started."""
        self._process.close()


def last_line(printed: str) -> str:
    """The last line that says something, of which the first 200 characters; "" where there is none."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""

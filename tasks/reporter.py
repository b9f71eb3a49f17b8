"""What a run of doit says: a line for each thing done, on the error stream; results have the output to themselves."""

import sys
import time
from typing import Any

from doit.exceptions import BaseFail, UnmetDependency
from doit.reporter import ConsoleReporter

__all__ = ["Reporter"]


class Reporter(ConsoleReporter):
    """Names what runs and how long it took; says nothing of what was current, and one line of what failed."""

    desc = "a line for each stage that ran"

    def __init__(self, outstream: Any, options: dict[str, Any]) -> None:
        super().__init__(sys.stderr, options)
        self.started: dict[str, float] = {}  # task → monotonic seconds

    def execute_task(self, task: Any) -> None:
        """A task's actions start."""
        self.started[task.name] = time.monotonic()

    def add_success(self, task: Any) -> None:
        """A task's actions have ended."""
        if task.actions and ":" in task.name:
            stage, _, label = task.name.partition(":")
            self._say(f"{stage:<10} {time.monotonic() - self.started[task.name]:6.1f} s  {label}")

    def skip_uptodate(self, task: Any) -> None:
        """Nothing to do."""
        stage, _, label = task.name.partition(":")
        if stage == "compile" and label:
            self._say(f"{'current':<19}  {label}")

    def add_failure(self, task: Any, fail: BaseFail) -> None:
        """A task failed, or could not run because one that it needs did (which has been said)."""
        stage, _, label = task.name.partition(":")
        if not isinstance(fail, UnmetDependency):
            self._say(f"ERROR: {task.name}: {fail.message.strip()}{_trace(fail)}")
        elif stage == "compile" and label:
            self._say(f"{'not built':<19}  {label}")

    def complete_run(self) -> None:
        """Everything has been said."""
        for message in self.runtime_errors:
            self._say(f"ERROR: {message}")

    def _say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


def _trace(fail: BaseFail) -> str:
    """A traceback, where the failure is a defect of ours rather than something that was foreseen."""
    return "\n" + "".join(fail.traceback) if fail.traceback else ""

"""Reports a run of doit while it works: lines on the error stream, or JSON on standard output for programs."""

import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doit.exceptions import BaseFail, InvalidTask, UnmetDependency
from doit.reporter import ConsoleReporter

from g2p_build import graph
from g2p_build.errors import BuildError
from g2p_build.graph import Node
from g2p_build.store import actions, trees

from ..stages import StageFailed
from .events import Event, as_json, write_trace
from .made import made
from .options import path_of
from .output import emit
from .plan import Plan

if TYPE_CHECKING:
    from .progress import Progress

__all__ = ["Reporter"]


class Reporter(ConsoleReporter):
    """Prints a line for each stage that ran, one for each variant that is current, and one for each failure."""

    desc = "a line for each stage that ran"

    def __init__(self, plan: Plan) -> None:
        super().__init__(sys.stderr, {})
        self.plan = plan
        self.as_json = False
        self.compiles = False  # whether compiling was asked for, and not only needed by what was
        self.trace: Path | None = None
        self.events: list[Event] = []
        self.started: dict[str, tuple[float, int]] = {}  # task → (seconds since the start, lane)
        self.lanes: list[int] = []  # the threads that run tasks
        self.configured = 0.0
        self.lock = threading.Lock()
        self.nodes: dict[str, Node] = {}
        self.needed_by: dict[str, list[str]] = {}  # task → variants
        self.last_keys: dict[str, str] | None = None
        self.shown: set[str] = set()  # tasks whose progress is shown; empty if there is no terminal
        self.progress: Progress | None = None

    def initialize(self, tasks: dict[str, Any], selected_tasks: list[str]) -> None:
        """Called when doit knows its tasks and has not run one yet."""
        options = tasks["compile"].options or {} if "compile" in selected_tasks else {}
        self.compiles = "compile" in selected_tasks
        self.as_json, path = bool(options.get("as_json")), options.get("profile")
        if path:
            try:
                self.trace = path_of(path)
            except BuildError as error:
                raise InvalidTask(f"--profile {error}") from None
            if not self.trace.parent.is_dir():
                raise InvalidTask(f"--profile {path}: there is no folder {self.trace.parent}")
        self.configured = self._now()
        for variant in self.plan.variants:
            for node in graph.nodes(variant).values():
                self.nodes[node.name] = node
                self.needed_by.setdefault(node.name, []).append(variant.name)
            self.needed_by[f"compile:{variant.name}"] = [variant.name]
        if sys.stderr.isatty() and not self.as_json:
            self.shown = _reached(tasks, selected_tasks) & self.needed_by.keys()

    def execute_task(self, task: Any) -> None:
        """Called before a task's actions run."""
        thread = threading.get_ident()
        if thread not in self.lanes:
            self.lanes.append(thread)
        self.started[task.name] = self._now(), self.lanes.index(thread)
        if task.name in self.shown:
            with self.lock:
                if self.progress is None:  # only now, because a task really runs
                    from .progress import Progress

                    self.progress = Progress(self.shown, len(self.events))
                self.progress.start(task.name, self._last_time(task.name), self._draws_itself(task.name))

    def add_success(self, task: Any) -> None:
        """Called after a task's actions ran."""
        if task.name in self.needed_by:
            self._add(task.name, "built")

    def skip_uptodate(self, task: Any) -> None:
        """Called for a task that is up to date."""
        if task.name in self.needed_by:
            self._add(task.name, "current")

    def add_failure(self, task: Any, fail: BaseFail) -> None:
        """Called for a task that failed, and for one that did not run because a task that it needs failed."""
        if isinstance(fail, UnmetDependency):  # the failure itself is already reported
            if task.name in self.needed_by:
                self._add(task.name, "not built")
            return
        message = fail.message.strip()
        if task.name in self.needed_by:
            self._add(task.name, "failed", message, fail.log if isinstance(fail, StageFailed) else None)
        # doit gives a traceback only for an exception that no task foresaw.
        self._say("\n".join([f"ERROR: {task.name}: {message}", *_tail(fail), *(fail.traceback or ())]))

    def complete_run(self) -> None:
        """Called at the end of the run."""
        if self.progress:
            self.progress.stop()
        for message in self.runtime_errors:
            self._say(f"ERROR: {message}")
        if self.trace:
            try:
                write_trace(self.trace, self.events, self.configured, self._now())
            except OSError as error:
                self._say(f"ERROR: --profile {self.trace}: {error.strerror}")

        published = [event.label for event in self.events if (event.stage, event.outcome) == ("publish", "built")]
        if published and self.compiles and not self.as_json:
            emit("\n".join(made(self.plan, published)))

    def _add(self, name: str, outcome: str, error: str | None = None, log: Path | None = None) -> None:
        started, lane = self.started.get(name, (self._now(), 0))
        event = Event(
            stage="publish" if name.startswith("compile:") else name.partition(":")[0],
            label=name.partition(":")[2],
            variants=tuple(self.needed_by[name]),
            key=self._key(name) if self.as_json or self.trace else None,
            outcome=outcome,
            started=started,
            seconds=self._now() - started,
            lane=lane,
            error=error,
            log=str(log) if log else None,
        )
        self.events.append(event)
        if self.progress:
            self.progress.end(name)
        if self.as_json:
            emit(as_json(event))
        elif outcome == "built":
            self._say(f"{event.stage:<10} {event.seconds:6.1f} s  {event.label}")
        elif event.stage == "publish" and outcome in ("current", "not built"):
            self._say(f"{outcome:<19}  {event.label}")

    def _key(self, name: str) -> str | None:
        node = self.nodes.get(name)
        try:
            return self.plan.build.key(node) if node else None
        except (BuildError, OSError):
            return None

    def _last_time(self, name: str) -> float | None:
        """Seconds that a stage took when it last ran for this tree."""
        if self.last_keys is None:
            self.last_keys = trees.keys(self.plan.build.workspace)
        key = self.last_keys.get(name)
        action = actions.read(self.plan.cache, key) if key else None
        return action.seconds if action else None

    def _draws_itself(self, name: str) -> bool:
        node = self.nodes.get(name)
        return node is not None and node.params.get("source") == "hub"  # a download shows its own progress bars

    def _now(self) -> float:
        return time.monotonic() - self.plan.started

    def _say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


def _reached(tasks: dict[str, Any], selected: list[str]) -> set[str]:
    """The selected tasks and all tasks that they need."""
    found: set[str] = set()
    todo = list(selected)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += tasks[name].task_dep
    return found


def _tail(fail: BaseFail) -> list[str]:
    """The end of a failed stage's log."""
    if not isinstance(fail, StageFailed):
        return []
    try:
        with fail.log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
            return [f"    | {line}" for line in file.read().decode(errors="replace").splitlines()[-12:]]
    except OSError:
        return []

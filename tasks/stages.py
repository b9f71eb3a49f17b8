"""A task for each stage: `doit library target=iphone` makes the variant's library, and what it needs, up to date."""

import importlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build.engine import worker
from g2p_build.errors import BuildError
from g2p_build.graph import Node, order

from .cli.plan import Plan

__all__ = ["THREADED", "StageFailed", "tasks"]

# doit captures an action's output by replacing the process's streams. Two threads cannot both do that.
THREADED = {"io": {"capture": False}, "verbosity": 0}


class StageFailed(TaskFailed):
    """A stage failed. Its log may say why."""

    def __init__(self, message: str, log: Path) -> None:
        super().__init__(message)
        self.log = log


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creators, one for each stage. Each node is a subtask."""
    by_stage: dict[str, list[Node]] = {}
    for node in order(plan.variants):
        by_stage.setdefault(node.stage, []).append(node)
    return {f"task_{stage}": _creator(plan, stage, nodes) for stage, nodes in by_stage.items()}


def _creator(plan: Plan, stage: str, nodes: list[Node]) -> Callable[[], Iterator[dict[str, Any]]]:
    def create() -> Iterator[dict[str, Any]]:
        doc = importlib.import_module(nodes[0].module).__doc__ or ""
        yield {"name": None, "doc": doc.splitlines()[0].removeprefix("Stage: ")}
        for node in nodes:
            yield {
                "name": node.label,
                "actions": [(_make, [plan, node])],
                "uptodate": [partial(_is_current, plan, node)],
                **THREADED,
                "task_dep": sorted({upstream.name for upstream, _ in node.inputs.values()}),
            }

    return create


def _is_current(plan: Plan, node: Node) -> bool:
    try:
        return plan.build.current(node) is not None
    except BuildError:
        return False  # the action will say why


def _make(plan: Plan, node: Node) -> TaskFailed | None:
    try:
        plan.build.realise(node, lambda line: print(line, file=sys.stderr, flush=True))
    except worker.StageFailed as error:
        return StageFailed(str(error), error.log)
    except (BuildError, OSError) as error:
        return TaskFailed(str(error))
    return None

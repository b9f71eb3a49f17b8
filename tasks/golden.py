"""`doit golden`: makes the golden set again: transformers' output for sixty words with the embedded checkpoint."""

from collections.abc import Callable
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build import graph
from g2p_build.errors import BuildError

from .cli.plan import Plan

__all__ = ["tasks"]


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creator."""

    def golden() -> dict[str, Any]:
        return {
            "actions": [(_regenerate, [plan])],
            "doc": "write the golden set: transformers' ids and strings for sixty words, and its latency",
        }

    return {"task_golden": golden}


def _regenerate(plan: Plan) -> TaskFailed | None:
    from g2p_build.reference.golden import regenerate

    checkpoint = graph.nodes(plan.default)["checkpoint"]
    try:
        plan.build.ensure([checkpoint])
        made = plan.build.files(checkpoint)
        latency = regenerate(plan.default, made["architecture.json"], made["model.safetensors"])
    except (BuildError, OSError) as error:
        return TaskFailed(str(error))
    times = latency["ms_per_word"]
    print(
        f"the golden set is written; {latency['reference']}, one word at a time on one thread: "
        f"{times['median']} ms a word ({times['fastest']} to {times['slowest']})"
    )
    return None

"""`doit golden`: makes the golden set again: what the reference says for some words with the default checkpoint."""

import importlib
from collections.abc import Callable
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build.config.family import family, reference
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
    variant = plan.default
    try:
        golden = importlib.import_module(reference(variant).golden)
        checkpoint = family(variant.checkpoint.family).model(variant).checkpoint
        plan.build.ensure([checkpoint])
        published = next(iter(checkpoint.folders), None)
        latency = golden.regenerate(variant, plan.build.files(checkpoint), published=published)
    except (BuildError, OSError) as error:
        return TaskFailed(str(error))
    times = latency["ms_per_word"]
    print(
        f"the golden set is written; {latency['reference']}, one word at a time on one thread: "
        f"{times['median']} ms a word ({times['fastest']} to {times['slowest']})"
    )
    return None

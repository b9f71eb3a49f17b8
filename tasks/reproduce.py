"""`doit reproduce …`: checks that the same inputs give the same bytes."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build.errors import BuildError, os_errors_explained

from .cli.options import JSON
from .cli.output import show
from .cli.plan import Plan

__all__ = ["tasks"]


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creator."""

    def reproduce() -> dict[str, Any]:
        return {
            "actions": [(_reproduce, [plan])],
            "params": [JSON],
            "doc": "build the variants asked for twice from nothing, elsewhere, and compare every byte (--json)",
        }

    return {"task_reproduce": reproduce}


def _reproduce(plan: Plan, as_json: bool) -> TaskFailed | None:
    from g2p_build.config.compose import conf_of
    from g2p_build.products.names import settled
    from g2p_build.products.reproduce import build_apart, compare, compare_with_published

    found = []
    try:
        with os_errors_explained(), TemporaryDirectory(prefix="g2p-reproduce-") as folder:
            one, other = build_apart(plan.tree, plan.anchored, Path(folder), lambda line: print(line, file=sys.stderr))
            # The copies have no record, so a variant may have another name there.
            there = settled(plan.build, plan.configured.values(), conf_of(plan.tree), known={})
            for copy, configured in there.items():
                found += compare(copy, one, other)
                if copy in plan.configured and plan.configured[copy] == configured:
                    found += compare_with_published(plan.build, copy, plan.default.name, one)
    except BuildError as error:
        return TaskFailed(str(error))
    show([asdict(comparison) for comparison in found], as_json)
    differ = [comparison.file for comparison in found if comparison.result == "differs"]
    return TaskFailed(f"{len(differ)} of {len(found)} comparisons differ: {differ[0]}") if differ else None

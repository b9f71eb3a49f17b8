"""`doit wheel …`: makes a Python wheel of each variant asked for, with library, weights and runtime in it."""

import os
from collections.abc import Callable
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build.errors import BuildError

from .cli.options import JSON
from .cli.output import show
from .cli.plan import Plan

__all__ = ["tasks"]


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creator."""

    def wheel() -> dict[str, Any]:
        return {
            "actions": [(_wheels, [plan])],
            "params": [JSON],
            "task_dep": [f"compile:{variant.name}" for variant in plan.variants],
            "doc": "write a Python wheel of each variant asked for into dist/, which needs nothing else (--json)",
        }

    return {"task_wheel": wheel}


def _wheels(plan: Plan, as_json: bool) -> TaskFailed | None:
    from rich.filesize import decimal

    from g2p_build.products.wheel import write_wheel

    for variant in plan.variants:
        try:
            path = write_wheel(plan.build.workspace, variant.name)
        except BuildError as error:
            return TaskFailed(str(error))
        size = path.stat().st_size
        if as_json:
            show([{"variant": variant.name, "wheel": str(path), "bytes": size}], as_json)
        else:
            print(f"pip install {os.path.relpath(path)}  # {decimal(size)}, import {path.name.partition('-')[0]}")
    return None

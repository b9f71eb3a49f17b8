"""`doit npm …`: makes an npm package of each variant asked for, with module, weights and loaders in it."""

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

    def npm() -> dict[str, Any]:
        return {
            "actions": [(_packages, [plan])],
            "params": [JSON],
            "task_dep": [f"compile:{variant.name}" for variant in plan.variants],
            "doc": "write an npm package of each variant asked for into dist/, for pages, workers and Node (--json)",
        }

    return {"task_npm": npm}


def _packages(plan: Plan, as_json: bool) -> TaskFailed | None:
    from rich.filesize import decimal

    from g2p_build.products.npm import write_npm_package

    for variant in plan.variants:
        try:
            made = write_npm_package(plan.build.workspace, variant.name)
        except BuildError as error:
            return TaskFailed(str(error))
        size = made.path.stat().st_size
        if as_json:
            entry = {"variant": variant.name, "package": str(made.path), "name": made.name, "bytes": size}
            show([entry | {"page_bytes": made.page_bytes}], as_json)
        else:
            page = f"a page loads {decimal(made.page_bytes)} (gzip)"
            print(f"npm install ./{os.path.relpath(made.path)}  # {decimal(size)}, {page}, import {made.name}")
    return None

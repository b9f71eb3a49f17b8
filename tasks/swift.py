"""`doit swift …`: makes a Swift package of each variant asked for, with its weights, and its voices, as resources."""

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

    def swift() -> dict[str, Any]:
        return {
            "actions": [(_packages, [plan])],
            "params": [JSON],
            "task_dep": [f"compile:{variant.name}" for variant in plan.variants],
            "doc": "write a Swift package with its weights and voices into dist/, of target=iphone (--json)",
        }

    return {"task_swift": swift}


def _packages(plan: Plan, as_json: bool) -> TaskFailed | None:
    from rich.filesize import decimal

    from g2p_build.products.swift import write_package

    for variant in plan.variants:
        try:
            package = write_package(plan.build.workspace, variant.name)
        except BuildError as error:
            return TaskFailed(str(error))
        path, size = package.path, package.path.stat().st_size
        if as_json:
            show([{"variant": variant.name, "package": str(path), "bytes": size}], as_json)
        else:
            named = f'.package(path: "{package.name}")'
            print(f"unzip {os.path.relpath(path)}  # {decimal(size)}; then, in Package.swift: {named}")
    return None

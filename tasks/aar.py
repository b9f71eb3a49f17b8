"""`doit aar …`: makes an Android archive of the variants asked for: libraries, weights and Kotlin classes."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build.config.variant import Variant
from g2p_build.errors import BuildError

from .cli.options import JSON
from .cli.output import show
from .cli.plan import Plan

__all__ = ["tasks"]


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creator."""

    def aar() -> dict[str, Any]:
        return {
            "actions": [(_aars, [plan])],
            "params": [JSON],
            "task_dep": [f"compile:{variant.name}" for variant in plan.variants],
            "doc": "write an Android archive (AAR) into dist/, of target=android_arm64,android_x86_64 (--json)",
        }

    return {"task_aar": aar}


def _aars(plan: Plan, as_json: bool) -> TaskFailed | None:
    from rich.filesize import decimal

    from g2p_build.products.aar import write_aar

    groups: dict[Variant, list[Variant]] = {}  # what differs in the processor alone goes into one archive
    for variant in plan.variants:
        groups.setdefault(replace(variant, target=plan.variants[0].target), []).append(variant)
    for group in groups.values():
        names = [variant.name for variant in group]
        try:
            path = write_aar(plan.build.workspace, names)
        except BuildError as error:
            return TaskFailed(str(error))
        size = path.stat().st_size
        if as_json:
            show([{"variants": names, "aar": str(path), "bytes": size}], as_json)
        else:
            triples = ", ".join(variant.target.triple.partition("-")[0] for variant in group)
            print(f'implementation(files("{os.path.relpath(path)}"))  # {decimal(size)}: {triples}')
    return None

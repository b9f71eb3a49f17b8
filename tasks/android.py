"""`doit aar …` and `doit flutter …`: packages for Android, of the variants asked for."""

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

    def packages(write: str, doc: str) -> Callable[[], dict[str, Any]]:
        def task() -> dict[str, Any]:
            return {
                "actions": [(_packages, [plan, write])],
                "params": [JSON],
                "task_dep": [f"compile:{variant.name}" for variant in plan.variants],
                "doc": f"write {doc} into dist/, of target=android_arm64,android_x86_64 (--json)",
            }

        return task

    return {
        "task_aar": packages("aar", "an Android archive (AAR)"),
        "task_flutter": packages("flutter", "a Flutter plugin for Android"),
    }


def _packages(plan: Plan, kind: str, as_json: bool) -> TaskFailed | None:
    from rich.filesize import decimal

    from g2p_build.products.aar import write_aar
    from g2p_build.products.flutter import write_plugin

    groups: dict[Variant, list[Variant]] = {}  # what differs in the processor alone goes into one package
    for variant in plan.variants:
        groups.setdefault(replace(variant, target=plan.variants[0].target), []).append(variant)
    for group in groups.values():
        names = [variant.name for variant in group]
        try:
            path = (write_aar if kind == "aar" else write_plugin)(plan.build.workspace, names)
        except BuildError as error:
            return TaskFailed(str(error))
        size, file = path.stat().st_size, os.path.relpath(path)
        if as_json:
            show([{"variants": names, kind: str(path), "bytes": size}], as_json)
            continue
        triples = ", ".join(variant.target.triple.partition("-")[0] for variant in group)
        line = (
            f'implementation(files("{file}"))' if kind == "aar" else f"unzip {file} && flutter pub add g2p --path g2p"
        )
        print(f"{line}  # {decimal(size)}: {triples}")
    return None

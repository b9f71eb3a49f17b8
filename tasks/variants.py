"""`doit variants …`: the variants that a command line describes, as a table or as JSON."""

import json
from collections.abc import Callable
from typing import Any

from g2p_build import config
from tasks.plan import Plan

__all__ = ["tasks"]


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creator."""

    def show_variants() -> dict[str, Any]:
        return {
            "actions": [(_show, [plan])],
            "params": [{"name": "as_json", "long": "json", "type": bool, "default": False, "help": "print JSON"}],
            "doc": "list the variants asked for (--json)",
        }

    return {"task_variants": show_variants}


def _show(plan: Plan, as_json: bool) -> None:
    if as_json:
        print(json.dumps([config.as_json(variant) for variant in plan.variants], indent=1, ensure_ascii=False))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("checkpoint", "target", "triple", "cpu", "batch", "in/out", "dtype", "cache", "name"):
        table.add_column(heading, overflow="fold" if heading == "name" else "ellipsis", no_wrap=heading != "name")
    for variant in plan.variants:
        table.add_row(
            variant.checkpoint.name,
            variant.target.name,
            variant.target.triple,
            variant.target.cpu,
            ",".join(map(str, variant.batch)),
            f"{variant.max_lens.input}/{variant.max_lens.output}",
            variant.dtype,
            "yes" if variant.kv_cache else "no",
            variant.name,
        )
    Console().print(table)

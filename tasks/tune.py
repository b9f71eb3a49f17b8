"""`doit tune …`: searches for the fastest tiles of matmuls on this machine, for the shapes of a variant."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build.errors import BuildError
from g2p_build.store.files import write_atomically

from .cli.options import JSON
from .cli.output import show
from .cli.plan import Plan
from .cli.tool import run_tool
from .profile import bucketed, runnable

__all__ = ["tasks"]

DRY = {"name": "dry", "long": "dry-run", "type": bool, "default": False, "help": "leave the table as it is"}


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creator."""

    def tune() -> dict[str, Any]:
        return {
            "actions": [(_tune, [plan])],
            "params": [JSON, DRY],
            "doc": "search the tiles of matmuls on this machine and write their table (--dry-run, --json)",
        }

    return {"task_tune": tune}


def _tune(plan: Plan, as_json: bool, dry: bool) -> TaskFailed | None:
    table = plan.tree / "g2p_build" / "compiler" / "kernels" / "tiles.py"
    try:
        if len(plan.variants) != 1:
            raise BuildError(f"tiles are tuned for one variant, not for {len(plan.variants)}: give fewer values")
        [variant] = plan.variants
        runnable(variant)
        inputs = {"program.json": (bucketed(plan, variant)["program"], "program.json")}
        made = run_tool(plan, "g2p_build.compiler.tune:build", {"target": asdict(variant.target)}, inputs)
        found = json.loads((made / "tuned.json").read_bytes())
        show(found["rows"], as_json, f"{found['name']}, for {variant.name}")
        if not dry:
            write_atomically(table, (made / "tiles.py").read_bytes(), table.with_name(f".tiles.{os.getpid()}.tmp"))
    except (BuildError, OSError) as error:
        return TaskFailed(str(error))
    return None

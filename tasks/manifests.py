"""`doit manifests`: lists every manifest of this tree, from whatever command, and whether it is current."""

from collections.abc import Callable
from typing import Any

from doit.exceptions import TaskFailed

from .cli.options import JSON
from .cli.output import show
from .cli.plan import Plan

__all__ = ["tasks"]


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creator."""

    def manifests() -> dict[str, Any]:
        return {
            "actions": [(_show, [plan])],
            "params": [JSON],
            "doc": "list what is built: every manifest, its size, when it was built, current or stale (--json)",
        }

    return {"task_manifests": manifests}


def _show(plan: Plan, as_json: bool) -> TaskFailed | None:
    from rich.filesize import decimal

    from g2p_build.products.manifests import listed

    if plan.overrides:
        return TaskFailed(f"it lists all there are and takes no overrides: leave out {' '.join(plan.overrides)}")
    rows = listed(plan.build, plan.default.name)
    if not as_json:  # the name says the rest
        rows = [
            {
                "name": row["name"],
                "state": row["state"],
                "built": row["built"][:16].replace("T", " "),
                "library": row["library_bytes"] and decimal(row["library_bytes"]),
                "weights": row["weights_bytes"] and decimal(row["weights_bytes"]),
            }
            for row in rows
        ]
    if rows:
        show(rows, as_json)
    elif not as_json:
        print("nothing is built here")
    return None

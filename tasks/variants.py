"""`doit variants …`: lists the variants that a command line describes, as a table or as JSON."""

from collections.abc import Callable
from typing import Any

from g2p_build.config import compose

from .cli.options import JSON
from .cli.output import show
from .cli.plan import Plan

__all__ = ["tasks"]


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creator."""

    def show_variants() -> dict[str, Any]:
        return {
            "actions": [(_show, [plan])],
            "params": [JSON],
            "doc": "list the variants asked for, resolved (--json: one a line, every field)",
        }

    return {"task_variants": show_variants}


def _lexicon(lexicon: dict[str, Any]) -> str:
    sources = [*lexicon["files"], *(["exceptions"] if lexicon["exceptions"] else [])]
    return ", ".join(sources) or "off"


def _show(plan: Plan, as_json: bool) -> None:
    rows: list[dict[str, Any]] = [compose.as_json(variant) for variant in plan.variants]
    if not as_json:
        rows = [
            row
            | {
                "lexicon": _lexicon(row["lexicon"]),
                "draft": row["draft"]["words"] or row["draft"]["path"] or "off",
                "checkpoint": row["checkpoint"]["name"],
                "target": row["target"]["name"],
                "cpu": row["target"]["cpu"],
                "max_lens": f"{row['max_lens']['input']}/{row['max_lens']['output']}",
            }
            for row in rows
        ]
    show(rows, as_json, hidden=["name"])

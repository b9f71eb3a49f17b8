"""`doit gc`: removes from the cache what no manifest and no recent build needs."""

import sys
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build.errors import BuildError

from .cli.options import JSON
from .cli.output import show
from .cli.plan import Plan

__all__ = ["tasks"]

KEEP = {
    "name": "keep",
    "long": "keep",
    "type": str,
    "default": "7d",
    "help": "keep what was made or found current within this time: a number with m, h, d or w (7d)",
}
MOST = {
    "name": "most",
    "long": "max-size",
    "type": str,
    "default": "",
    "help": "then remove what was used least recently until the cache fits, such as 2GB; never what a manifest needs",
}
DELETE = {
    "name": "delete",
    "long": "delete",
    "type": bool,
    "default": False,
    "help": "remove it; without this gc only says what it would remove",
}


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creator."""

    def gc() -> dict[str, Any]:
        return {
            "actions": [(_collect, [plan])],
            "params": [KEEP, MOST, DELETE, JSON],
            "doc": "say what the cache holds that nobody needs (--keep 7d, --max-size 2GB, --delete, --json)",
        }

    return {"task_gc": gc}


def _collect(plan: Plan, keep: str, most: str, delete: bool, as_json: bool) -> TaskFailed | None:
    from rich.filesize import decimal

    from g2p_build.store import gc, quantities

    if plan.overrides:
        return TaskFailed(f"it is for the whole cache and takes no overrides: leave out {' '.join(plan.overrides)}")
    try:
        limit = quantities.size(most) if most else None
        garbage = (gc.remove if delete else gc.find)(plan.cache, quantities.age(keep), limit)
    except BuildError as error:
        return TaskFailed(str(error))
    rows: list[dict[str, Any]] = [
        {"kind": kind, "files": len(files), "bytes": sum(files.values())} | _gone(files, garbage.gone)
        for kind, files in garbage.files.items()
    ]
    total = {field: sum(row[field] for row in rows) for field in rows[0] if field != "kind"}
    rows.append({"kind": "total"} | total)
    if not as_json:
        rows = [row | {field: decimal(row[field]) for field in row if field.endswith("bytes")} for row in rows]
    show(rows, as_json, str(plan.cache))
    left = total["bytes"] - total["unneeded_bytes"]
    if limit is not None and left > limit:
        needed = f"manifests need {decimal(garbage.needed)}"
        _say(f"{decimal(limit)} cannot be reached: {needed}; `doit manifests` lists them, `doit clean` removes one")
    if not as_json:
        _say(f"{decimal(total['bytes'])} before, {decimal(left)} after" + ("" if delete else ", with --delete"))
    return None


def _gone(files: Mapping[Path, int], gone: Set[Path]) -> dict[str, int]:
    mine = gone & files.keys()
    return {"unneeded": len(mine), "unneeded_bytes": sum(files[path] for path in mine)}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)

"""Options that several tasks share, in doit's form."""

from typing import Any

__all__ = ["JSON", "option"]

JSON: dict[str, Any] = {
    "name": "as_json",
    "long": "json",
    "type": bool,
    "default": False,
    "help": "for programs: one JSON object a line",
}


def option(long: str, kind: type, default: Any, text: str) -> dict[str, Any]:
    """An option with a long name, which its action takes with "_" in the place of "-"."""
    return {"name": long.replace("-", "_"), "long": long, "type": kind, "default": default, "help": text}

"""Options that several tasks share, in doit's form."""

from typing import Any

__all__ = ["JSON"]

JSON: dict[str, Any] = {
    "name": "as_json",
    "long": "json",
    "type": bool,
    "default": False,
    "help": "for programs: one JSON object a line",
}

"""The events of a run of doit, for programs: as JSON lines, and as a trace for Chrome's viewer."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from g2p_build.store.files import write_atomically

from .output import as_line

__all__ = ["Event", "as_json", "write_trace"]


@dataclass(frozen=True)
class Event:
    """The outcome of one stage, or of publishing one variant."""

    stage: str  # a stage's name, or "publish"
    label: str  # the node's label, or the variant's name
    variants: tuple[str, ...]  # names of the variants that need it
    key: str | None  # the stage's key; None if it is not known
    outcome: str  # "built", "current", "failed" or "not built" (because something that it needs failed)
    started: float  # seconds since the command started
    seconds: float  # how long it took
    lane: int  # number of the thread that ran it
    error: str | None = None  # one line
    log: str | None = None  # path of the stage's log


def as_json(event: Event) -> str:
    """An event as one line of JSON."""
    return as_line(
        {
            "stage": event.stage,
            "label": event.label,
            "variants": list(event.variants),
            "key": event.key,
            "outcome": event.outcome,
            "seconds": round(event.seconds, 3),
            "error": event.error,
            "log": event.log,
        }
    )


def write_trace(path: Path, events: list[Event], configured: float, ended: float) -> None:
    """Writes a trace in Chrome's trace event format (for chrome://tracing or Perfetto).

    Args:
        path: the file to write.
        events: the events of the run.
        configured: seconds from the start of the command until its variants were known.
        ended: seconds from the start of the command to its end.

    Raises:
        OSError: the file cannot be written.
    """
    slices = [_slice("command", 0.0, ended, 0), _slice("configure", 0.0, configured, 0)]
    slices += [
        _slice(event.stage, event.started, event.seconds, event.lane + 1)
        | {"args": {"label": event.label, "key": event.key, "outcome": event.outcome}}
        for event in events
        if event.outcome in ("built", "failed")
    ]
    data = json.dumps({"traceEvents": slices, "displayTimeUnit": "ms"}, indent=1).encode() + b"\n"
    write_atomically(path, data, path.with_name(f".{path.name}.{os.getpid()}.tmp"))


def _slice(name: str, started: float, seconds: float, lane: int) -> dict[str, Any]:
    return {"name": name, "ph": "X", "pid": 1, "tid": lane, "ts": round(started * 1e6), "dur": round(seconds * 1e6)}

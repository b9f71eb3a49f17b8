"""`doit why …`: says which stages of the variants asked for would run, and what has changed. It runs nothing."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build.errors import BuildError
from g2p_build.products.why import Explanation, Reason, explain, identities
from g2p_build.products.why import against as difference

from .cli.options import JSON, option, path_of
from .cli.output import show
from .cli.plan import Plan

__all__ = ["tasks"]


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creator."""

    def why() -> dict[str, Any]:
        return {
            "actions": [(_show, [plan])],
            "params": [
                JSON,
                option("against", str, "", "what another machine's `doit why --json` printed: compare keys"),
            ],
            "doc": "what would run, which input changed, how long it took last time; runs nothing (--json, --against)",
        }

    return {"task_why": why}


_OUTLOOK = {"current": "current", "waits": "waits", "refused": "refused"}  # state → group; other states: "runs"


def _show(plan: Plan, as_json: bool, against: str) -> TaskFailed | None:
    try:
        if against:
            _compare(plan, as_json, path_of(against))
            return None
        explanations = list(explain(plan.build, plan.variants, plan.default.name))
        known = identities(plan.build, plan.variants) if as_json else {}
    except (BuildError, OSError) as error:
        return TaskFailed(str(error))
    if as_json:
        show([asdict(one) | known.get(one.name, {}) for one in explanations], as_json=True)
        return None
    # A stage that only waits has no row. The last line counts it.
    rows = [
        _row(one) for one in explanations if one.state not in ("current", "waits") or any(map(_is_own, one.reasons))
    ]
    if rows:
        show(rows, as_json=False)
    print("\n".join(_summary(explanations)))
    return None


def _compare(plan: Plan, as_json: bool, path: Path) -> None:
    """Says why nodes have other keys here than where the file comes from."""
    found = list(difference(plan.build, plan.variants, _read(path)))
    if as_json:
        show([asdict(one) for one in found], as_json=True)
        return
    rows = [
        {"stage": one.name, "state": one.state, "why": "\n".join(map(str, one.reasons))}
        for one in found
        if one.state != "same"
    ]
    if rows:
        show(rows, as_json=False)
    print(f"same key, or nothing that differs: {_counted(one for one in found if one.state == 'same') or 'none'}")


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return {row["name"]: {"key": row["key"], "components": row["components"]} for row in rows if "key" in row}
    except OSError as error:
        raise BuildError(f"--against {path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise BuildError(f"--against {path} is not what `doit why --json` printed") from None


def _is_own(reason: Reason) -> bool:
    """Whether a reason is a change, and not only a missing record."""
    return reason.kind != "record"


def _row(explanation: Explanation) -> dict[str, Any]:
    why = [explanation.error] if explanation.error else [str(reason) for reason in explanation.reasons]
    waits_for = dict.fromkeys(name.partition(":")[0] for name in explanation.waits_for)
    state = {"never built": "never built here", "blob gone": "a blob is gone"}.get(explanation.state, explanation.state)
    return {
        "stage": explanation.name,
        "state": f"waits for {', '.join(waits_for)}" if waits_for else state,
        "why": "\n".join(why),
        "last_time": None if explanation.seconds is None else f"{explanation.seconds:.1f} s",
    }


def _summary(explanations: Sequence[Explanation]) -> list[str]:
    """The lines below the table: what is current, what would run, what may run."""
    by_state: dict[str, list[Explanation]] = {}
    for explanation in explanations:
        by_state.setdefault(_OUTLOOK.get(explanation.state, "runs"), []).append(explanation)
    lines = []
    if current := by_state.get("current"):
        lines.append(f"current: {_counted(current)}")
    if refused := by_state.get("refused"):
        lines.append(f"cannot run: {_counted(refused)}")
    if runs := by_state.get("runs"):
        lines.append(f"would run: {_counted(runs)}{_time(runs)}")
    elif not refused:
        lines.append("nothing would run")
    if waits := by_state.get("waits"):
        lines.append(f"then, unless what they wait for comes out as it was: {_counted(waits)}{_time(waits)}")
    return lines


def _counted(explanations: Iterable[Explanation]) -> str:
    """ "2 program, 1 library"."""
    return ", ".join(f"{count} {stage}" for stage, count in Counter(e.stage for e in explanations).items())


def _time(explanations: Sequence[Explanation]) -> str:
    known = [explanation.seconds for explanation in explanations if explanation.seconds is not None]
    if not known:
        return ""
    new = sum(explanation.seconds is None and explanation.stage != "publish" for explanation in explanations)
    return f" ({sum(known):.1f} s last time{f'; {new} never ran here' if new else ''})"

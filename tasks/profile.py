"""`doit profile …`: times every kernel that a word needs."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build import graph
from g2p_build.config.family import family
from g2p_build.config.overrides import ConfigError
from g2p_build.config.variant import Variant, on_virtual_machine
from g2p_build.errors import BuildError
from g2p_build.graph import Node
from g2p_build.runtime import G2PError, index

from .cli.options import JSON, path_of
from .cli.output import show
from .cli.plan import Plan
from .cli.tool import run_tool

__all__ = ["bucketed", "runnable", "tasks"]

TRACE = {"name": "trace", "long": "trace", "type": str, "default": "", "help": "a file for Chrome's trace viewer"}


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creator."""

    def profile() -> dict[str, Any]:
        return {
            "actions": [(_profile, [plan])],
            "params": [JSON, TRACE],
            "doc": "time every kernel of a word against this machine's peaks (--json, --trace FILE)",
        }

    return {"task_profile": profile}


def runnable(variant: Variant) -> None:
    """Raises BuildError if this machine cannot run a variant's code."""
    try:
        index.check_target({**asdict(variant.target), "features": list(variant.target.features)})
    except G2PError as error:
        raise BuildError(f"{variant.name} does not run here: {error}") from None


def bucketed(plan: Plan, variant: Variant) -> dict[str, Node]:
    """A variant's nodes for the virtual machine, which has functions for several input lengths.

    The nodes of the program and of the weights are brought up to date.

    Raises:
        BuildError: a stage failed, or the family's models do not run there.
    """
    variant = on_virtual_machine(variant)
    try:
        family(variant.checkpoint.family).check(variant)
    except ConfigError as error:
        raise BuildError(f"{variant.name}: kernels are timed in the virtual machine, and {error}") from None
    nodes = graph.nodes(variant)
    plan.build.ensure([nodes[role] for role in ("checkpoint", "program", "weights")])
    return nodes


def _profile(plan: Plan, as_json: bool, trace: str) -> TaskFailed | None:
    events: list[dict[str, Any]] = []
    try:
        for variant in plan.variants:
            runnable(variant)
            if variant.target.package != "shared":
                raise BuildError(f"{variant.name} is not a shared library and cannot run: use target.package=shared")
            nodes = bucketed(plan, variant)
            inputs = {file: (nodes["program"], file) for file in ("program.json", "functions.json")}
            inputs |= {"weights.safetensors": (nodes["weights"], "weights.safetensors")}
            made = run_tool(plan, "g2p_build.compiler.profile:build", {"target": asdict(variant.target)}, inputs)
            found = json.loads((made / "profile.json").read_bytes())
            for batch in found["batches"]:
                rows = [{"variant": variant.name, "batch": batch["batch"], **row} for row in batch["rows"]]
                show(rows, as_json, _title(variant, batch, found["peaks"]), hidden=["variant", "batch"])
                events += _events(f"{variant.name}, batch {batch['batch']}", len(events), batch["calls"])
        if trace:
            path_of(trace).write_text(json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}), encoding="utf-8")
    except (BuildError, OSError) as error:
        return TaskFailed(str(error))
    return None


def _title(variant: Variant, batch: Mapping[str, Any], peaks: Mapping[str, Any]) -> str:
    reads = ", ".join(f"{rate:.0f} from {int(size) >> 20} MB" for size, rate in peaks["reads"].items())
    return (
        f"{variant.name}, batch {batch['batch']}, one word a row, one thread\n"
        f"peaks: {peaks['gflops']:.0f} GFLOP/s (sgemm {peaks['sgemm']:.0f}), GB/s read: {reads}"
    )


def _events(process: str, number: int, calls: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    yield {"name": "process_name", "ph": "M", "pid": number, "args": {"name": process}}
    for call in calls:
        yield {
            "name": call["name"],
            "ph": "X",
            "pid": number,
            "tid": call["lane"],
            "ts": round(call["start_us"], 3),
            "dur": round(call["us"], 3),
            "args": {key: call[key] for key in ("flops", "bytes") if key in call},
        }

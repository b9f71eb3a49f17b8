"""`doit ir …`: prints the module between the compiler's phases, to find the phase that made a mistake."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build import graph
from g2p_build.errors import BuildError

from .cli.options import path_of
from .cli.plan import Plan
from .cli.tool import run_tool

__all__ = ["tasks"]

PHASE = {
    "name": "phase",
    "long": "phase",
    "type": str,
    "default": "plan",
    "help": "after which phase; program: before the first; c: what calls the kernels; llvm, asm: the kernels' code",
}
FUNCTION = {"name": "function", "long": "function", "type": str, "default": "", "help": "one function or kernel only"}
OUT = {"name": "out", "long": "out", "type": str, "default": "", "help": "a folder to write it to, instead of printing"}


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creator."""

    def ir() -> dict[str, Any]:
        return {
            "actions": [(_show, [plan])],
            "params": [PHASE, FUNCTION, OUT],
            "task_dep": sorted({graph.nodes(variant)["program"].name for variant in plan.variants}),
            "doc": "print the module after a phase of the compiler (--phase NAME, --function NAME, --out DIR)",
        }

    return {"task_ir": ir}


def _show(plan: Plan, phase: str, function: str, out: str) -> TaskFailed | None:
    try:
        for variant in plan.variants:
            params = {"target": asdict(variant.target), "phase": phase, "function": function}
            program = graph.nodes(variant)["program"]
            inputs = {name: (program, name) for name in program.outputs}
            made = run_tool(plan, "g2p_build.compiler.ir:build", params, inputs)
            text = (made / "text").read_text(encoding="utf-8")
            if not out:
                print(text, end="", flush=True)
                continue
            suffix = (made / "suffix").read_text(encoding="utf-8")
            path = path_of(out) / ".".join([variant.name, phase, *([function] if function else []), suffix])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(path)
    except (BuildError, OSError) as error:
        return TaskFailed(str(error))
    return None

"""`doit bench …`: times built variants beside other libraries. The result goes into docs/benchmarks/."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build.errors import BuildError

from .cli.options import JSON
from .cli.output import show
from .cli.plan import Plan

__all__ = ["tasks"]


def _option(long: str, kind: type, default: Any, text: str, name: str = "") -> dict[str, Any]:
    return {"name": name or long.replace("-", "_"), "long": long, "type": kind, "default": default, "help": text}


_BENCH = Path(__file__).resolve().parents[1] / "bench"

OPTIONS = [
    _option(
        "words",
        str,
        "",
        "real words, also timed as one list: a folder of LANG.tsv files or one such file; else the golden set",
    ),
    _option("contenders", str, "", "names, with commas between: ours, eager, ctranslate2, executorch-int8, ..."),
    _option("threads", str, "1,2", "numbers of threads, with commas between"),
    _option("rounds", int, 9, "how often each contender has its turn"),
    _option("forced-tokens", int, 0, "so many tokens for each word, whatever the model says (random weights: 16)"),
    _option("out", str, "docs/benchmarks", "a folder for the document, the numbers and the picture"),
    JSON,
]


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creator; none in an installed package, which has no benchmarks."""
    if not _BENCH.is_dir():
        return {}

    def bench() -> dict[str, Any]:
        return {
            "actions": [(_bench, [plan])],
            "params": OPTIONS,
            "task_dep": [f"compile:{variant.name}" for variant in plan.variants],
            "doc": "time the variants asked for, at their batch sizes, beside other libraries (--words PATH, --json)",
        }

    return {"task_bench": bench}


def _bench(
    plan: Plan, words: str, contenders: str, threads: str, rounds: int, forced_tokens: int, out: str, as_json: bool
) -> TaskFailed | None:
    from bench.pronounce import report
    from bench.pronounce.command import bench, options

    try:
        asked = options(words, contenders, threads, rounds, forced_tokens)
        result = bench(plan.build, plan.variants, asked, lambda line: print(line, file=sys.stderr, flush=True))
        report.write(plan.tree / out, {"command": shlex.join(["doit", *sys.argv[1:]]), **result})
    except (BuildError, OSError) as error:
        return TaskFailed(str(error))
    for run in result["runs"]:
        if as_json:
            named = {key: run[key] for key in ("checkpoint", "words", "forced_tokens")}
            parts = ("rows", "lists", "opening", "functions")
            show([named | row for part in parts for row in run[part]], as_json)
        else:
            for title, rows in report.tables(run):
                show(rows, as_json, title)
    return None

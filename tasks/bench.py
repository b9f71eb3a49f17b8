"""`doit bench …`: times built variants beside other libraries. The result goes into docs/benchmarks/.

`doit bench accuracy …` is another benchmark, with options of its own: see accuracy.py.
"""

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build.errors import BuildError

from . import accuracy
from .cli.options import JSON, option, path_of
from .cli.output import show
from .cli.plan import Plan

__all__ = ["tasks"]

_BENCH = Path(__file__).resolve().parents[1] / "bench"

OUT = "docs/benchmarks"

OPTIONS = [
    option(
        "words",
        str,
        "",
        "real words, also timed as one list: a folder of LANG.tsv files or one such file; else the golden set",
    ),
    option("contenders", str, "", "names, with commas between: ours, eager, ctranslate2, executorch-int8, ..."),
    option("threads", str, "1,2", "numbers of threads, with commas between"),
    option("rounds", int, 9, "how often each contender has its turn"),
    option("forced-tokens", int, 0, "so many tokens for each word, whatever the model says (random weights: 16)"),
    option("out", str, "", f"a folder for the document, the numbers and the picture; else {OUT} of the checkout"),
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
            "pos_arg": "another",
            "task_dep": [f"compile:{variant.name}" for variant in plan.variants],
            "doc": "time the variants asked for, at their batch sizes, beside other libraries (--words PATH, --json); "
            "`bench accuracy --data FOLDER`: how often they are wrong",
        }

    return {"task_bench": bench}


def _bench(plan: Plan, another: Sequence[str], **options: Any) -> TaskFailed | None:
    if not another:
        return _pronounce(plan, **options)
    if another[0] != "accuracy":
        return TaskFailed(f"unknown benchmark {another[0]!r}: it is accuracy, or none for that of speed")
    if options != {option["name"]: option["default"] for option in OPTIONS}:
        return TaskFailed("options of the benchmark stand behind its name: doit bench accuracy --OPTION ...")
    return accuracy.run(plan, another[1:])


def _pronounce(
    plan: Plan, words: str, contenders: str, threads: str, rounds: int, forced_tokens: int, out: str, as_json: bool
) -> TaskFailed | None:
    from bench.pronounce import report
    from bench.pronounce.command import bench, options

    try:
        asked = options(words and str(path_of(words)), contenders, threads, rounds, forced_tokens)
        result = bench(plan.build, plan.variants, asked, lambda line: print(line, file=sys.stderr, flush=True))
        folder = path_of(out) if out else plan.tree / OUT
        report.write(folder, {"command": shlex.join(["doit", *sys.argv[1:]]), **result})
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

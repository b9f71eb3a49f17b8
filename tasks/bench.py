"""`doit bench …`: times built variants beside other libraries. The result goes into docs/benchmarks/.

What is measured is what the family of the variants does: pronouncing or speaking. `doit bench accuracy …` is another
benchmark, with options of its own: see accuracy.py.
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
from .profile import runnable

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
    option("contenders", str, "", "names, with commas between: ours, eager, compile, onnxruntime-int8, ..."),
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
            "doc": "time the variants asked for beside other libraries (--words PATH, --json); `bench family=kokoro`: "
            "speech; `bench accuracy --data FOLDER`: how often they are wrong",
        }

    return {"task_bench": bench}


def _bench(plan: Plan, another: Sequence[str], **options: Any) -> TaskFailed | None:
    if not another:
        return _measure(plan, **options)
    if another[0] != "accuracy":
        return TaskFailed(f"unknown benchmark {another[0]!r}: it is accuracy, or none for that of speed")
    if options != {option["name"]: option["default"] for option in OPTIONS}:
        return TaskFailed("options of the benchmark stand behind its name: doit bench accuracy --OPTION ...")
    return accuracy.run(plan, another[1:])


def _measure(plan: Plan, words: str, forced_tokens: int, **options: Any) -> TaskFailed | None:
    families = sorted({variant.checkpoint.family for variant in plan.variants})
    if len(families) > 1:
        return TaskFailed(f"the variants are of the families {' and '.join(families)}: measure one at a time")
    if families == ["kokoro"]:
        for option, value in (("--words", words), ("--forced-tokens", forced_tokens)):
            if value:
                return TaskFailed(f"{option}={value}: speech has no words or tokens to choose: leave it out")
        return _speak(plan, **options)
    return _pronounce(plan, words, forced_tokens, **options)


def _speak(plan: Plan, contenders: str, threads: str, rounds: int, out: str, as_json: bool) -> TaskFailed | None:
    from bench.speak import report
    from bench.speak.command import bench, options

    try:
        for variant in plan.variants:
            runnable(variant)
        result = bench(plan.build, plan.variants, options(contenders, threads, rounds), _say)
        report.write(_folder(plan, out), {"command": _command(), **result})
    except (BuildError, OSError) as error:
        return TaskFailed(str(error))
    if as_json:
        parts = ("times", "first_sounds", "footprints", "programs", "goals", "failures")
        show([{"part": part, **row} for part in parts for row in result[part]], as_json)
    else:
        for title, rows in report.tables(result):
            show(rows, as_json, f"{result['checkpoint']}: {title}")
    return None


def _pronounce(
    plan: Plan, words: str, forced_tokens: int, contenders: str, threads: str, rounds: int, out: str, as_json: bool
) -> TaskFailed | None:
    from bench.pronounce import report
    from bench.pronounce.command import bench, options

    try:
        asked = options(words and str(path_of(words)), contenders, threads, rounds, forced_tokens)
        result = bench(plan.build, plan.variants, asked, _say)
        report.write(_folder(plan, out), {"command": _command(), **result})
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


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _folder(plan: Plan, out: str) -> Path:
    return path_of(out) if out else plan.tree / OUT


def _command() -> str:
    return shlex.join(["doit", *sys.argv[1:]])

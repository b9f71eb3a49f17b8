"""`doit bench accuracy …`: scores built variants beside other ways to pronounce. docs/accuracy.md explains it."""

import shlex
import sys
from collections.abc import Sequence
from typing import Any

from doit.cmdparse import CmdOption, CmdParseError, TaskParse
from doit.exceptions import TaskFailed

from g2p_build.errors import BuildError

from .cli.options import JSON
from .cli.output import show
from .cli.plan import Plan

__all__ = ["run"]

PAGE = "docs/accuracy.md"
OUT = "docs/benchmarks/accuracy"


def _option(long: str, kind: type, default: Any, text: str) -> dict[str, Any]:
    return {"name": long.replace("-", "_"), "long": long, "type": kind, "default": default, "help": text}


OPTIONS = [
    _option("data", str, "", "a folder with train/LANG.tsv and test/LANG.tsv"),
    _option("languages", str, "", "codes, with commas between; else all of the data"),
    _option("contenders", str, "", "names, with commas between: ours, beam, phonetisaurus, espeak-ng; else all"),
    _option("rounds", int, 5, "how often each contender is timed"),
    _option("hold-out", int, 1000, "words a language that nobody learns, as in the training of the checkpoint"),
    _option("out", str, OUT, f"a folder for the numbers; the default also renews the tables in {PAGE}"),
    JSON,
]


def run(plan: Plan, words: Sequence[str]) -> TaskFailed | None:
    """Runs the benchmark and writes its report.

    Args:
        plan: the command's; its variants are published.
        words: of the command line, after the benchmark's name.
    """
    try:
        given, rest = TaskParse([CmdOption(option) for option in OPTIONS]).parse(list(words))
    except CmdParseError as error:
        return TaskFailed(f"{error}: the options are {', '.join('--' + option['long'] for option in OPTIONS)}")
    if rest:
        return TaskFailed(f"{rest[0]!r} is not an option: they begin with --")
    return _run(plan, **given)


def _run(
    plan: Plan, data: str, languages: str, contenders: str, rounds: int, hold_out: int, out: str, as_json: bool
) -> TaskFailed | None:
    from bench.accuracy import report
    from bench.accuracy.command import compare, options

    try:
        asked = options(data, languages, contenders, rounds, hold_out)
        found = compare(plan.build, plan.variants, asked, lambda line: print(line, file=sys.stderr, flush=True))
        shown = ["doit", *({data: "DATA", f"--data={data}": "--data=DATA"}.get(word, word) for word in sys.argv[1:])]
        result = {"command": shlex.join(shown), **found}
        report.write(plan.tree / out, result)
        if out == OUT and (plan.tree / PAGE).exists():
            report.fill(plan.tree / PAGE, result)
    except (BuildError, OSError) as error:
        return TaskFailed(str(error))
    if as_json:
        show(result["rows"], as_json)
    else:
        for title, rows in report.tables(result):
            show(rows, as_json, title)
    return None

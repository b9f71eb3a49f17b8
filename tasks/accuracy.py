"""`doit bench accuracy …`: scores built variants beside other ways to pronounce. docs/accuracy.md explains it."""

import shlex
import sys
from collections.abc import Sequence

from doit.cmdparse import CmdOption, CmdParseError, TaskParse
from doit.exceptions import TaskFailed

from g2p_build.errors import BuildError
from g2p_build.training.use import HELD_OUT

from .cli.options import JSON, option, path_of
from .cli.output import show
from .cli.plan import Plan

__all__ = ["run"]

PAGE = "docs/accuracy.md"
OUT = "docs/benchmarks/accuracy"

OPTIONS = [
    option("data", str, "", "a folder with train/LANG.tsv and test/LANG.tsv"),
    option("languages", str, "", "codes, with commas between; else all of the data"),
    option("contenders", str, "", "names, with commas between: ours, beam, phonetisaurus, espeak-ng; else all"),
    option("rounds", int, 5, "how often each contender is timed"),
    option("hold-out", int, HELD_OUT, "words a language that nobody learns, as in the training of the checkpoint"),
    option("out", str, "", f"a folder for the numbers; else {OUT} of the checkout, and the tables in {PAGE}"),
    JSON,
]


def run(plan: Plan, words: Sequence[str]) -> TaskFailed | None:
    """Runs the benchmark and writes its report.

    Args:
        plan: the command's; its variants are published.
        words: of the command line, after the benchmark's name.
    """
    try:
        given, rest = TaskParse([CmdOption(each) for each in OPTIONS]).parse(list(words))
    except CmdParseError as error:
        return TaskFailed(f"{error}: the options are {', '.join('--' + each['long'] for each in OPTIONS)}")
    if rest:
        return TaskFailed(f"{rest[0]!r} is not an option: they begin with --")
    return _run(plan, **given)


def _run(
    plan: Plan, data: str, languages: str, contenders: str, rounds: int, hold_out: int, out: str, as_json: bool
) -> TaskFailed | None:
    from bench.accuracy import report
    from bench.accuracy.command import compare, options

    try:
        asked = options(data and str(path_of(data)), languages, contenders, rounds, hold_out)
        found = compare(plan.build, plan.variants, asked, lambda line: print(line, file=sys.stderr, flush=True))
        shown = ["doit", *({data: "DATA", f"--data={data}": "--data=DATA"}.get(word, word) for word in sys.argv[1:])]
        result = {"command": shlex.join(shown), **found}
        report.write(path_of(out) if out else plan.tree / OUT, result)
        if not out and (plan.tree / PAGE).exists():
            report.fill(plan.tree / PAGE, result)
    except (BuildError, OSError) as error:
        return TaskFailed(str(error))
    if as_json:
        show(result["rows"], as_json)
    else:
        for title, rows in report.tables(result):
            show(rows, as_json, title)
    return None

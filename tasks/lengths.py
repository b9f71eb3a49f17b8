"""`doit lengths FILE…`: how many tokens the words of lists take, in and out, and which `max_lens` hold them."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import reduce
from operator import add
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build.errors import BuildError
from g2p_build.products import lengths
from g2p_build.products.lengths import Bound, Lengths

from .cli.options import JSON, path_of
from .cli.output import show
from .cli.plan import Plan

__all__ = ["tasks"]

SHARES = {"median": 0.5, "90 %": 0.9, "99 %": 0.99, "99.9 %": 0.999, "100 %": 1.0}


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creator."""

    def measure() -> dict[str, Any]:
        return {
            "actions": [(_lengths, [plan])],
            "params": [JSON],
            "pos_arg": "files",
            "doc": "tokens in and out of the words of FILE.., each LANG.tsv or a folder of them, and the max_lens that "
            "hold them (--json)",
        }

    return {"task_lengths": measure}


def _lengths(plan: Plan, as_json: bool, files: Sequence[str]) -> TaskFailed | None:
    if not files:
        return TaskFailed("name lists of words: doit lengths FILE.., each LANG.tsv or a folder of LANG.tsv")
    try:
        if len(plan.variants) != 1:
            raise BuildError(f"lengths are of one variant, not of {len(plan.variants)}: give fewer values")
        [variant] = plan.variants
        found = list(lengths.measured(plan.build, variant, [path_of(file) for file in files]))
    except (BuildError, OSError) as error:
        return TaskFailed(str(error))
    whole = reduce(add, found)
    parts = [*found, *([whole] if len(found) > 1 else [])]
    most, every = lengths.bounds(whole)
    named = {"99.9 %": most, "100 %": every, "variant": lengths.holding(whole, variant.max_lens)}
    if as_json:
        show(
            [_counts(part) for part in parts] + [{"bounds": name} | asdict(each) for name, each in named.items()], True
        )
        return None
    show([row for part in parts for row in _rows(part)], False, f"tokens of words, for {variant.name}")
    show([_row(name, bound) for name, bound in named.items()], False)
    if whole.cut:
        print(f"words that have no room in {variant.name}, which pronounced them: {whole.cut}")
        print("how long they are is not known: add max_lens=long, or greater numbers")
    return None


def _rows(part: Lengths) -> list[dict[str, Any]]:
    return [
        {"language": part.language, "tokens": name, "words": part.words, "refused": part.refused, "said": part.said}
        | {share: lengths.quantile(part.side(which), value) for share, value in SHARES.items()}
        for which, name in enumerate(("in", "out"))
    ]


def _counts(part: Lengths) -> dict[str, Any]:
    row = {"language": part.language, "words": part.words, "refused": part.refused}
    row |= {"said": part.said, "cut": part.cut}
    return row | {name: sorted(part.side(which).items()) for which, name in enumerate(("input", "output"))}


def _row(name: str, bound: Bound) -> dict[str, Any]:
    wanted = f"max_lens.input={bound.input} max_lens.output={bound.output}"
    left = bound.of - bound.words
    return {"bounds": name, "max_lens": wanted, "holds": f"{100 * bound.words / bound.of:.3f} %", "too_long": left}

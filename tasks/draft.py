"""`doit draft WORDS…`: what a variant's draft table guesses for words, and what of it the model accepts."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build.runtime import G2PError, load

from .cli.options import JSON, option
from .cli.output import show
from .cli.plan import Plan

__all__ = ["tasks"]


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creator."""

    def draft() -> dict[str, Any]:
        return {
            "actions": [(_draft, [plan])],
            "params": [option("lang", str, "eng-us", "the language of the words"), JSON],
            "pos_arg": "words",
            "task_dep": [f"compile:{variant.name}" for variant in plan.variants],
            "doc": "what is guessed for words before the model checks it, what was right (WORDS..., --lang, --json)",
        }

    return {"task_draft": draft}


def _draft(plan: Plan, words: Sequence[str], lang: str, as_json: bool) -> TaskFailed | None:
    if not words:
        return TaskFailed("no words are given: doit draft knight through")
    try:
        for variant in plan.variants:
            rows = _rows(load(plan.tree / "manifests" / f"{variant.name}.json", lexicon=False), words, lang)
            if as_json or not sys.stdout.isatty():
                show([{"variant": variant.name} | row for row in rows], as_json, variant.name, hidden=["variant"])
            else:
                _coloured(rows, variant.name)
    except G2PError as error:
        return TaskFailed(str(error))
    return None


def _rows(g2p: Any, words: Sequence[str], lang: str) -> list[dict[str, Any]]:
    results = g2p.results(words, lang=lang)
    for result in results:
        if result.error is not None:
            raise result.error
    return [
        {"word": result.word, "guess": g2p.guess(result.word, lang), "said": result.phonemes}
        | {"passes": result.passes, "checked": result.drafted, "accepted": result.accepted}
        for result in results
    ]


def _coloured(rows: Sequence[dict[str, Any]], title: str) -> None:
    """A table in which a guess is green as far as it is what is said, and red from there on."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*rows[0], title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for row in rows:
        pairs = enumerate(zip(row["guess"], row["said"], strict=False))
        right = next((at for at, (one, other) in pairs if one != other), min(len(row["guess"]), len(row["said"])))
        guess = Text(row["guess"][:right], "green") + Text(row["guess"][right:], "red")
        table.add_row(Text(row["word"]), guess, *(Text(str(row[name])) for name in list(row)[2:]))
    Console().print(table)

"""What was measured with guesses and without, as a page."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.common import page

__all__ = ["TIMES", "markdown", "total", "write"]

TIMES = {"encoder": "encode_ns", "prefill": "prefill_ns", "steps": "step_ns", "guesses": "draft_ns"}
"""Parts of the time, with the library's names for them."""

ALL = "all"


def write(folder: Path, result: Mapping[str, Any]) -> None:
    """Writes the page and the numbers: `drafts.md` and `drafts.json`.

    Raises:
        OSError: the folder cannot be written.
    """
    page.write(folder, "drafts", result, markdown(result), picture=None)


def markdown(result: Mapping[str, Any]) -> list[str]:
    """The page's lines."""
    languages = [*result["words"], ALL]
    rows = [
        _row(found, dtype, contender, lang)
        for dtype, found in result["found"].items()
        for contender in ("without", "with", "wrong")
        for lang in (languages if contender != "without" else [ALL])
    ]
    return [
        *page.head("What guesses save", "drafts", result, {}),
        "",
        "## How to read it",
        "",
        f"- The embedded checkpoint, one word a call, one thread: {sum(result['words'].values())} words, of which its "
        "draft table has seen none.",
        "- with: that table. wrong: a table that is always wrong and sure of it, in a model that was just opened. They "
        f"take turns, word by word; of each word the fastest of {result['rounds']} rounds counts.",
        "- µs a word are those of the library's own work; beside it a word takes two to be checked and handed over.",
        "- times: the ratio to the time without a table. The last columns are parts of the time.",
        "",
        *page.table(rows),
    ]


def total(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Statistics that are added up."""
    added: dict[str, int] = {}
    for each in counts:
        for name, value in each.items():
            added[name] = added.get(name, 0) + value
    return added


def _row(found: Mapping[str, Any], dtype: str, contender: str, lang: str) -> dict[str, str]:
    counts, others = (
        total(found[name].values()) if lang == ALL else found[name][lang] for name in (contender, "without")
    )
    spent, words = sum(counts[field] for field in TIMES.values()), counts["words"]
    return {
        "weights": dtype,
        "table": contender,
        "language": lang,
        "ids": f"{counts['ids'] / words:.1f}",
        "passes": f"{counts['passes'] / words:.2f}",
        "checked": f"{counts['drafted'] / words:.1f}",
        "right": f"{counts['accepted'] / words:.1f}",
        "µs a word": f"{spent / words / 1000:.0f}",
        "times": f"{spent / sum(others[field] for field in TIMES.values()):.3f}",
        **{name: f"{100 * counts[field] / spent:.1f} %" for name, field in TIMES.items()},
    }

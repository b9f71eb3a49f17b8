"""What searches take, as a page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.common import page
from bench.common.spread import digits, spread

__all__ = ["markdown", "write"]

REFERENCE = "transformers float32"


def write(folder: Path, result: Mapping[str, Any]) -> None:
    """Writes the page and the numbers: `beams.md` and `beams.json`, without the words' pronunciations.

    Raises:
        OSError: the folder cannot be written.
    """
    lines = markdown(result)
    times = {
        name: {beams: {way: rows[way] for way in ("alone", "list")} for beams, rows in of.items()}
        for name, of in result["found"].items()
    }
    page.write(folder, "beams", {**result, "found": times}, lines, picture=None)


def markdown(result: Mapping[str, Any]) -> list[str]:
    """The page's lines."""
    numbers = list(next(iter(result["found"].values())))
    rows = [
        _row(name, beams, result) for beams in numbers for name in result["found"] if beams in result["found"][name]
    ]
    return [
        *page.head("What several pronunciations take", "beams", result, result["versions"]),
        "",
        "## How to read it",
        "",
        f"- The embedded checkpoint, batch 1, {result['words']} words, one thread. Each library searches for as many "
        "pronunciations as it has beams; one beam is the plain answer, without the draft table.",
        f"- ms a word: one word a call; in a list: all words in one call. Medians of {result['rounds']} rounds, in "
        "which the libraries take turns, and between what the middle half lies. transformers has one round.",
        "- CTranslate2 takes 16 words of a list together; this project searches for one word after the other.",
        f"- best as transformers: words whose best pronunciation is that of {REFERENCE}, with as many beams. "
        "CTranslate2 decides in another way when a search ends.",
        "",
        *page.table(rows),
    ]


def _row(name: str, beams: str, result: Mapping[str, Any]) -> dict[str, str]:
    found, words = result["found"][name][beams], result["words"]
    wanted = result["found"].get(REFERENCE, {}).get(beams)
    alone, listed = (
        str(spread([1000 * seconds / words for seconds in found[way]])) if found[way] else ""
        for way in ("alone", "list")
    )
    same = sum(mine == theirs for mine, theirs in zip(found["best"], wanted["best"], strict=True)) if wanted else 0
    return {
        "beams": beams,
        "library": name,
        "ms a word": alone,
        "in a list": listed,
        "best as transformers": f"{digits(100 * same / words)} %" if wanted else "",
    }

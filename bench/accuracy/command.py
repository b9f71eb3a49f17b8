"""All of `doit bench accuracy` but its tables: from the options of the command line to plain data."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.accuracy import contenders, words
from bench.accuracy.contender import CannotRun, Contender, Opened, Say
from bench.accuracy.notation import FOLDS, coarse
from bench.accuracy.words import Language
from bench.common import machine
from bench.common.spread import spread
from g2p_build.config.variant import Variant
from g2p_build.engine.build import Build
from g2p_build.errors import BuildError
from g2p_build.reference.scores import Entry, score
from g2p_build.training.use import MOST_USED, wrong_by_use

__all__ = ["Options", "compare", "measure", "options"]

Row = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What the command line says besides the variants."""

    data: str
    languages: tuple[str, ...]  # empty: all
    contenders: tuple[str, ...]  # empty: all
    rounds: int
    hold_out: int


def options(data: str, languages: str, names: str, rounds: int, hold_out: int) -> Options:
    """Reads the options as the command line has them; commas separate the parts of a list.

    Raises:
        BuildError: one is not what it should be.
    """
    if rounds < 1:
        raise BuildError(f"--rounds {rounds}: at least one round is needed")
    if hold_out < 0:
        raise BuildError(f"--hold-out {hold_out}: not a number of words")
    return Options(data, _listed(languages), _listed(names), rounds, hold_out)


def _listed(names: str) -> tuple[str, ...]:
    return tuple(name for name in names.split(",") if name)


def compare(build: Build, variants: Sequence[Variant], options: Options, say: Say) -> Row:
    """Compares built variants with the other contenders.

    Args:
        build: the command's; the variants are published in its tree.
        variants: ours.
        options: as given.
        say: progress.

    Returns:
        Plain data: the machine, the settings, who takes part, and a row for each language and contender (`measure`).

    Raises:
        BuildError: an option names something that does not exist, or the data are wrong.
    """
    taking_part = contenders.chosen(contenders.all_of(build, variants), options.contenders)
    before = machine.load()
    rows: list[Row] = []
    for language in words.languages(options.data, options.languages, options.hold_out):
        rows += measure(language, taking_part, options.rounds, say)
    return {
        "machine": machine.describe(before),
        "rounds": options.rounds,
        "hold_out": options.hold_out,
        "most_used": MOST_USED,
        "contenders": [{"name": each.name, "says": each.says, "licence": each.licence} for each in taking_part],
        "rows": rows,
    }


def measure(language: Language, contenders: Sequence[Contender], rounds: int, say: Say) -> list[Row]:
    """A row for each contender. One that cannot take part has "failed", which says why, and no numbers.

    All are open at once. They are asked for everything first, then timed in turn, round after round.
    """
    rows: dict[str, Row] = {}
    opened: dict[str, Opened] = {}
    for contender in contenders:
        row = {"language": language.code, "contender": contender.name, "licence": contender.licence}
        try:
            one = contender.open(language, say)
            started = time.perf_counter()
            said = one.pronounce([word for word, _ in language.test])
            used = one.pronounce([word for word, _ in language.used]) if language.used else []
            seconds = time.perf_counter() - started
            rows[contender.name] = row | _numbers(contender, language, said, used) | {"failed": None}
            opened[contender.name] = one
            say(f"{language.code}: {contender.name}: {len(said) + len(used)} words in {seconds:.1f} s")
        except CannotRun as why:
            rows[contender.name] = row | {"failed": str(why)}
            say(f"{language.code}: {contender.name}: {why}")
    times: dict[str, list[float]] = {name: [] for name in opened}
    for _ in range(rounds):
        for name, one in opened.items():
            times[name].append(one.ms(language.timed))
    for name, one in opened.items():
        sizes = {"data_bytes": one.data_bytes, "program_bytes": one.program_bytes}
        rows[name] |= {"ms": spread(times[name]).as_json(), **sizes}
    return list(rows.values())


def _numbers(contender: Contender, language: Language, said: Sequence[str], used: Sequence[str]) -> Row:
    """How often it is wrong: in the dictionary's notation, and in the coarse one where the language has one."""
    found: Row = {"words": len(language.test), "used_words": len(language.used), "exact": None, "coarse": None}
    if contender.dictionary_notation:
        found["exact"] = _rates(language, language.test, said, language.used, used)
    if language.code in FOLDS:
        test, most = _coarse(language.test, language.code), _coarse(language.used, language.code)
        said, used = ([coarse(each, language.code) for each in part] for part in (said, used))
        found["coarse"] = _rates(language, test, said, most, used)
    return found


def _coarse(entries: Sequence[Entry], language: str) -> list[Entry]:
    return [(word, tuple(coarse(each, language) for each in known)) for word, known in entries]


def _rates(
    language: Language, test: Sequence[Entry], said: Sequence[str], most: Sequence[Entry], used: Sequence[str]
) -> dict[str, float | None]:
    counts = score(said, [known for _, known in test])
    wrong = round(wrong_by_use(most, used, language.use), 6) if most else None
    return {"per": round(counts.per(), 5), "wer": round(counts.wer(), 5), "running_text": wrong}

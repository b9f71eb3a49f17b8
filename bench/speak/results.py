"""Rows: what the measurements of a run come to, as plain data."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.common.spread import ratios, spread
from bench.speak.contenders import Contender
from bench.speak.measure import Running
from bench.speak.workload import CLAUSE, EARLY, LONG, SENTENCE

__all__ = ["GOALS", "Goal", "failures", "first_sounds", "footprints", "goals", "programs", "times"]

Row = dict[str, Any]

_OURS = "ours-float32"  # the contender that goals are of


@dataclass(frozen=True)
class Goal:
    """What was set out to be reached."""

    says: str
    at_least: bool  # otherwise at most
    value: float
    unit: str


GOALS = {
    "onnxruntime-float32": Goal("one thread: time beside ONNX Runtime float32's", False, 0.8, "times"),
    "onnxruntime-int8": Goal("one thread: time beside ONNX Runtime int8's", False, 0.7, "times"),
    "speedup": Goal("two threads: how many times as fast as one", True, 1.8, "times"),
    "first": Goal("first sound of a short clause, one thread", False, 0.6, "s"),
    "memory": Goal("memory beside the weights, 10 s of sound", False, 120, "MB"),
    "library": Goal("the library", False, 400, "KB"),
}


def times(running: Sequence[Running], rate: int) -> Iterator[Row]:
    """A row for each contender, number of threads and utterance: seconds of work for a second of sound.

    Args:
        running: ours first: all times are compared with its times with as many threads.
        rate: samples a second.
    """
    bases: dict[tuple[int, str], list[float]] = {}
    alone: dict[tuple[str, str], list[float]] = {}
    for one in running:
        for name in (SENTENCE, CLAUSE):
            answers = one.answers.get(name, [])
            if not answers:
                continue
            sound = answers[0]["samples"] / rate
            seconds, worked = ([each[kind] / sound for each in answers] for kind in ("seconds", "cpu_seconds"))
            base = bases.setdefault((one.threads, name), seconds) if one.contender.variant else None
            base = base or bases.get((one.threads, name))
            single = alone.setdefault((one.contender.name, name), seconds)
            yield _head(one.contender, one.threads) | {
                "utterance": name,
                "sound_seconds": sound,
                "rtf": spread(seconds).as_json(),
                "cpu_rtf": spread(worked).as_json(),
                "ratio": ratios(seconds, base).as_json() if base else None,
                "speedup": None if single is seconds else ratios(single, seconds).as_json(),
                "rounds": [round(value, 5) for value in seconds],
                "cpu_rounds": [round(value, 5) for value in worked],
            }


def first_sounds(running: Sequence[Running], rate: int) -> Iterator[Row]:
    """A row for each contender and number of threads: seconds until there is sound to play.

    Ours are handed the clause with the sentence behind it. Who cannot stop early is handed the clause alone.
    """
    for one in running:
        name = EARLY if one.contender.variant else CLAUSE
        answers = one.answers.get(name, [])
        if answers:
            yield _head(one.contender, one.threads) | {
                "handed": name,
                "seconds": spread([each["seconds"] for each in answers]).as_json(),
                "sound_seconds": answers[0]["samples"] / rate,
            }


def footprints(found: Iterable[Row], clocked: Sequence[Running], sizes: Mapping[str, int], rate: int) -> Iterator[Row]:
    """A row for each contender that could speak the long utterance: bytes of files and memory.

    Args:
        found: as `measure.memory` gives them.
        clocked: our libraries that count what they ask for.
        sizes: bytes of our libraries, by variant's name.
        rate: samples a second.
    """
    own = {one.contender.name: one.answers[LONG][0]["own_bytes"] for one in reversed(clocked) if LONG in one.answers}
    for row in found:
        if row["failed"] is None:
            contender = row["contender"]
            beside = row["peak_bytes"] - row["imported_bytes"] - row["model_bytes"]
            kept = ("import_seconds", "open_seconds", "imported_bytes", "model_bytes", "peak_bytes", "versions")
            yield (
                _head(contender, None)
                | {name: row[name] for name in kept}
                | {
                    "library_bytes": sizes[contender.variant.name] if contender.variant else row["library_bytes"],
                    "beside_bytes": beside,
                    "own_bytes": own.get(contender.name),
                    "sound_seconds": row["samples"] / rate,
                }
            )


def programs(clocked: Sequence[Running], peaks: Mapping[str, Any], work: Mapping[str, Mapping[str, Row]]) -> list[Row]:
    """A row for each of our contenders, numbers of threads and programs, and one for what is left of the call.

    What a thread does in a second is by the time of processors: waiting for each other is in the speedup.

    Args:
        clocked: our libraries with clocks in them.
        peaks: of one thread of the machine.
        work: by dtype and program: what the sentence takes.
    """
    rows: list[Row] = []
    alone: dict[tuple[str, str], list[float]] = {}
    for one in clocked:
        answers = one.answers.get(SENTENCE, [])
        if not answers:
            continue
        of = work[one.contender.dtype]
        whole = {name: sum(each[name] for each in of.values()) for name in ("flops", "least_seconds")}
        for role, seconds, worked in _series(answers):
            single = alone.setdefault((one.contender.name, role), seconds)
            row = _head(one.contender, one.threads) | {
                "program": role,
                "ms": _ms(seconds),
                "cpu_ms": _ms(worked),
                "speedup": None if single is seconds else ratios(single, seconds).as_json(),
            }
            does = whole if role == "all" else of.get(role)
            if does is not None:
                middle = spread(worked).median
                gflops = does["flops"] / 1e9 / middle
                row |= {
                    "gflop": does["flops"] / 1e9,
                    "gflops": gflops,
                    "of_sgemm": gflops / peaks["sgemm"],
                    "of_peak": gflops / peaks["gflops"],
                    "of_roof": does["least_seconds"] / middle,
                }
            rows.append(row)
    return rows


def _series(answers: Sequence[Row]) -> Iterator[tuple[str, list[float], list[float]]]:
    """For each program, for what is between them, and for all: seconds on the clock and of processors, one a round."""
    for role in answers[0]["programs"]:
        clock, worked = zip(*(each["programs"][role] for each in answers), strict=True)
        yield role, list(clock), list(worked)
    kinds = [(each, [sum(kind) for kind in zip(*each["programs"].values(), strict=True)]) for each in answers]
    rest = [(each["seconds"] - clock, each["cpu_seconds"] - worked) for each, (clock, worked) in kinds]
    yield "the rest", [clock for clock, _ in rest], [worked for _, worked in rest]
    yield "all", [each["seconds"] for each in answers], [each["cpu_seconds"] for each in answers]


def _ms(seconds: Sequence[float]) -> Row:
    return spread([1000 * value for value in seconds]).as_json()


def failures(found: Iterable[Row], running: Iterable[Running]) -> Iterator[Row]:
    """A row for whoever could not speak, or could not go on."""
    for row in found:
        if row["failed"] is not None:
            yield _head(row["contender"], row["threads"]) | {"failed": row["failed"]}
    for one in running:
        if one.failed is not None:
            yield _head(one.contender, one.threads) | {"failed": one.failed}


def goals(run: Mapping[str, Sequence[Row]]) -> list[Row]:
    """What was set out to be reached, and what was measured of it.

    Args:
        run: rows under "times", "first_sounds" and "footprints".
    """
    spoken = {(row["contender"], row["threads"]): row for row in run["times"] if row["utterance"] == SENTENCE}
    found: dict[str, float] = {}
    worked: dict[str, float] = {}
    mine = spoken.get((_OURS, 1))
    for name in ("onnxruntime-float32", "onnxruntime-int8"):
        if mine and (name, 1) in spoken:
            for kind, into in (("rounds", found), ("cpu_rounds", worked)):
                into[name] = ratios(mine[kind], spoken[name, 1][kind]).median
    if mine and (_OURS, 2) in spoken:
        found["speedup"] = spoken[_OURS, 2]["speedup"]["median"]
    for row in run["first_sounds"]:
        if (row["contender"], row["threads"]) == (_OURS, 1):
            found["first"] = row["seconds"]["median"]
    for row in run["footprints"]:
        if row["contender"] == _OURS:
            found["library"] = row["library_bytes"] / 1e3
            if row["own_bytes"] is not None:
                found["memory"] = row["own_bytes"] / 1e6 * 10 / row["sound_seconds"]
    return [
        {
            "goal": goal.says,
            "bound": f"at {'least' if goal.at_least else 'most'} {goal.value:g} {goal.unit}",
            "found": found[name],
            "of_processors": worked.get(name),
            "met": found[name] >= goal.value if goal.at_least else found[name] <= goal.value,
        }
        for name, goal in GOALS.items()
        if name in found
    ]


def _head(contender: Contender, threads: int | None) -> Row:
    """How each row begins: who, with how many threads."""
    return {
        "contender": contender.name,
        "library": contender.says,
        "dtype": contender.dtype,
        "variant": contender.variant.name if contender.variant else None,
        "threads": threads,
    }

"""Rows: what the measurements of a run come to, as plain data."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.common.spread import Spread, ratios, spread
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
            seconds = [each["seconds"] / sound for each in answers]
            base = bases.setdefault((one.threads, name), seconds) if one.contender.variant else None
            base = base or bases.get((one.threads, name))
            single = alone.setdefault((one.contender.name, name), seconds)
            yield _head(one.contender, one.threads) | {
                "utterance": name,
                "sound_seconds": sound,
                "rtf": spread(seconds).as_json(),
                "cpu_rtf": spread([each["cpu_seconds"] / sound for each in answers]).as_json(),
                "ratio": ratios(seconds, base).as_json() if base else None,
                "speedup": None if single is seconds else ratios(single, seconds).as_json(),
                "rounds": [round(value, 5) for value in seconds],
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
        series = {role: [each["programs"][role] for each in answers] for role in answers[0]["programs"]}
        series["the rest"] = [each["seconds"] - sum(each["programs"].values()) for each in answers]
        series["all"] = [each["seconds"] for each in answers]
        of = work[one.contender.dtype]
        whole = {name: sum(each[name] for each in of.values()) for name in ("flops", "least_seconds")}
        for role, seconds in series.items():
            single = alone.setdefault((one.contender.name, role), seconds)
            middle = spread(seconds)
            row = _head(one.contender, one.threads) | {
                "program": role,
                "ms": Spread(*(1000 * value for value in middle)).as_json(),
                "speedup": None if single is seconds else ratios(single, seconds).as_json(),
            }
            does = whole if role == "all" else of.get(role)
            if does is not None:
                gflops = does["flops"] / 1e9 / middle.median
                row |= {
                    "gflop": does["flops"] / 1e9,
                    "gflops": gflops,
                    "of_sgemm": gflops / peaks["sgemm"] / one.threads,
                    "of_peak": gflops / peaks["gflops"] / one.threads,
                    "of_roof": does["least_seconds"] / middle.median / one.threads,
                }
            rows.append(row)
    return rows


def failures(found: Iterable[Row], running: Iterable[Running]) -> Iterator[Row]:
    """A row for whoever could not speak, or could not go on."""
    for row in found:
        if row["failed"] is not None:
            yield _head(row["contender"], None) | {"failed": row["failed"]}
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
    mine = spoken.get((_OURS, 1))
    for name in ("onnxruntime-float32", "onnxruntime-int8"):
        if mine and (name, 1) in spoken:
            found[name] = spread(
                [own / other for own, other in zip(mine["rounds"], spoken[name, 1]["rounds"], strict=False)]
            ).median
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

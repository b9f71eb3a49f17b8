"""The result of a run as tables: for a terminal, and as the document that is kept."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.common import page
from bench.common.spread import Spread, digits
from bench.speak.plot import svg

__all__ = ["FILES", "markdown", "tables", "write"]

FILES = "kokoro"
"""Name, without its ending, of the files that a report is kept in."""

Row = Mapping[str, Any]


def write(folder: Path, result: Row) -> None:
    """Writes the document, the numbers and the picture: `kokoro.md`, `.json` and `.svg`.

    Args:
        folder: made if it is not there.
        result: as `command.bench` returns it, with the "command" that gives it again.

    Raises:
        OSError: the folder cannot be written.
    """
    picture = svg(result)
    page.write(folder, FILES, result, markdown(result, picture is not None), picture)


def tables(result: Row) -> list[tuple[str, list[dict[str, str]]]]:
    """The tables that have rows: a title, and the rows with the same fields each."""
    found = [
        ("goals", [_goal(row) for row in result["goals"]]),
        ("seconds of work for a second of sound", [_time(row) for row in result["times"]]),
        ("first sound", [_first(row) for row in result["first_sounds"]]),
        ("files and memory", [_footprint(row) for row in result["footprints"]]),
        ("our programs by themselves", [_program(row) for row in result["programs"]]),
        ("not measured", [_failure(row) for row in result["failures"]]),
    ]
    return [(title, listed) for title, listed in found if listed]


def _goal(row: Row) -> dict[str, str]:
    return {
        "goal": row["goal"],
        "bound": row["bound"],
        "found": digits(row["found"]),
        "of processors": "" if row["of_processors"] is None else digits(row["of_processors"]),
        "reached": "yes" if row["met"] else "no",
    }


def _time(row: Row) -> dict[str, str]:
    return {
        "contender": row["contender"],
        "threads": str(row["threads"]),
        "spoken": row["utterance"],
        "sound s": digits(row["sound_seconds"]),
        "s a second": _spread(row["rtf"]),
        "of processors": _spread(row["cpu_rtf"]),
        "times ours": _spread(row["ratio"]) if row["ratio"] else "",
        "speedup": _spread(row["speedup"]) if row["speedup"] else "",
    }


def _first(row: Row) -> dict[str, str]:
    return {
        "contender": row["contender"],
        "threads": str(row["threads"]),
        "s until sound": _spread(row["seconds"]),
        "sound s": digits(row["sound_seconds"]),
    }


def _footprint(row: Row) -> dict[str, str]:
    own = row["own_bytes"]
    return {
        "contender": row["contender"],
        "sound s": digits(row["sound_seconds"]),
        "library KB": digits(row["library_bytes"] / 1e3),
        "model MB": digits(row["model_bytes"] / 1e6),
        "open s": digits(row["open_seconds"]),
        "peak MB": digits(row["peak_bytes"] / 1e6),
        "beside the weights MB": digits(row["beside_bytes"] / 1e6),
        "asked for MB": "" if own is None else digits(own / 1e6),
    }


def _program(row: Row) -> dict[str, str]:
    counted = "gflop" in row
    return {
        "contender": row["contender"],
        "threads": str(row["threads"]),
        "program": row["program"],
        "ms": _spread(row["ms"]),
        "ms of processors": _spread(row["cpu_ms"]),
        "GFLOP": digits(row["gflop"]) if counted else "",
        "GFLOP/s": digits(row["gflops"]) if counted else "",
        **{
            of: f"{row[name]:.0%}" if counted else ""
            for of, name in (("of sgemm", "of_sgemm"), ("of the peak", "of_peak"), ("of the roofline", "of_roof"))
        },
        "speedup": _spread(row["speedup"]) if row["speedup"] else "",
    }


def _failure(row: Row) -> dict[str, str]:
    return {"contender": row["contender"], "threads": str(row["threads"]), "why": row["failed"]}


def _spread(values: Mapping[str, float]) -> str:
    return str(Spread(**values))


def markdown(result: Row, drawn: bool) -> list[str]:
    """The document's lines: how it was measured, on what, and the tables.

    Args:
        result: as for `write`.
        drawn: whether there is a picture.
    """
    title = "Speaking: this project's library against what else speaks with the same weights"
    lines = page.head(title, FILES, result, _versions(result), page.image(FILES, "ratios", drawn))
    lines += [_peaks(result["peaks"]), "", *_method(result)]
    for title, rows in tables(result):
        lines += ["", f"## {title.capitalize()}", "", *page.table(rows)]
    return lines


def _peaks(peaks: Row) -> str:
    reads = ", ".join(f"{rate:.0f} from {int(size) >> 20} MB" for size, rate in peaks["reads"].items())
    return (
        f"- one thread's peaks: {peaks['gflops']:.0f} GFLOP/s of multiply-adds in registers, {peaks['sgemm']:.0f} of "
        f"PyTorch's best sgemm; GB/s read: {reads}"
    )


def _method(result: Row) -> Sequence[str]:
    return [
        "## How to read it",
        "",
        f"- Checkpoint {result['checkpoint']}, voice {result['voice']}; {result['rounds']} rounds.",
        f"- Spoken: the sentence `{result['utterances']['sentence']}`, the clause "
        f"`{result['utterances']['clause']}`, and for memory one long sentence.",
        "- Every contender is a process of its own for each number of threads, bound to as many cores. All are open at "
        "once and take turns, round after round; a value is the median over the rounds, with the first and third "
        'quartile. "Times ours" is the contender\'s time divided by that of the first contender with as many threads, '
        'in the same round: above 1 is slower than ours. "Speedup" is how many times as fast it is as with the fewest '
        "threads. The first pass of each is not timed.",
        '- "Of processors" counts what all threads computed, without waiting for a core. Where it is far below the '
        "time of one thread, others used the machine, and this is nearer to the truth.",
        "- Noise is drawn anew by everybody, and it is part of the time. Contenders whose sound is not as long as ours "
        "found other durations: int8 does.",
        "- First sound: ours get the clause with the sentence behind it, and are stopped when the first piece is "
        "there; the others get the clause alone.",
        "- Memory: the most that a process held while it spoke the long sentence, once, with the fewest threads; "
        '"beside the weights" is that without what it held when its libraries were imported, and without the bytes of '
        'the model\'s files. Of ours, "asked for" is what the library had of its allocator, exactly; the goal is of '
        "that, for 10 s of sound. Library: our shared library; of others, the shared libraries that are mapped and are "
        "the contender's own, not Python or NumPy.",
        "- Programs: a library linked of the same objects, with a clock around each program, speaks the sentence. "
        "GFLOP are counted in the programs' graphs: two for each product that convolutions, linear layers, LSTMs and "
        "attention add up, of fast convolutions those that they have left. GFLOP/s and the shares are of one thread "
        "while it computes; that threads wait for each other is in the speedup. Of the roofline: the time that the "
        "peaks allow, for the products or for the memory of each operation, divided by what was computed. "
        '"The rest" is what is between the programs: the noise, and copies.',
    ]


def _versions(result: Row) -> dict[str, str]:
    return dict(sorted({item for row in result["footprints"] for item in row["versions"].items()}))

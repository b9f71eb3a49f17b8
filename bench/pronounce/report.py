"""The result of a run as tables: for a terminal, and as the document that is kept."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.common import page
from bench.common.spread import Spread, digits
from bench.pronounce.plot import svg
from bench.pronounce.workload import PROMPT_BYTES

__all__ = ["FILES", "markdown", "tables", "write"]

FILES = "pronounce"
"""Name, without its ending, of the files that a report is kept in."""

Row = Mapping[str, Any]


def write(folder: Path, result: Row) -> None:
    """Writes the document, the numbers and the picture: `pronounce.md`, `.json` and `.svg`.

    Args:
        folder: made if it is not there.
        result: as `command.bench` returns it, with the "command" that gives it again.

    Raises:
        OSError: the folder cannot be written.
    """
    picture = svg(result["runs"])
    page.write(folder, FILES, result, markdown(result, picture is not None), picture)


def tables(run: Row) -> list[tuple[str, list[dict[str, str]]]]:
    """A run's tables that have rows: a title, and the rows with the same fields each."""
    rows = run["rows"]
    everything = [*rows, *run["lists"], *run["opening"]]
    found = [
        (f"{run['checkpoint']}: milliseconds a word", [_time(row) for row in rows if "ms" in row]),
        (f"{run['checkpoint']}: one list", [_list(row) for row in run["lists"] if "ms" in row]),
        (f"{run['checkpoint']}: opening", [_opening(row) for row in run["opening"] if "ms" in row]),
        (f"{run['checkpoint']}: our libraries", [_library(row) for row in run["opening"] if "sizes" in row]),
        (f"{run['checkpoint']}: footprint", _footprints(rows)),
        (f"{run['checkpoint']}: words of the whole list", [_agreement(row) for row in rows if _whole(row)]),
        (f"{run['checkpoint']}: our functions by themselves", [_function(row) for row in run["functions"]]),
        (f"{run['checkpoint']}: not measured", [_failure(row) for row in everything if row["failed"]]),
    ]
    return [(title, listed) for title, listed in found if listed]


def _time(row: Row) -> dict[str, str]:
    return {
        "contender": row["contender"],
        "threads": str(row["threads"]),
        "batch": str(row["batch"]),
        "ms a word": _spread(row["ms"]),
        "times ours": _spread(row["ratio"]) if row["ratio"] else "",
        "differ": "" if row["differ"] is None else f"{row['differ']} of {row['words']}",
    }


def _list(row: Row) -> dict[str, str]:
    return {
        "contender": row["contender"],
        "threads": str(row["threads"]),
        "words a batch": "its own" if row["most"] is None else str(row["most"]),
        "words a second": _spread(row["words_s"]),
        "ms a word": _spread(row["ms"]),
        "times ours": _spread(row["ratio"]) if row["ratio"] else "",
        "speedup": _spread(row["speedup"]) if row["speedup"] else "",
        "differ": "" if row["differ"] is None else f"{row['differ']} of {row['words']}",
    }


def _opening(row: Row) -> dict[str, str]:
    return {
        "what": row["contender"],
        "from": row["language"],
        "ms": _spread(row["ms"]),
        "times import torch": _spread(row["torch_ratio"]) if row["torch_ratio"] else "",
    }


def _library(row: Row) -> dict[str, str]:
    parts = {f"{part} KB": digits(row["sizes"][part] / 1e3) for part in ("library", "kernels", "core", "tables")}
    memory = digits(row["peak_bytes"] / 1e3) if "peak_bytes" in row else ""
    return {"contender": row["contender"], **parts, "memory KB": memory}


def _footprints(rows: Sequence[Row]) -> list[dict[str, str]]:
    """A row for each contender, with the fewest threads it was measured with."""
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        if "ms" in row and row["contender"] not in found:
            found[row["contender"]] = {
                "contender": row["contender"],
                "package MB": _megabytes(row["model_bytes"] + row["library_bytes"]),
                "model MB": _megabytes(row["model_bytes"]),
                "library MB": _megabytes(row["library_bytes"]),
                "load s": _spread(row["load"]),
                "times ours": _spread(row["load_ratio"]) if row["load_ratio"] else "",
                "open s": digits(row["open_seconds"]),
                "peak MB": _megabytes(row["peak_bytes"]),
            }
    return list(found.values())


def _whole(row: Row) -> bool:
    return row["batch"] is None and row.get("differ") is not None


def _agreement(row: Row) -> dict[str, str]:
    return {"contender": row["contender"], "words": str(row["words"]), "differ": str(row["differ"])}


def _function(row: Row) -> dict[str, str]:
    sizes = {"batch": row["batch"], "input length": row["input_len"], "new tokens": row["tokens"]}
    return {
        "contender": row["contender"],
        "function": row["function"],
        **{name: "" if size is None else str(size) for name, size in sizes.items()},
        "microseconds": str(Spread(*row["us"])),
    }


def _failure(row: Row) -> dict[str, str]:
    return {"contender": row["contender"], "threads": str(row.get("threads", "")), "why": row["failed"]}


def _spread(values: Mapping[str, float]) -> str:
    return str(Spread(**values))


def _megabytes(size: int) -> str:
    return digits(size / 1e6)


def markdown(result: Row, drawn: bool) -> list[str]:
    """The document's lines: how it was measured, on what, and the tables.

    Args:
        result: as for `write`.
        drawn: whether there is a picture.
    """
    title = "Pronouncing: this project's libraries against what else there is"
    lines = page.head(title, FILES, result, _versions(result), page.image(FILES, "ratios", drawn))
    lines += ["", *_method()]
    for run in result["runs"]:
        lines += ["", f"## Checkpoint {run['checkpoint']}", "", _about(run)]
        for title, rows in tables(run):
            lines += ["", f"### {title.partition(': ')[2].capitalize()}", "", *page.table(rows)]
    return lines


def _method() -> list[str]:
    return [
        "## How to read it",
        "",
        "- Every contender is a process of its own, bound to as many cores as it has threads. All are open at once and "
        "take turns, round after round; a value is the median over the rounds, with the first and third quartile. "
        '"Times ours" is the contender\'s time divided by that of the first contender in the same round: above 1 is '
        "slower than ours. The first pass of each is not timed.",
        "- Two threads: our runtime and CTranslate2 pronounce two batches side by side; the others share "
        "the work of one.",
        "- Where tokens are forced, our standalone library is compiled for a model whose end token is one that it does "
        "not say (a number in a table; the code is the same), and is asked for so many.",
        "- One list: all words of all languages in one call, for those who take that. Our library sorts words by "
        "length and fills the places of finished ones by itself. CTranslate2 sorts them and makes batches of a size "
        "that its caller names; the best of several, in trials of the same run, is what is compared. All contenders "
        'and numbers of threads take turns in one round. "Speedup" is how many times as fast it is as with the '
        "fewest threads.",
        "- Opening: fresh processes, files in the page cache. From Python: from importing our runtime to the first "
        "word, beside the time that importing torch alone takes. From C: from `g2p_open` to the first word, in a "
        "program linked with the static library.",
        "- Our libraries: what the shared library and the parts that it is linked from have on disk. Memory: the most "
        "that the library had asked its allocator for when one thread had pronounced one word; the mapped weights are "
        "not among it.",
        "- Graph libraries (ExecuTorch, stock TVM) get static programs at the lengths that the words need; inputs are "
        "padded to the next.",
        '- "Differ" counts words whose ids are not those of transformers. Where tokens are forced, only what comes '
        "before an end token is compared.",
        "- Our functions by themselves are timed in a library for TVM's virtual machine, which has the same kernels "
        "and where each can be called.",
        "- Package: the model's files (of ours, the archive of the weights), and the shared libraries that the process "
        "had mapped and that are the contender's own: not Python, NumPy, or the torch that ExecuTorch's Python "
        "bindings load. For the smallest batch.",
        '- Load: from starting the process to its first word, files in the page cache; "open" leaves out starting '
        "Python and importing. Peak: the most memory that the process had held after its first pass at the smallest "
        "batch size, Python included.",
    ]


def _about(run: Row) -> str:
    lens = f"{run['max_lens']['input']} tokens in and {run['max_lens']['output']} out at most"
    if run["words"] == "made up":
        words = f"Random weights, made-up words whose prompts are {PROMPT_BYTES} bytes long"
    else:
        words = f"Real words ({run['words']})"
    words += f", and those of {run['list']} as one list" if run["list"] and run["words"] == "made up" else ""
    forced = f", {run['forced_tokens']} tokens each whatever the model says" if run["forced_tokens"] else ""
    return f"{words}{forced}; {lens}; {run['rounds']} rounds."


def _versions(result: Row) -> dict[str, str]:
    rows = [row for run in result["runs"] for row in [*run["rows"], *run["lists"]]]
    return dict(sorted({item for row in rows for item in row.get("versions", {}).items()}))

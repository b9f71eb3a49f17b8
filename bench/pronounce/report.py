"""The result of a run as tables: for a terminal, and as the document that is kept."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.pronounce.plot import svg
from bench.pronounce.workload import PROMPT_BYTES
from g2p_build.store.files import write_atomically

__all__ = ["FILES", "markdown", "tables", "write"]

FILES = "pronounce"
"""Name, without its ending, of the files that a report is kept in."""

Row = Mapping[str, Any]


def write(folder: Path, result: Row, command: str) -> None:
    """Writes the document, the numbers and the picture: `pronounce.md`, `.json` and `.svg`.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = json.dumps({"command": command, **result}, indent=1, ensure_ascii=False) + "\n"
    for ending, text in (("md", markdown(result, command)), ("json", numbers), ("svg", svg(result["runs"]))):
        name = f"{FILES}.{ending}"
        write_atomically(folder / name, text.encode(), folder / f".{name}.tmp")


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
        "times import torch": _spread(row["torch_ratio"], 4) if row["torch_ratio"] else "",
    }


def _library(row: Row) -> dict[str, str]:
    parts = {f"{part} KB": _digits(row["sizes"][part] / 1e3) for part in ("library", "kernels", "core", "tables")}
    memory = _digits(row["peak_bytes"] / 1e3) if "peak_bytes" in row else ""
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
                "open s": f"{row['open_seconds']:.2f}",
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
        "microseconds": _spread(dict(zip(("median", "low", "high"), row["us"], strict=True))),
    }


def _failure(row: Row) -> dict[str, str]:
    return {"contender": row["contender"], "threads": str(row.get("threads", "")), "why": row["failed"]}


def _spread(values: Mapping[str, float], places: int = 2) -> str:
    """ "12.3 (11.9-12.8)": three digits that mean something, or so many places of a small number."""
    median, low, high = (_digits(values[name], places) for name in ("median", "low", "high"))
    return f"{median} ({low}-{high})"


def _digits(value: float, places: int = 2) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.{places}f}"


def _megabytes(size: int) -> str:
    return _digits(size / 1e6)


def markdown(result: Row, command: str) -> str:
    """The document: how it was measured, on what, and the tables.

    Args:
        result: what `command.bench` gave.
        command: that gives it again.
    """
    machine = result["machine"]
    lines = [
        "# Pronouncing: this project's libraries against what else there is",
        "",
        "Written by the command; the numbers behind it are in `pronounce.json`.",
        "",
        "```sh",
        command,
        "```",
        "",
        f"![ratios]({FILES}.svg)",
        "",
        "## Machine",
        "",
        f"- {machine['processor']} ({machine['machine']}, {machine['vectors'] or 'no known vectors'}), "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB",
        f"- {machine['system']}, Python {machine['python']}",
        f"- {', '.join(f'{name} {version}' for name, version in _versions(result).items())}",
        f"- load before and after: {machine['load'][0]} and {machine['load'][1]} processes",
        "",
        *_method(),
    ]
    for run in result["runs"]:
        lines += ["", f"## Checkpoint {run['checkpoint']}", "", _about(run)]
        for title, rows in tables(run):
            lines += ["", f"### {title.partition(': ')[2].capitalize()}", "", *_table(rows)]
    return "\n".join(lines) + "\n"


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


def _table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    return [
        "| " + " | ".join(rows[0]) + " |",
        "|" + "---|" * len(rows[0]),
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in row.values()) + " |" for row in rows),
    ]

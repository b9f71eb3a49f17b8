"""A contender's process: opens a model, then answers requests, one JSON line each.

Run as `python -m g2p_build.bench.child FD`. Standard input gives the setup, then the requests; the answers go to the
file descriptor FD; whatever the library prints goes to the error stream, which is a log.

    {"setup": {...}, "words": {"8": [[word, ...], ...]}, "checkpoint": folder or null}
    {"batch": 8, "ids": true}   →   {"seconds": 0.12, "words": 96, "ids": [[...], ...]}
"""

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from g2p_build.bench.setup import Pronounce, Setup, Word, from_json

__all__ = ["mapped_libraries"]


def main(answers: IO[str]) -> None:
    """Serves until standard input ends."""
    os.dup2(2, 1)
    asked = json.loads(sys.stdin.readline())
    setup = from_json(asked["setup"])
    if asked["checkpoint"] is not None:
        _prepare(setup, Path(asked["checkpoint"]))
        _say(answers, {"prepared": True})
        return
    words = {
        int(size): [[Word(word[0], word[1], tuple(word[2])) for word in batch] for batch in batches]
        for size, batches in asked["words"].items()
    }
    engine = importlib.import_module(f"g2p_build.bench.engines.{setup.engine}")
    started = time.perf_counter()
    pronounce = engine.open_model(setup)
    pronounce(words[setup.batches[0]][:1])
    _say(
        answers,
        {
            "open_seconds": time.perf_counter() - started,
            "model_bytes": sum(path.stat().st_size for path in engine.model_files(setup)),
            "library_bytes": mapped_libraries(engine.LIBRARIES),
        },
    )
    for line in sys.stdin:
        _say(answers, _answer(pronounce, words, json.loads(line)))


def _answer(
    pronounce: Pronounce, words: Mapping[int, Sequence[Sequence[Word]]], request: Mapping[str, Any]
) -> dict[str, Any]:
    batches = words[request["batch"]]
    started = time.perf_counter()
    ids = pronounce(batches)
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "words": sum(len(batch) for batch in batches),
        "ids": ids if request["ids"] else None,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def _prepare(setup: Setup, checkpoint: Path) -> None:
    out = Path(setup.folder)
    importlib.import_module(f"g2p_build.bench.engines.{setup.engine}").prepare(setup, checkpoint, out)


def mapped_libraries(parts: Sequence[str]) -> int:
    """Bytes of the shared libraries in this process whose paths hold one of some parts. Linux only; 0 elsewhere."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return 0
    paths = {line.split(maxsplit=5)[5] for line in maps.read_text().splitlines() if ".so" in line}
    return sum(Path(path).stat().st_size for path in paths if any(part in path for part in parts))


def _say(answers: IO[str], answer: Mapping[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(os.fdopen(int(sys.argv[1]), "w"))

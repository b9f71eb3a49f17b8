"""A contender's process: opens a model, then answers requests, a JSON line each.

Run as `python -m bench.pronounce.child FD`. Standard input has a first line that says what to open, then the requests;
the answers go to the file descriptor FD; whatever the library prints goes to the error stream, which is a log.

    {"setup": {...}, "cores": [0], "words": {"8": [[[language, text, ids], ...], ...]}}
        →   {"import_seconds": 0.1, "open_seconds": 0.2, "model_bytes": ..., "library_bytes": ..., "versions": {...}}
    {"words": "8", "ids": true}   →   {"seconds": 0.12, "ids": [[...], ...], "peak_bytes": ...}
    {"words": "list", "most": 16, "ids": false}   →   the same; its batches are one, which is pronounced in one call
    {"functions": true}           →   {"functions": [...]}   (our own runtime on the virtual machine)

With "checkpoint" in the first line, a folder, it makes the contender's files in the setup's folder instead.
"""

import importlib
import importlib.metadata
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

from bench.pronounce.setup import Batch, PronounceList, Word, from_json

__all__ = ["library_bytes"]


def main(answers: IO[str]) -> None:
    """Serves until standard input ends."""
    started = time.perf_counter()
    os.dup2(2, 1)
    asked = json.loads(sys.stdin.readline())
    setup = from_json(asked["setup"])
    engine = importlib.import_module(f"bench.pronounce.engines.{setup.engine}")
    if "checkpoint" in asked:
        engine.prepare(setup, Path(asked["checkpoint"]), Path(setup.folder))
        _say(answers, {"prepared": True})
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, asked["cores"])
    words: dict[str, list[Batch]] = {
        name: [[Word(language, text, tuple(ids)) for language, text, ids in batch] for batch in batches]
        for name, batches in asked["words"].items()
    }
    for module in engine.IMPORTS:
        importlib.import_module(module)
    imported = time.perf_counter()
    pronounce = engine.open_model(setup)
    pronounce(words[str(setup.batches[0])][:1])
    _say(
        answers,
        {
            "import_seconds": imported - started,
            "open_seconds": time.perf_counter() - imported,
            "model_bytes": sum(path.stat().st_size for path in engine.model_files(setup)),
            "library_bytes": library_bytes(engine.LIBRARIES),
            "versions": _versions(engine.DISTRIBUTIONS),
        },
    )
    pronounce_list: PronounceList | None = None
    for line in sys.stdin:
        request = json.loads(line)
        if "functions" in request:
            _say(answers, {"functions": engine.function_times(setup)})
        elif "most" in request:
            pronounce_list = pronounce_list or engine.open_list(setup)
            [listed] = words[request["words"]]
            _say(answers, _timed(partial(pronounce_list, listed, request["most"]), request["ids"]))
        else:
            _say(answers, _timed(partial(pronounce, words[request["words"]]), request["ids"]))


def _timed(pronounce: Callable[[], list[list[int]]], with_ids: bool) -> dict[str, Any]:
    started = time.perf_counter()
    ids = pronounce()
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"seconds": seconds, "ids": ids if with_ids else None, "peak_bytes": peak}


def library_bytes(parts: Iterable[str]) -> int:
    """Bytes of the shared libraries in this process whose paths hold one of some parts; 0 where that is not told."""
    maps = Path("/proc/self/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    paths = {line.split(maxsplit=5)[5] for line in lines if ".so" in line}
    return sum(Path(path).stat().st_size for path in paths if any(part in path for part in parts))


def _versions(distributions: Iterable[str]) -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in distributions}


def _say(answers: IO[str], answer: Mapping[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(os.fdopen(int(sys.argv[1]), "w"))

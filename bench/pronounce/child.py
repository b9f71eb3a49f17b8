"""A contender's process: opens a model, then answers questions (see `g2p_build.engine.pipes`).

The first question says what to open:

    {"setup": {...}, "cores": [0], "words": {"8": [[[language, text, ids], ...], ...]}}
        →   {"import_seconds": 0.1, "open_seconds": 0.2, "model_bytes": ..., "library_bytes": ..., "versions": {...}}

The others have it do something:

    {"words": "8", "ids": true}   →   {"seconds": 0.12, "ids": [[...], ...], "peak_bytes": ...}
    {"words": "list", "most": 16, "ids": false}   →   the same; its batches are one, which is pronounced in one call
    {"functions": true}           →   {"functions": [...]}   (our own runtime on the virtual machine)

Where the first question has a "checkpoint", a folder, nothing is opened: the contender's files are made in the setup's
folder.
"""

import importlib
import os
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench.common.parts import library_bytes, versions
from bench.pronounce.setup import Batch, PronounceList, Word, from_json
from g2p_build.engine import pipes


def main() -> None:
    """Answers until nobody asks any more."""
    started = time.perf_counter()
    answer, questions = pipes.answering(), pipes.requests()
    asked = next(questions)
    setup = from_json(asked["setup"])
    engine = importlib.import_module(f"bench.pronounce.engines.{setup.engine}")
    if "checkpoint" in asked:
        engine.prepare(setup, Path(asked["checkpoint"]), Path(setup.folder))
        answer({"prepared": True})
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
    answer(
        {
            "import_seconds": imported - started,
            "open_seconds": time.perf_counter() - imported,
            "model_bytes": sum(path.stat().st_size for path in engine.model_files(setup)),
            "library_bytes": library_bytes(engine.LIBRARIES),
            "versions": versions(engine.DISTRIBUTIONS),
        },
    )
    pronounce_list: PronounceList | None = None
    for question in questions:
        if "functions" in question:
            answer({"functions": engine.function_times(setup)})
        elif "most" in question:
            pronounce_list = pronounce_list or engine.open_list(setup)
            [listed] = words[question["words"]]
            answer(_timed(partial(pronounce_list, listed, question["most"]), question["ids"]))
        else:
            answer(_timed(partial(pronounce, words[question["words"]]), question["ids"]))


def _timed(pronounce: Callable[[], list[list[int]]], with_ids: bool) -> dict[str, Any]:
    started = time.perf_counter()
    ids = pronounce()
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"seconds": seconds, "ids": ids if with_ids else None, "peak_bytes": peak}


if __name__ == "__main__":
    main()

"""A contender's process: opens a model, then answers questions (see `g2p_build.engine.pipes`).

The first question says what to open:

    {"setup": {...}, "cores": [0], "utterances": {"clause": [phonemes, ids], ...}}
        →   {"import_seconds": 0.1, "open_seconds": 0.2, "imported_bytes": ..., "model_bytes": ...,
             "library_bytes": ..., "versions": {...}}

The others have it speak; with "first" only until the first piece of sound:

    {"utterance": "clause", "first": false}
        →   {"seconds": 1.2, "cpu_seconds": 1.1, "samples": 36000, "peak_bytes": ...}

`peak_bytes` is the most that the process held while it spoke. An engine that has `details` adds what it says.

Where the first question has a "checkpoint", a folder, nothing is opened: the contender's files are made in the setup's
folder.
"""

import contextlib
import importlib
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from bench.common.parts import library_bytes, versions
from bench.speak.setup import Setup, Speak, Utterance
from g2p_build.engine import pipes

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


def main() -> None:
    """Answers until nobody asks any more."""
    started = time.perf_counter()
    answer, questions = pipes.answering(), pipes.requests()
    asked = next(questions)
    setup = Setup(**asked["setup"])
    utterances = {name: Utterance(text, tuple(ids)) for name, (text, ids) in asked["utterances"].items()}
    engine: Any = importlib.import_module(f"bench.speak.engines.{setup.engine}")
    if "checkpoint" in asked:
        engine.prepare(setup, Path(asked["checkpoint"]), Path(setup.folder), list(utterances.values()))
        answer({"prepared": True})
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, asked["cores"])
    for module in engine.IMPORTS:
        importlib.import_module(module)
    imported, imported_bytes = time.perf_counter(), _held("VmRSS")
    speak = engine.open_model(setup)
    first = engine.open_first(setup) if hasattr(engine, "open_first") else speak  # who cannot stop early does not
    answer(
        {
            "import_seconds": imported - started,
            "open_seconds": time.perf_counter() - imported,
            "imported_bytes": imported_bytes,
            "model_bytes": sum(path.stat().st_size for path in engine.model_files(setup)),
            "library_bytes": library_bytes(engine.LIBRARIES),
            "versions": versions(engine.DISTRIBUTIONS),
        },
    )
    for question in questions:
        found = _timed(first if question["first"] else speak, utterances[question["utterance"]])
        answer(found | (engine.details() if hasattr(engine, "details") else {}))


def _timed(speak: Speak, utterance: Utterance) -> dict[str, Any]:
    with contextlib.suppress(OSError):  # where it may not be reset, the peak is that of opening too
        _CLEAR.write_text(_RESET_PEAK)
    started, used = time.perf_counter(), time.process_time()
    samples = speak(utterance)
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    return {"seconds": seconds, "cpu_seconds": cpu, "samples": samples, "peak_bytes": _held("VmHWM")}


def _held(field: str) -> int:
    """Bytes of a field of the process's status; the most memory so far, where the system has no such file."""
    if not _STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    [line] = [line for line in _STATUS.read_text().splitlines() if line.startswith(f"{field}:")]
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    main()

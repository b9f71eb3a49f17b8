"""A process that says what this machine could do, and what programs ask of it (see `g2p_build.engine.pipes`).

{"target": {...}}   →   {"gflops": ..., "sgemm": ..., "reads": {"1048576": ...}}
{"architecture": {...}, "dtype": "float32", "tokens": 68, "frames": 183, "peaks": the answer to the first}
    →   {"bert": {"flops": ..., "least_seconds": ...}, ...}
"""

import os
from dataclasses import asdict
from typing import Any

from bench.speak.work import counted, least_seconds
from g2p_build.compiler.peaks import Peaks, measure
from g2p_build.compiler.pipeline import target_of
from g2p_build.engine import pipes
from g2p_build.models.kokoro.architecture import from_json


def main() -> None:
    """Answers until nobody asks any more."""
    answer = pipes.answering()
    for question in pipes.requests():
        answer(_peaks(question) if "target" in question else _work(question))


def _peaks(question: dict[str, Any]) -> dict[str, Any]:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    return asdict(measure(target_of(question["target"])))


def _work(question: dict[str, Any]) -> dict[str, Any]:
    given = question["peaks"]
    peaks = Peaks(given["gflops"], given["sgemm"], {int(size): rate for size, rate in given["reads"].items()})
    found = counted(from_json(question["architecture"]), question["dtype"], question["tokens"], question["frames"])
    return {
        role: {
            "flops": sum(each.flops for each in operations),
            "least_seconds": least_seconds(operations, peaks.gflops, peaks.read),
        }
        for role, operations in found.items()
    }


if __name__ == "__main__":
    main()

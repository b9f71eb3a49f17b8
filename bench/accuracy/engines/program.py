"""Asks a program that takes a list of words and answers with a line for each, as soon as it knows it."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.accuracy.contender import CannotRun
from bench.common.parts import library_bytes
from bench.common.process import last_line

__all__ = ["Answer", "ask"]


@dataclass(frozen=True)
class Answer:
    """What a program wrote."""

    lines: list[str]
    ms: float  # milliseconds a line, from the first to the last: opening is not in it
    library_bytes: int  # of the shared libraries that it had mapped and that are its own


def ask(
    command: Sequence[str],
    words: Sequence[str],
    own: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Answer:
    """Runs a program to its end.

    Args:
        command: the program and its arguments.
        words: for its standard input, one a line; at least one.
        own: parts of paths; the shared libraries whose paths have one are the program's own.
        environment: its variables; None: those of this process.

    Raises:
        CannotRun: it failed, or wrote nothing. The last line that it printed says why.
    """
    lines: list[str] = []
    times: list[float] = []
    libraries = 0
    # Files, because nobody could wait for anybody else at a full pipe.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as asked, tempfile.TemporaryFile("w+") as errors:
        asked.write("".join(f"{word}\n" for word in words))
        asked.seek(0)
        with subprocess.Popen(
            command, stdin=asked, stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8", env=environment
        ) as process:
            assert process.stdout
            for line in process.stdout:
                times.append(time.perf_counter())
                libraries = libraries or library_bytes(own, str(process.pid))
                lines.append(line.rstrip("\n"))
        if process.returncode or not lines:
            errors.seek(0)
            raise CannotRun(f"{Path(command[0]).name} failed: {last_line(errors.read()) or 'it wrote nothing'}")
    return Answer(lines, (times[-1] - times[0]) / max(1, len(lines) - 1) * 1e3, libraries)

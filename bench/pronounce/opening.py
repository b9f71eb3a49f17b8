"""From opening a variant to its first word, in fresh processes: from Python and from C, beside `import torch`."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from bench.common.checkout import ROOT
from bench.common.process import Failed, last_line
from bench.common.spread import ratios, spread
from bench.pronounce.contenders import Contender
from bench.pronounce.setup import Word
from g2p_build import graph
from g2p_build.config.variant import Variant
from g2p_build.engine.build import Build
from g2p_build.store.digests import digest_of, file_digest

__all__ = ["TORCH", "opening"]

TORCH = "import torch"
"""Names the row to compare with: the time of importing the library that most models run in, and nothing else."""

_C = Path(__file__).with_suffix(".c")
_SECONDS = 600

# Each prints one line of JSON.
_FIRST_WORD = """
import json, sys, time
started = time.perf_counter()
from g2p_build.runtime import load
load(sys.argv[1])([sys.argv[2]], lang=sys.argv[3])
print(json.dumps({"ms": 1000 * (time.perf_counter() - started)}))
"""
_IMPORT = """
import json, time
started = time.perf_counter()
import torch
print(json.dumps({"ms": 1000 * (time.perf_counter() - started)}))
"""


@dataclass
class _Way:
    """One way to get to a first word, and what came of it each time."""

    head: dict[str, Any]  # what its row says besides that
    command: list[str]
    answers: list[dict[str, Any]] = field(default_factory=list)
    failed: str | None = None


def opening(
    build: Build,
    manifests: Mapping[str, Path],
    contenders: Sequence[Contender],
    word: Word,
    rounds: int,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Opens every variant and has it pronounce one word, round after round, each time in a new process.

    Args:
        build: the command's.
        manifests: where each variant's manifest is, by the variant's name.
        contenders: ours.
        word: what is pronounced.
        rounds: how often it is timed. One time before that is not counted: it brings the files into the page cache.
        say: progress.

    Returns:
        A row for `TORCH`, and one for each variant and language: "Python", and "C" where it is a standalone library.
        A row has milliseconds and their ratio to `TORCH`'s, or why it has none. A row of C also has milliseconds
        until the model was open, the most bytes that the library had asked for, and the sizes of its parts.
    """
    say(f"opening: {rounds} rounds of fresh processes")
    ways = [_Way({"contender": TORCH, "variant": None, "language": "Python"}, [sys.executable, "-c", _IMPORT])]
    for contender in contenders:
        assert contender.variant is not None
        ways += _ways(build, contender.name, contender.variant, manifests[contender.variant.name], word)
    for number in range(rounds + 1):
        for way in ways:
            try:
                way.answers += [] if way.failed else [_answer(way.command)]
            except Failed as failed:
                way.failed = str(failed)
        if number == 0:
            for way in ways:
                way.answers.clear()
    return [_row(way, ways[0]) for way in ways]


def _ways(build: Build, name: str, variant: Variant, manifest: Path, word: Word) -> Iterator[_Way]:
    head = {"contender": name, "variant": variant.name}
    python = [sys.executable, "-c", _FIRST_WORD, str(manifest), word.text, word.language]
    yield _Way(head | {"language": "Python"}, python)
    if variant.target.engine == "standalone":
        nodes = graph.nodes(variant)
        linked = build.files(nodes["library"])
        weights = build.files(nodes["weights"])["weights.safetensors"]
        head |= {"language": "C", "sizes": json.loads(linked["sizes.json"].read_bytes())}
        try:
            yield _Way(head, [str(_program(build.cache, linked)), str(weights), word.text, word.language])
        except Failed as failed:
            yield _Way(head, [], failed=f"opening.c: {failed}")


def _row(way: _Way, torch: _Way) -> dict[str, Any]:
    if way.failed:
        return way.head | {"failed": way.failed}
    ms, imported = ([answer["ms"] for answer in one.answers] for one in (way, torch))
    row = way.head | {"ms": spread(ms).as_json()}
    row["torch_ratio"] = ratios(ms, imported).as_json() if imported else None
    if "peak_bytes" in way.answers[0]:
        row["open_ms"] = spread([answer["open_ms"] for answer in way.answers]).as_json()
        row["peak_bytes"] = max(answer["peak_bytes"] for answer in way.answers)
    return row | {"failed": None}


def _program(root: Path, linked: Mapping[str, Path]) -> Path:
    """The program opening.c with a variant's library in it, compiled if it is not there.

    Raises:
        Failed: it does not compile.
    """
    parts = {"opening.c": _C, "g2p.h": linked["g2p.h"], "libg2p.a": linked["libg2p.a"]}
    made_of = {name: file_digest(root, path) for name, path in parts.items()}
    folder = root / "bench" / f"opening-{digest_of(made_of)[:16]}"
    program = folder / "opening"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not program.exists():
            for name, path in parts.items():
                shutil.copyfile(path, folder / name)
            # For this very machine; what zig makes of its own for every program is kept.
            options = ["-std=c11", "-O2", "-I.", "opening.c", "libg2p.a", "-lm", "-lpthread", "-o", "linked"]
            caches = {"ZIG_GLOBAL_CACHE_DIR": str(root / "bench" / "zig")}
            _run([sys.executable, "-m", "ziglang", "cc", *options], folder, caches)
            (folder / "linked").replace(program)
    return program


def _answer(command: Sequence[str]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_run(command, ROOT, {"PYTHONPATH": str(ROOT)}))
    return answer


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(str(error)) from None
    if done.returncode:
        raise Failed(last_line(done.stderr) or f"exit status {done.returncode}")
    return done.stdout

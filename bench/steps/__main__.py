"""What steps of 1 to 32 tokens cost, beside a step of one.

    python -m bench.steps            # measures on this machine, and writes docs/benchmarks/steps.md and steps.json
    python -m bench.steps --write    # and g2p_build/native/g2p/prices.h, by which the core chooses its steps
    python -m bench.steps --units wasm,relaxed    # these anew; of the others what steps.json has

A step is measured twice: "near", right after the same step, so that the weights lie in the caches as far as they fit;
and "far", after 64 MB of other memory was read. A price is the geometric mean of the two ratios to a step of one token:
what holds between a machine with large caches and one that waits for its memory. WebAssembly computes for longer than
it reads on both, so the prices of its two modules are those of near weights. Times are the least of many rounds.

`prices.h` is part of the checkout, and nothing is measured in a build: the same inputs give the same bytes.
"""

import argparse
import ctypes
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from bench.common import machine
from bench.common.checkout import DOCS, ROOT
from bench.common.node import node
from bench.steps import report
from g2p_build import graph
from g2p_build.compiler.link import compile_c, link_shared, link_wasm
from g2p_build.config import compose
from g2p_build.config.variant import Variant
from g2p_build.engine import streams
from g2p_build.engine.build import Build
from g2p_build.models.programs import MOST_TOKENS
from g2p_build.native.files import CORE, G2P, WEB, source_files
from g2p_build.stages.library import sources_of
from g2p_build.store.files import write_atomically
from g2p_build.store.workspace import workspace

UNITS = {
    "avx512": ("target=host", "target.cpu=x86-64-v4"),
    "avx2": ("target=host", "target.cpu=x86-64-v3"),
    "wasm": ("target=wasm",),
    "relaxed": ("target=wasm",),
}
"""Vector units, each with what a variant for it is built with here; relaxed is WebAssembly's second module."""

FUNCTIONS = ["steps_begin", "steps_run"]
HERE = Path(__file__).parent
TABLE = G2P / "prices.h"


def main() -> None:
    """Measures, and writes a report."""
    parser = argparse.ArgumentParser(prog="python -m bench.steps", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--write", action="store_true", help="write the core's table too")
    parser.add_argument("--units", default=",".join(UNITS), help=f"some of {', '.join(UNITS)}")
    options = parser.parse_args()
    chosen = options.units.split(",")
    if unknown := sorted(set(chosen) - set(UNITS)):
        parser.error(f"--units={','.join(unknown)}: give some of {', '.join(UNITS)}")
    build, say, before = Build(workspace(ROOT)), Console(stderr=True).print, machine.load()
    found: dict[str, dict[str, report.Times]] = {}
    for unit, overrides in UNITS.items():
        if unit not in chosen:
            found[unit] = json.loads((DOCS / "steps.json").read_bytes())["microseconds"][unit]
            continue
        for name, dtype in report.DTYPES.items():
            say(f"{unit} {dtype}")
            [variant] = compose.variants([*overrides, f"dtype={dtype}", "draft=off", "lexicon=off"])
            with tempfile.TemporaryDirectory() as folder:
                found.setdefault(unit, {})[name] = _times(build, variant, unit, Path(folder), options.rounds)
    result = {
        "command": shlex.join(["python", "-m", "bench.steps", *sys.argv[1:]]),
        "machine": machine.describe(before),
        "microseconds": found,
    }
    report.write(DOCS, result)
    if options.write:
        write_atomically(TABLE, report.header(found).encode(), TABLE.with_name(f".{TABLE.name}.tmp"))


def _times(build: Build, variant: Variant, unit: str, folder: Path, rounds: int) -> report.Times:
    nodes = graph.nodes(variant)
    library, weights = nodes["library"], nodes["weights"]
    build.ensure(nodes.values())
    inputs = dict(source_files((CORE, G2P)))
    inputs |= {name: build.files(node)[file] for name, (node, file) in library.inputs.items()}
    web = library.params["package"] == "module"
    if web:
        inputs |= source_files((WEB, WEB / "g2p"))
    sources = sources_of(library.params, inputs) | {"steps.c": HERE / "steps.c"}
    triple, file = variant.target.triple, build.files(weights)["weights.safetensors"]
    kernels = inputs["relaxed.o" if unit == "relaxed" else "kernels.o"]
    kernels = Path(shutil.copyfile(kernels, folder / "kernels.o"))
    objects = [*compile_c(sources, triple, folder), kernels]
    if web:
        module = folder / "steps.wasm"
        link_wasm(objects, [*FUNCTIONS, "malloc"], triple, module)
        command = [node(), str(HERE / "steps.mjs"), str(module), str(file), str(MOST_TOKENS), str(rounds)]
        timed: report.Times = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return timed
    link_shared(objects, triple, folder / "steps.so", FUNCTIONS)
    return _timed_here(ctypes.CDLL(str(folder / "steps.so")), file, rounds)


def _timed_here(library: Any, file: Path, rounds: int) -> report.Times:
    held = file.read_bytes()
    memory = np.zeros(len(held) + 64, np.uint8)
    start = -memory.ctypes.data % 64
    memory[start : start + len(held)] = np.frombuffer(held, np.uint8)
    if library.steps_begin(ctypes.c_void_p(memory.ctypes.data + start), ctypes.c_size_t(len(held))):
        raise SystemExit(f"the weights {file} do not fit the library")
    other, most = np.zeros(8 << 20), range(1, MOST_TOKENS + 1)
    near, far = ([float("inf")] * MOST_TOKENS for _ in range(2))
    call = min(_microseconds(library, 1, 0) for _ in range(1000))
    for _ in range(rounds):
        for tokens in most:
            library.steps_run(tokens, 1)
            near[tokens - 1] = min(near[tokens - 1], (_microseconds(library, tokens, 3) - call) / 3)
    for _ in range(rounds // 4):
        for tokens in most:
            other += 1
            far[tokens - 1] = min(far[tokens - 1], _microseconds(library, tokens, 1) - call)
    return {"near": near, "far": far}


def _microseconds(library: Any, tokens: int, times: int) -> float:
    started = time.perf_counter_ns()
    library.steps_run(tokens, times)
    return (time.perf_counter_ns() - started) / 1000


if __name__ == "__main__":
    streams.guard()
    main()

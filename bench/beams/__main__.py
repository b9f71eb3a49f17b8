"""Searches for several pronunciations of words: this project's, CTranslate2's and transformers' beam search.

    python -m bench.beams --words ../shared/data/test

builds the embedded checkpoint for this machine, has each library search for as many pronunciations as there are beams,
on one thread, of one word a call and of all words in one, and writes docs/benchmarks/beams.md and beams.json. `--words`
is a folder of LANG.tsv with a word a line.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.beams import report
from bench.common import machine
from bench.common.checkout import DOCS, ROOT
from bench.common.checkpoint import checkpoint_files
from bench.common.named import chosen
from bench.pronounce import contenders, workload
from bench.pronounce.peers import FOLDER, interpreter
from bench.pronounce.prepare import prepared
from g2p_build.config import compose
from g2p_build.config.variant import Variant
from g2p_build.engine import pipes, streams
from g2p_build.engine.build import Build
from g2p_build.store.workspace import workspace

DTYPES = ("float32", "int8")
BEAMS = (1, 2, 4, 8)
OVERRIDES = ("target=host", f"dtype={','.join(DTYPES)}")
SECONDS = 3600


def main() -> None:
    """Runs the benchmark and writes its report."""
    parser = argparse.ArgumentParser(prog="python -m bench.beams", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--words", type=Path, required=True)
    parser.add_argument("--each", type=int, default=50, help="words of each language, at most")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    subprocess.run([sys.executable, "-m", "doit", "compile", *OVERRIDES], cwd=ROOT, check=True)
    say = Console(stderr=True).print
    variants = {variant.dtype: variant for variant in compose.variants(OVERRIDES)}
    listed = workload.evenly(workload.real(str(options.words)), options.each)
    words = [list(word) for word in workload.listed(variants["float32"], listed)]
    before = machine.load()
    with ExitStack() as held:
        opened = {
            f"{engine} {dtype}": _opened(held, engine, dtype, variant, words, say)
            for engine in ("ours", "ctranslate2", "transformers")
            for dtype, variant in variants.items()
            if engine != "transformers" or dtype == "float32"
        }
        found = _measured(opened, options.rounds, say)
    result = {
        "command": shlex.join(["python", "-m", "bench.beams", *sys.argv[1:]]),
        "machine": machine.describe(before),
        "versions": {
            "CTranslate2": (FOLDER / "ctranslate2.txt").read_text(encoding="utf-8").strip().partition("==")[2],
            "transformers": version("transformers"),
        },
        "words": len(words),
        "rounds": options.rounds,
        "found": found,
    }
    report.write(DOCS, result)


def _opened(
    held: ExitStack, engine: str, dtype: str, variant: Variant, words: Sequence[Any], say: Callable[[str], None]
) -> pipes.Process:
    """A library's process, with its model open."""
    build = Build(workspace(ROOT))
    files, python = checkpoint_files(build, variant), Path(sys.executable)
    place = files
    if engine == "ours":
        place = Path(held.enter_context(tempfile.TemporaryDirectory()))
        manifest = json.loads((ROOT / "manifests" / f"{variant.name}.json").read_bytes())
        for entry in manifest["archives"].values():
            with tarfile.open(ROOT / "dist" / entry["file"]) as archive:
                archive.extractall(place, filter="data")
    elif engine == "ctranslate2":
        [peer] = chosen([f"ctranslate2-{dtype}"], contenders.PEERS)
        python = interpreter(build.cache, peer.packages, say)
        setup = peer.setup(variant, threads=1, folder=files, batches=(1,))
        place = Path(prepared(build.cache, peer, setup, files, python, say).folder)
    env = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    process = pipes.Process("bench.beams.child", ROOT, env, python)
    held.callback(process.close)
    tokens = variant.max_lens.output - 1
    asked = {"engine": engine, "place": str(place), "dtype": dtype, "words": words, "tokens": tokens}
    process.ask(asked, SECONDS)
    return process


def _measured(
    opened: Mapping[str, pipes.Process], rounds: int, say: Callable[[str], None]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Contender → number of beams → seconds of each round, of words alone and as a list, and the best of each word.

    Contenders take turns. transformers has one, as it takes minutes.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in opened}
    for beams in BEAMS:
        for number in range(rounds):
            for name, process in opened.items():
                if name.startswith("transformers") and (number or beams == 1):
                    continue
                mine = found[name].setdefault(str(beams), {"alone": [], "list": []})
                for way in ("alone", "list"):
                    if name.startswith("transformers") and way == "list":
                        continue
                    answer = process.ask({"beams": beams, "list": way == "list"}, SECONDS)
                    mine[way].append(answer["seconds"])
                    mine["best"] = answer["best"]
        say(f"{beams} beams")
    return found


if __name__ == "__main__":
    streams.guard()
    main()

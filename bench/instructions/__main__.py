"""Instructions a word on 64-bit Arm: this project's library, CTranslate2 and ONNX Runtime, under an emulator.

    python -m bench.instructions            # writes docs/benchmarks/instructions.md and instructions.json

Every library pronounces the golden words of the embedded checkpoint one by one, on one thread, and a plugin of the
emulator counts what it executes. It needs qemu-user and gcc; for the peers, whose files are made for this machine and
run on that one, Debian's archives too.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import ziglang
from rich.console import Console

from bench.common import machine
from bench.common.checkout import DOCS, ROOT
from bench.common.checkpoint import checkpoint_files
from bench.common.named import chosen
from bench.common.process import Failed
from bench.instructions import report
from bench.instructions.emulator import CPUS, Uncounted, counted, emulator_version, plugin
from bench.instructions.system import PYTHON, python_packages, system
from bench.pronounce import contenders, workload
from bench.pronounce.peers import FOLDER, interpreter
from bench.pronounce.prepare import prepared
from bench.pronounce.setup import Word
from g2p_build.config import compose
from g2p_build.config.variant import Variant
from g2p_build.engine import streams
from g2p_build.engine.build import Build
from g2p_build.reference import golden
from g2p_build.store.workspace import workspace

ON = {"float32": ("dot products",), "float16": ("dot products",), "int8": tuple(CPUS)}
"""The processors that each dtype is counted on. Our floats have one form for all."""

OVERRIDES = ("target=linux_arm64", f"dtype={','.join(ON)}")
PEERS = {
    "CTranslate2": ("ctranslate2", ("numpy==2.2.6", "pyyaml==6.0.3")),
    "ONNX Runtime": ("onnxruntime", ("numpy==2.2.6", "flatbuffers==25.12.19", "protobuf==7.36.2")),
}
"""The peers' names in `bench.pronounce`, and what they need in the emulator besides themselves."""

HERE = Path(__file__).parent


def main() -> None:
    """Counts, and writes a report."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.instructions", description=(__doc__ or "").partition("\n")[0]
    )
    parser.parse_args()
    say, before, build = Console(stderr=True).print, machine.load(), Build(workspace(ROOT))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            version, count, root = emulator_version(), plugin(folder), system(build.cache, say)
        except Uncounted as why:
            raise SystemExit(str(why)) from None
        if subprocess.run([sys.executable, "-m", "doit", "compile", *OVERRIDES], cwd=ROOT).returncode:
            raise SystemExit("our library for 64-bit Arm is not built: see above")
        variants = {variant.dtype: variant for variant in compose.variants(OVERRIDES)}
        words = workload.listed(variants["float32"], golden.words())
        commands, failed = list(_ours(variants, words, folder)), {}
        for library in PEERS:
            try:
                commands += _peer(library, build, variants["float32"], root, words, say)
            except (Uncounted, Failed) as why:
                failed[library] = str(why)
        found = []
        for command in commands:
            for cpu in ON[command.dtype]:
                say(f"{command.library} {command.dtype}, {cpu}")
                try:
                    found.append(_counted(command, cpu, count, root, _truth(words)))
                except Uncounted as why:
                    failed[f"{command.library} {command.dtype}, {cpu}"] = str(why)
    if not found:
        raise SystemExit(f"nothing was counted: {next(iter(failed.values()))}")
    peers = {library: _package(name).partition("==")[2] for library, (name, _) in PEERS.items()}
    result = {
        "command": shlex.join(["python", "-m", "bench.instructions"]),
        "machine": machine.describe(before),
        "versions": {"QEMU": version, **peers},
        "inputs": [len(word.ids) for word in words],
        "found": found,
        "failed": failed,
    }
    report.write(DOCS, result)


class Command(NamedTuple):
    """What a library is counted with."""

    library: str
    dtype: str
    command: list[str]
    given: str  # its input
    env: dict[str, str]


def _counted(command: Command, cpu: str, count: Path, root: Path, truth: Sequence[str]) -> dict[str, Any]:
    lines, instructions = counted(count, CPUS[cpu], root, command.command, command.given, command.env)
    said = [line.partition("\t") for line in lines[1:]]
    return {
        "library": command.library,
        "dtype": command.dtype,
        "cpu": cpu,
        "equal": sum(text == wanted for (text, _, _), wanted in zip(said, truth, strict=True)),
        "steps": [int(steps) for _, _, steps in said],
        "instructions": instructions,
    }


def _ours(variants: Mapping[str, Variant], words: Sequence[Word], folder: Path) -> Iterator[Command]:
    given = "".join(f"{word.language}\t{word.text}\n" for word in words)
    for dtype, variant in variants.items():
        place = folder / dtype
        manifest = json.loads((ROOT / "manifests" / f"{variant.name}.json").read_bytes())
        for entry in manifest["archives"].values():
            with tarfile.open(ROOT / "dist" / entry["file"]) as archive:
                archive.extractall(place, filter="data")
        zig = str(Path(ziglang.__file__).with_name("zig"))
        command = [zig, "cc", "-target", "aarch64-linux-gnu.2.28", "-std=c11", "-O2", "-I", str(place)]
        command += [str(HERE / "words.c"), str(place / "libg2p.so"), "-o", str(place / "words")]
        subprocess.run(command, check=True, env=os.environ | {"ZIG_LOCAL_CACHE_DIR": str(folder / "zig")})
        run = [str(place / "words"), str(place / "weights.safetensors")]
        env = {"LD_LIBRARY_PATH": str(place)}
        yield Command(report.OURS, dtype, run, given, env)
        yield Command(report.DRAFTED, dtype, [*run, str(place / "draft.g2pdraft")], given, env)


def _peer(
    library: str, build: Build, variant: Variant, root: Path, words: Sequence[Word], say: Callable[[str], None]
) -> list[Command]:
    files, (name, needs), found = checkpoint_files(build, variant), PEERS[library], []
    packages = python_packages(build.cache, [_package(name), *needs], say)
    for peer in chosen([name], contenders.PEERS):
        python = interpreter(build.cache, peer.packages, say)
        setup = peer.setup(variant, threads=1, folder=files, batches=(1,))
        setup = prepared(build.cache, peer, setup, files, python, say)
        env = {
            "PYTHONPATH": f"{ROOT}:{packages}",
            "PYTHONHOME": "/usr",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        given = json.dumps({"setup": asdict(setup), "words": words})
        command = [str(root / PYTHON), "-m", "bench.instructions.guest"]
        found.append(Command(library, peer.dtype, command, given, env))
    return found


def _package(name: str) -> str:
    """A peer's own package, at its version."""
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").split()
    return next(line for line in lines if line.startswith(f"{name}=="))


def _truth(words: Sequence[Word]) -> list[str]:
    """What the checkpoint says, by transformers."""
    rows = json.loads((golden.FOLDER / "embedded.json").read_bytes())["words"]
    known = {(row["lang"], row["word"]): row["ipa"] for row in rows}
    return [known[word.language, word.text] for word in words]


if __name__ == "__main__":
    streams.guard()
    main()

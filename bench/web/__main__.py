"""One word at a time in WebAssembly: this project's module and onnxruntime-web, in one process of Node.

    python -m bench.web

builds the embedded checkpoint for target=wasm, exports it as three graphs, installs onnxruntime-web with npm into a
temporary folder, and writes docs/benchmarks/web.md and web.json.
"""

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.build.report import Spread, ratios
from bench.common import machine
from bench.pronounce import contenders, workload
from bench.pronounce.command import checkpoint_files
from bench.pronounce.peers import interpreter
from bench.pronounce.prepare import prepared
from bench.pronounce.setup import Setup
from g2p_build.config import compose
from g2p_build.config.variant import Variant
from g2p_build.engine import build

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "benchmarks"
OVERRIDES = ("target=wasm", "dtype=float32,float16")
ONNXRUNTIME_WEB = "1.30.0"
GRAPHS = ("encoder", "decoder", "decoder_with_past")
ORT_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")  # what a page loads
OURS = ("g2p.mjs", "g2p.wasm")


def main() -> None:
    """Runs the benchmark and writes its report."""
    parser = argparse.ArgumentParser(prog="python -m bench.web", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    subprocess.run([sys.executable, "-m", "doit", "compile", *OVERRIDES], cwd=ROOT, check=True)
    say = Console(stderr=True).print
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        variants = compose.variants(OVERRIDES)
        for variant in variants:
            _unpack(variant.name, folder / variant.dtype)
        for graph in GRAPHS:
            shutil.copyfile(_graphs(variants[0], say) / f"{graph}.onnx", folder / f"{graph}.onnx")
        package = f"onnxruntime-web@{ONNXRUNTIME_WEB}"
        subprocess.run(["npm", "install", "--silent", "--prefix", folder, package], check=True)
        words = [{"word": word, "lang": lang} for lang, listed in workload.real("").items() for word in listed]
        (folder / "words.json").write_text(json.dumps({"words": words, "rounds": rounds}), encoding="utf-8")
        shutil.copyfile(Path(__file__).with_name("run.mjs"), folder / "run.mjs")
        before = machine.load()
        ran = subprocess.run(["node", "run.mjs"], cwd=folder, check=True, capture_output=True, text=True)
        result = json.loads(ran.stdout) | {
            "machine": machine.describe() | {"load": [before, machine.load()]},
            "words": len(words),
            "onnxruntime-web": ONNXRUNTIME_WEB,
            "bytes": {
                "g2p float32": _sizes([folder / "float32" / part for part in OURS], folder / "float32"),
                "g2p float16": _sizes([folder / "float16" / part for part in OURS], folder / "float16"),
                "onnxruntime-web float32": _sizes(
                    [folder / "node_modules/onnxruntime-web/dist" / part for part in ORT_FILES], folder
                ),
            },
        }
    (DOCS / "web.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (DOCS / "web.md").write_text(report(result), encoding="utf-8")


def _unpack(name: str, folder: Path) -> None:
    manifest = json.loads((ROOT / "manifests" / f"{name}.json").read_bytes())
    for entry in manifest["archives"].values():
        with tarfile.open(ROOT / "dist" / entry["file"]) as archive:
            archive.extractall(folder, filter="data")


def _graphs(variant: Variant, say: Any) -> Path:
    """The folder of the graphs, exported by the environment of ONNX Runtime's own benchmark."""
    root = build.cache_root()
    [peer] = contenders.chosen(["onnxruntime-float32"])
    checkpoint = variant.checkpoint
    setup = Setup(
        engine=peer.engine,
        dtype=peer.dtype,
        threads=1,
        folder="",
        batches=(1,),
        buckets=(),
        max_input=variant.max_lens.input,
        max_tokens=variant.max_lens.output - 1,
        forced_tokens=None,
        pad_id=checkpoint.pad_id,
        eos_id=checkpoint.eos_id,
        decoder_start_id=checkpoint.decoder_start_id,
    )
    files = checkpoint_files(root, variant)
    return Path(prepared(root, peer, setup, files, interpreter(root, peer.packages, say), say).folder)


def _sizes(code: list[Path], model: Path) -> dict[str, int]:
    """Bytes that a page loads: of code, as they are and as a server sends them; and of the model."""
    weights = [*model.glob("*.safetensors"), *model.glob("*.onnx")]
    return {
        "code": sum(path.stat().st_size for path in code),
        "gzipped": sum(len(gzip.compress(path.read_bytes(), mtime=0)) for path in code),
        "model": sum(path.stat().st_size for path in weights),
    }


def report(result: Mapping[str, Any]) -> str:
    """The page."""
    machine_of, times = result["machine"], result["times"]
    theirs = times["onnxruntime-web float32"]
    rows = [
        f"| {name} | {Spread.of(listed).shown()} | {Spread.of(ratios(listed, theirs)).shown()} | "
        + " | ".join(f"{result['bytes'][name][part] / 1e6:.2f}" for part in ("code", "gzipped", "model"))
        + " |"
        for name, listed in times.items()
    ]
    return "\n".join(
        [
            "# A word in a web page: this project's module and onnxruntime-web",
            "",
            "Written by the command; the numbers behind it are in `web.json`.",
            "",
            "```sh",
            "python -m bench.web",
            "```",
            "",
            f"The embedded checkpoint, the golden set's {result['words']} words one at a time, all contenders in one "
            f"process of Node {result['node']} and in turn: {len(theirs)} rounds after two that are not timed. "
            f"onnxruntime-web {result['onnxruntime-web']} has its `wasm` backend and one thread, as g2p has, and the "
            "three graphs that public ports of such models have: encoder, decoder, decoder with past.",
            "",
            f"- {machine_of['processor']}, {machine_of['cores']} cores, {machine_of['system']}",
            f"- load before and after: {machine_of['load'][0]} and {machine_of['load'][1]} processes",
            "",
            "Medians with the least and the greatest of all rounds. A ratio is that of one round's two times: below 1 "
            "is faster than onnxruntime-web. MB are of what a page loads: code, code as a server sends it (gzip), and "
            "the model.",
            "",
            "| | ms a word | times onnxruntime-web | code MB | gzipped | model MB |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            f"All three said the same for {result['alike']} of {result['words']} words.",
            "",
        ]
    )


if __name__ == "__main__":
    main()

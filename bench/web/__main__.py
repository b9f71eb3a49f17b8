"""One word at a time in WebAssembly: this project's module and onnxruntime-web, in one process of Node.

    python -m bench.web

builds the embedded checkpoint for target=wasm, exports it as three graphs, in float32 and in int8, installs
onnxruntime-web with npm into a temporary folder, and writes docs/benchmarks/web.md and web.json. The `node` that it
finds must have relaxed SIMD (Node 21), and for int8 an engine whose dot product is exact (docs/web.md).
"""

import argparse
import gzip
import json
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from bench.common import machine
from bench.common.checkout import DOCS, ROOT
from bench.common.checkpoint import checkpoint_files
from bench.common.named import chosen
from bench.common.node import node
from bench.pronounce import contenders
from bench.pronounce.peers import interpreter
from bench.pronounce.prepare import prepared
from bench.web import report
from g2p_build.config import compose
from g2p_build.config.variant import Variant
from g2p_build.engine import streams
from g2p_build.engine.build import Build
from g2p_build.reference import golden
from g2p_build.store.workspace import workspace

OURS_DTYPES = ("float32", "float16", "int8")
PEER_DTYPES = ("float32", "int8")
OVERRIDES = ("target=wasm", f"dtype={','.join(OURS_DTYPES)}")
ONNXRUNTIME_WEB = "1.30.0"
GRAPHS = ("encoder", "decoder", "decoder_with_past")
ORT_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")  # what a page loads
LOADERS = ("g2p.mjs", "loading.mjs", "relaxed.mjs")
MODULES = {"": "g2p-relaxed.wasm", ", plain SIMD": "g2p.wasm"}
DRAFTS = {"": False, ", guesses": True}


def main() -> None:
    """Runs the benchmark and writes its report."""
    parser = argparse.ArgumentParser(prog="python -m bench.web", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    rounds, command = parser.parse_args().rounds, node()
    subprocess.run([sys.executable, "-m", "doit", "compile", *OVERRIDES], cwd=ROOT, check=True)
    say = Console(stderr=True).print
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        variants = compose.variants(OVERRIDES)
        for variant in variants:
            _unpack(variant.name, folder / variant.dtype)
        for dtype in PEER_DTYPES:
            exported = _graphs(variants[0], dtype, say)
            (folder / f"graphs-{dtype}").mkdir()
            for graph in GRAPHS:
                shutil.copyfile(exported / f"{graph}.onnx", folder / f"graphs-{dtype}" / f"{graph}.onnx")
        package = f"onnxruntime-web@{ONNXRUNTIME_WEB}"
        subprocess.run(["npm", "install", "--silent", "--prefix", folder, package], check=True)
        ours = {
            f"g2p {dtype}{module}{draft}": (dtype, MODULES[module], DRAFTS[draft])
            for dtype in OURS_DTYPES
            for module in MODULES
            for draft in DRAFTS
        }
        words = [{"word": word, "lang": lang} for lang, listed in golden.words().items() for word in listed]
        (folder / "words.json").write_text(
            json.dumps({"words": words, "rounds": rounds, "ours": ours, "theirs": PEER_DTYPES}), encoding="utf-8"
        )
        shutil.copyfile(Path(__file__).with_name("run.mjs"), folder / "run.mjs")
        runtime = [folder / "node_modules/onnxruntime-web/dist" / part for part in ORT_FILES]
        before = machine.load()
        ran = subprocess.run([command, "run.mjs"], cwd=folder, check=True, capture_output=True, text=True)
        result = {
            "command": shlex.join(["python", "-m", "bench.web", *sys.argv[1:]]),
            **json.loads(ran.stdout),
            "machine": machine.describe(before),
            "words": len(words),
            "onnxruntime-web": ONNXRUNTIME_WEB,
            "bytes": {
                **{
                    name: _sizes([folder / dtype / part for part in (*LOADERS, module)], folder / dtype)
                    for name, (dtype, module, _) in ours.items()
                },
                **{f"onnxruntime-web {dtype}": _sizes(runtime, folder / f"graphs-{dtype}") for dtype in PEER_DTYPES},
            },
        }
    report.write(DOCS, result)


def _unpack(name: str, folder: Path) -> None:
    manifest = json.loads((ROOT / "manifests" / f"{name}.json").read_bytes())
    for role, entry in manifest["archives"].items():
        with tarfile.open(ROOT / "dist" / entry["file"]) as archive:
            archive.extractall(folder, filter="data")
        if role == "weights":  # with its draft table
            shutil.copyfile(ROOT / "dist" / entry["file"], folder / "weights.tar")


def _graphs(variant: Variant, dtype: str, say: Callable[[str], None]) -> Path:
    """The folder of the graphs, which `doit bench` makes for ONNX Runtime: here in the same way and environment."""
    build = Build(workspace(ROOT))
    [peer] = chosen([f"onnxruntime-{dtype}"], contenders.PEERS)
    files = checkpoint_files(build, variant)
    setup = peer.setup(variant, threads=1, folder=files, batches=(1,))
    return Path(prepared(build.cache, peer, setup, files, interpreter(build.cache, peer.packages, say), say).folder)


def _sizes(code: list[Path], model: Path) -> dict[str, int]:
    """Bytes that a page loads: of code, as they are and as a server sends them; and of the model."""
    weights = [*model.glob("*.safetensors"), *model.glob("*.onnx")]
    return {
        "code": sum(path.stat().st_size for path in code),
        "gzipped": sum(len(gzip.compress(path.read_bytes(), mtime=0)) for path in code),
        "model": sum(path.stat().st_size for path in weights),
    }


if __name__ == "__main__":
    streams.guard()
    main()

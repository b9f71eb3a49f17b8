"""The project's own runtime. Threads pronounce independent batches, each with an object of its own."""

from collections.abc import Callable
from pathlib import Path

from g2p_build.bench.setup import Batch, Pronounce, Setup, independent
from g2p_build.runtime import load

__all__ = ["LIBRARIES", "model_files", "open_model"]

LIBRARIES = ("/tvm_ffi/", "/libtvm_runtime.", "/apache_tvm_ffi.libs/")


def model_files(setup: Setup) -> list[Path]:
    """The archives' contents that are ours: the weights and the compiled library."""
    import json

    manifest = Path(setup.folder)
    archives = json.loads(manifest.read_bytes())["archives"]
    return [manifest.parents[1] / "dist" / entry["file"] for entry in archives.values()]


def open_model(setup: Setup) -> Pronounce:
    """Loads the manifest that `setup.folder` names, once for each thread."""
    return independent([_worker(setup) for _ in range(setup.threads)])


def _worker(setup: Setup) -> Callable[[Batch], list[list[int]]]:
    g2p = load(setup.folder)
    if setup.forced_tokens:
        # No id is the end, and the last position is where it is wanted.
        g2p.manifest["model"] |= {"eos_id": -1, "max_output_len": setup.forced_tokens + 1}
        g2p._bound.clear()

    def pronounce(batch: Batch) -> list[list[int]]:
        return g2p.tokens([word.text for word in batch], batch[0].language)

    return pronounce

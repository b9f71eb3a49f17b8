"""Stage: architecture → a Relax module with the weights as inputs, and the signatures of its functions."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from g2p_build.stages.protocol import Stage
from g2p_build.store.files import canonical_json

__all__ = ["STAGE", "build", "memory"]


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Upper bound of a run's memory in bytes, without the worker's own. 12 layers took 40 MB for each batch size."""
    arch = json.loads(inputs["architecture.json"].read_bytes())
    layers = arch["num_encoder_layers"] + arch["num_decoder_layers"]
    return 100_000_000 + 5_000_000 * layers * len(params["batch"])


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `program.json` (the Relax module) and `functions.json` (names, shapes and dtypes, as in the manifest).

    Args:
        params: `batch` (a list), `max_lens` (`input`, `output`: tokens), `dtype`, `kv_cache`, the target's `engine`.
        inputs: `architecture.json`.
        out: an empty folder.
    """
    import tvm

    from g2p_build.compiler.export import export
    from g2p_build.models import architecture
    from g2p_build.models.layout import input_buckets
    from g2p_build.models.programs import MOST_TOKENS, TOKENS, programs

    arch = architecture.from_json(json.loads(inputs["architecture.json"].read_text(encoding="utf-8")))
    lens = params["max_lens"]
    # A standalone library's functions take inputs of any length, and its step any number of tokens.
    exact = params["engine"] == "standalone"
    buckets = [lens["input"]] if exact else input_buckets(lens["input"])
    tokens = [min(MOST_TOKENS, lens["output"])] if exact else TOKENS
    module, functions = export(
        programs(arch, params["batch"], buckets, lens["output"], params["dtype"], params["kv_cache"], tokens)
    )
    (out / "program.json").write_text(tvm.ir.save_json(module), encoding="utf-8")
    (out / "functions.json").write_bytes(canonical_json(functions) + b"\n")


STAGE = Stage(build, tools=("apache-tvm", "apache-tvm-ffi", "torch"), memory=memory)

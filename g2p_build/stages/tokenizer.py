"""Stage: checkpoint → what describes the model to its callers, as JSON (prompt, special ids, languages, bounds)."""

import json
from pathlib import Path
from typing import Any

from g2p_build.errors import BuildError
from g2p_build.stages.protocol import Stage
from g2p_build.store.files import canonical_json

__all__ = ["STAGE", "build"]


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `tokenizer.json`: what turns a word into ids and ids into a pronunciation.

    Args:
        params: `prompt` (a template with `{lang}` and `{word}`), `append_eos`, `byte_offset`, the special ids,
            `languages` (a list, or None if they are not known), `max_lens` (`input`, `output`: tokens).
        inputs: `architecture.json`.
        out: an empty folder.

    Raises:
        BuildError: the vocabulary is too small for the bytes.
    """
    vocabulary = json.loads(inputs["architecture.json"].read_text(encoding="utf-8"))["vocab_size"]
    needed = 256 + params["byte_offset"]
    if vocabulary < needed:
        raise BuildError(f"a vocabulary of {vocabulary} cannot hold every byte: byte tokens need {needed}")
    lens = params["max_lens"]
    model = {name: value for name, value in params.items() if name != "max_lens"} | {
        "vocab_size": vocabulary,
        "max_input_len": lens["input"],
        "max_output_len": lens["output"],
    }
    (out / "tokenizer.json").write_bytes(canonical_json(model) + b"\n")


STAGE = Stage(build)

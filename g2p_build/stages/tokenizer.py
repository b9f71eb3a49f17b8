"""Stage: checkpoint → what describes the model to its callers (prompt, languages, form of text), as JSON and as C."""

import json
from pathlib import Path
from typing import Any

from g2p_build.errors import BuildError
from g2p_build.native.forms import writings
from g2p_build.native.tables import string, strings
from g2p_build.stages.protocol import Stage
from g2p_build.store.files import canonical_json

__all__ = ["STAGE", "build"]


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `tokenizer.json`: how a word becomes ids and ids become a pronunciation. `model.inc` is the same as C.

    Args:
        params: `prompt` (a template with `{lang}` and `{word}`), `append_eos`, `byte_offset`, the special ids,
            `languages` (a list, or None if they are not known), `text` (the form of text, or None), `max_lens`
            (`input`, `output`: tokens).
        inputs: `architecture.json`, `special_ids.json`.
        out: an empty folder.

    Raises:
        BuildError: the vocabulary is too small for the bytes, or the checkpoint's files name other ids.
    """
    architecture = json.loads(inputs["architecture.json"].read_text(encoding="utf-8"))
    vocabulary = architecture["vocab_size"]
    needed = 256 + params["byte_offset"]
    if vocabulary < needed:
        raise BuildError(f"a vocabulary of {vocabulary} cannot hold every byte: byte tokens need {needed}")
    _check_ids(params, json.loads(inputs["special_ids.json"].read_text(encoding="utf-8")))
    lens = params["max_lens"]
    model = {name: value for name, value in params.items() if name != "max_lens"} | {
        "vocab_size": vocabulary,
        "max_input_len": lens["input"],
        "max_output_len": lens["output"],
    }
    (out / "tokenizer.json").write_bytes(canonical_json(model) + b"\n")
    (out / "model.inc").write_text(_traits(model, architecture["d_model"]), encoding="utf-8")


def _check_ids(params: dict[str, Any], named: dict[str, dict[str, Any]]) -> None:
    """Refuses ids other than the unusual ones that the checkpoint's own files name: the answers would be others."""
    for name, said in named.items():
        field = name.replace("_token_id", "_id")
        if params[field] != said["id"]:
            raise BuildError(
                f"the checkpoint's {said['file']} says {name} {said['id']}, and checkpoint.{field} is {params[field]}: "
                f"set checkpoint.{field}={said['id']}"
            )


def _traits(model: dict[str, Any], d_model: int) -> str:
    """C text that defines `model`, a structure of traits.h."""
    numbers = ("append_eos", "byte_offset", "pad_id", "eos_id", "unk_id", "decoder_start_id")
    fields = {
        "prompt": string(model["prompt"]),
        "languages": "languages" if model["languages"] else "0",
        "languages_count": len(model["languages"] or ()),
        "writings": "writings" if model["text"] else "0",
        **{name: int(model[name]) for name in numbers},
        "input_len": model["max_input_len"],
        "output_len": model["max_output_len"],
        "vocabulary": model["vocab_size"],
        "d_model": d_model,
    }
    lines = ['#include "traits.h"', "", *strings("languages", model["languages"] or ())]
    if model["text"]:
        lines.append(writings([_writing(model["text"], language) for language in model["languages"] or [""]]))
    lines += ["static const struct g2p_traits model = {"]
    lines += [f"    .{name} = {value}," for name, value in fields.items()]
    return "\n".join([*lines, "};", ""])


def _writing(text: dict[str, Any], language: str) -> dict[str, Any]:
    """The form of text of one language, in the form that `writings` takes."""
    own = text["languages"].get(language, {"case": text["case"], "pairs": {}, "alphabet": None, "letters": {}})
    switches = {name: text[name] for name in ("visible", "narrow", "strip")}
    return {"nfc": text["form"] == "nfc", **switches, **own, "pairs": text["pairs"] | own["pairs"]}


STAGE = Stage(build)

"""What a G2P manifest says besides what all manifests say: its schema, and checks that a schema cannot express."""

from collections.abc import Mapping
from typing import Any

from g2p_build.runtime.errors import InvalidManifest
from g2p_build.runtime.manifest import Section

__all__ = ["ROLES", "SECTION"]

# kv_cache → the roles that there must be for every batch and bucket. With a cache, every batch also has a step of one
# token.
ROLES = {True: ("encode", "prefill"), False: ("encode", "decode")}


def _check(manifest: Mapping[str, Any]) -> None:
    """Checks that the fields of a manifest agree with each other.

    Args:
        manifest: satisfies its schemas.

    Raises:
        InvalidManifest: two fields disagree.
    """
    variant, model, functions = manifest["variant"], manifest["model"], manifest["functions"]
    bounds = (model["max_input_len"], model["max_output_len"])
    if bounds != (variant["max_lens"]["input"], variant["max_lens"]["output"]):
        raise InvalidManifest(f"at model: the bounds {bounds} are not those of variant.max_lens")
    if model["prompt"].count("{word}") != 1 or model["prompt"].count("{lang}") > 1:
        raise InvalidManifest(f"at model.prompt: {model['prompt']!r} must hold {{word}} once and {{lang}} at most once")
    if model["byte_offset"] + 256 > model["vocab_size"]:
        raise InvalidManifest(
            f"at model.vocab_size: {model['vocab_size']} ids do not hold 256 bytes from {model['byte_offset']} on"
        )
    for key in ("pad_id", "eos_id", "decoder_start_id"):
        if model[key] >= model["vocab_size"]:
            raise InvalidManifest(
                f"at model.{key}: {model[key]} is not below the vocabulary size, {model['vocab_size']}"
            )
    for function in functions:
        if function["output_len"] not in (None, model["max_output_len"]):
            raise InvalidManifest(
                f"at functions: {function['name']} has {function['output_len']} output positions, "
                f"the model {model['max_output_len']}"
            )
    present = {(function["role"], function["batch"], function["input_len"]) for function in functions}
    steps = {(function["batch"], function["tokens"]) for function in functions if function["role"] == "step"}
    # A standalone library has functions for its greatest batch only, and one step. They take fewer rows and tokens too.
    standalone = manifest["target"]["engine"] == "standalone"
    for batch in variant["batch"][-1:] if standalone else variant["batch"]:
        for bucket in sorted({model["max_input_len"], *(function["input_len"] for function in functions)}):
            for role in ROLES[variant["kv_cache"]]:
                if (role, batch, bucket) not in present:
                    raise InvalidManifest(f"at functions: none with role {role}, batch {batch}, input length {bucket}")
        if variant["kv_cache"] and not standalone and (batch, 1) not in steps:
            raise InvalidManifest(f"at functions: none with role step, batch {batch}, one token")


SECTION = Section("g2p", "g2p.schema.json", _check)

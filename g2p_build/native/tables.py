"""Writes the tables of a library that describe its model, as C: prompt, languages, special ids, digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from g2p_build.store.files import canonical_json

__all__ = ["contract", "info"]


def contract(model: Mapping[str, Any], functions: Sequence[Mapping[str, Any]], target: Mapping[str, Any]) -> str:
    """A C11 file that includes ``program.h`` and defines ``g2p_contract``: what describes the model to its callers.

    Args:
        model: the manifest's ``model`` object.
        functions: the manifest's ``functions``.
        target: ``triple``, ``cpu``, ``features``.
    """
    numbers = ("append_eos", "byte_offset", "pad_id", "eos_id", "unk_id", "decoder_start_id")
    fields = {
        "prompt": _string(model["prompt"]),
        "languages": "languages" if model["languages"] else "0",
        "languages_count": len(model["languages"] or ()),
        **{name: int(model[name]) for name in numbers},
        "model_digest": f'"{_digest(model)}"',
        "functions_digest": f'"{_digest(functions)}"',
        "info": _string(info(model, functions, target)),
        "features": "features" if target["features"] else "0",
        "features_count": len(target["features"]),
    }
    return "\n".join(
        [
            '#include "program.h"',
            "",
            *_strings("languages", model["languages"] or ()),
            *_strings("features", target["features"]),
            "const struct g2p_contract g2p_contract = {",
            *(f"    .{name} = {value}," for name, value in fields.items()),
            "};",
            "",
        ]
    )


def info(model: Mapping[str, Any], functions: Sequence[Mapping[str, Any]], target: Mapping[str, Any]) -> str:
    """The text that ``g2p_info`` returns: canonical JSON. The arguments are those of `contract`."""
    dtypes = {entry["dtype"] for function in functions for entry in function["inputs"] if entry["kind"] == "weight"}
    described = {
        "batch": max(function["batch"] for function in functions),
        "dtype": "float16" if "float16" in dtypes else "float32",
        "model": dict(model),
        "target": {name: target[name] for name in ("triple", "cpu", "features")},
        "workspace_bytes": max(function["workspace_bytes"] for function in functions),
    }
    return canonical_json(described).decode()


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _strings(name: str, values: Sequence[str]) -> list[str]:
    if not values:
        return []
    return [f"static const char *const {name}[] = {{", *(f"    {_string(value)}," for value in values), "};", ""]


def _string(text: str) -> str:
    """A C string literal in ASCII."""
    return json.dumps(text) if text.isascii() and "\\" not in text and text.isprintable() else _escaped(text)


def _escaped(text: str) -> str:
    # Octal, because an octal escape ends after three digits whatever follows. A hexadecimal one does not.
    plain = (chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}" for byte in text.encode())
    return f'"{"".join(plain)}"'

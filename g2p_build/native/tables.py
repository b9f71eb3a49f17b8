"""Writes the C files that join a library's parts: its variant, the default variant, and the header that names it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from g2p_build.store.files import canonical_json

__all__ = ["info", "string", "strings", "variant_sources"]


def variant_sources(
    name: str,
    model: Mapping[str, Any],
    functions: Sequence[Mapping[str, Any]],
    target: Mapping[str, Any],
    parts: Mapping[str, str],
) -> dict[str, str]:
    """The C files of a library for its variant: name → text.

    ``variant.c`` defines the variant, and exports nothing else. Its symbol contains a digest of the variant, so that
    one program can link different libraries. ``default.c`` names the variant that is opened if the caller names none.
    It is a file of its own because a program takes it from only one library. ``library.h`` makes the
    core's names the library's own.

    Args:
        name: the library's, with which public names begin.
        model: the manifest's ``model`` object.
        functions: the manifest's ``functions``.
        target: ``triple``, ``cpu``, ``features``.
        parts: file name → C text. Together they define ``program`` and ``model``.
    """
    features = list(target["features"])
    fields = {
        "layout": "G2P_LAYOUT",
        "program": "&program",
        "model": "&model",
        "model_digest": f'"{_digest(model)}"',
        "functions_digest": f'"{_digest(functions)}"',
        "info": string(info(model, functions, target)),
        "features": "features" if features else "0",
        "features_count": len(features),
    }
    table = [
        *strings("features", features),
        "static const struct g2p_variant variant = {",
        *(f"    .{field} = {value}," for field, value in fields.items()),
        "};",
    ]
    function = f"{name}_variant_{_digest([table, dict(parts)])[:12]}"
    included = [f'#include "{file}"' for file in ("variant.h", *sorted(parts))]
    defined = ["", *table, "", f"const {name}_variant *{function}(void) {{ return &variant; }}", ""]
    return {
        "library.h": f"#define G2P_LIBRARY {name}\n",
        "default.c": _DEFAULT.replace("NAME", name).replace("FUNCTION", function),
        "variant.c": "\n".join([*included, *defined]),
        "variant.h": _HEADER.replace("NAME", name).replace("FUNCTION", function).replace("PREFIX", name.upper()),
    }


_HEADER = """/* The variant of the library beside this file, for a program that links several: NAME.h says how.
 * No guard: each library's is another. */
#include "NAME.h"

#ifdef __cplusplus
extern "C" {
#endif

PREFIX_API const NAME_variant *FUNCTION(void);

#ifdef __cplusplus
}
#endif

#ifdef PREFIX_VARIANT
static inline const NAME_variant *PREFIX_VARIANT(void) { return FUNCTION(); }
#undef PREFIX_VARIANT
#endif
"""

_DEFAULT = """#include "variant.h"

#pragma GCC visibility push(hidden)

const NAME_variant *NAME_default(void);

const NAME_variant *NAME_default(void) { return FUNCTION(); }

#pragma GCC visibility pop
"""


_DTYPES = ("int8", "bfloat16", "float16", "float32")
"""What a variant's weights can be. Those of int8 have some tensors in float16 and float32 too, so it comes first."""


def info(model: Mapping[str, Any], functions: Sequence[Mapping[str, Any]], target: Mapping[str, Any]) -> str:
    """The text that ``g2p_info`` returns: canonical JSON. The arguments are those of `variant_sources`."""
    dtypes = {entry["dtype"] for function in functions for entry in function["inputs"] if entry["kind"] == "weight"}
    described = {
        "batch": max(function["batch"] for function in functions),
        "dtype": next(dtype for dtype in _DTYPES if dtype in dtypes),
        "model": dict(model),
        "target": {name: target[name] for name in ("triple", "cpu", "features")},
        "workspace_bytes": _workspace([function["workspace_bytes"] for function in functions]),
    }
    return canonical_json(described).decode()


def _workspace(sizes: Sequence[int | str]) -> int | list[int | str]:
    """The most bytes; all of them where some are told in what varies."""
    return max(size for size in sizes if isinstance(size, int)) if all(isinstance(s, int) for s in sizes) else [*sizes]


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()


def strings(name: str, values: Sequence[str]) -> list[str]:
    """Lines of C that define an array of strings. No lines if it would be empty."""
    if not values:
        return []
    return [f"static const char *const {name}[] = {{", *(f"    {string(value)}," for value in values), "};", ""]


def string(text: str) -> str:
    """A C string literal in ASCII."""
    return json.dumps(text) if text.isascii() and "\\" not in text and text.isprintable() else _escaped(text)


def _escaped(text: str) -> str:
    # Octal, because an octal escape ends after three digits whatever follows. A hexadecimal one does not.
    plain = (chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}" for byte in text.encode())
    return f'"{"".join(plain)}"'

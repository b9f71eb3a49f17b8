"""Stage: config → what describes the model to its callers."""

from pathlib import Path
from typing import Any

from g2p_build.native.tables import strings
from g2p_build.stages.protocol import Stage
from g2p_build.store.files import canonical_json

__all__ = ["STAGE", "build"]


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `classes.json`, and the same as C in `model.inc`."""
    (out / "classes.json").write_bytes(canonical_json(params) + b"\n")
    fields = f"{{{params['most']}, {len(params['classes'])}, classes}}"
    lines = ['#include "classes.h"', *strings("classes", params["classes"])]
    (out / "model.inc").write_text("\n".join([*lines, f"static const struct letters_model model = {fields};", ""]))


STAGE = Stage(build)

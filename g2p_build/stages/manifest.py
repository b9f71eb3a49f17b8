"""Stage: archives → the manifest, which tells an app everything about a variant."""

import hashlib
import importlib.metadata
import json
from pathlib import Path
from typing import Any

from g2p_build.errors import BuildError
from g2p_build.runtime import manifest as manifests
from g2p_build.runtime.errors import G2PError
from g2p_build.stages.protocol import Stage
from g2p_build.store.files import canonical_json

__all__ = ["STAGE", "build"]

TOOLS: tuple[str, ...] = ("apache-tvm", "apache-tvm-ffi", "torch", "ziglang")

DEVICE_CPU = 1  # DLPack's kDLCPU


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `manifest.json`. Its `verification` is null; `doit verify` fills it in later.

    Args:
        params: `family`, `name`, `variant`, `target`, `checkpoint`, `files` (plain JSON), `weights_name`, and `assets`:
            names of further archives by role.
        inputs: `library.tar`, `weights.tar`, `ROLE.tar` of every asset, `functions.json`, `model.json` (becomes the
            field `model`), `checkpoint` (for its digest); for a standalone library also `inspection.json`; if there are
            such tables, `lexicon.json` and `draft.json`.
        out: an empty folder.

    Raises:
        BuildError: the result does not fit the schema of all manifests. What its family demands is checked when it is
            published.
    """
    manifest = {
        "schema_version": manifests.SCHEMA_VERSION,
        "family": params["family"],
        "name": params["name"],
        "variant": params["variant"],
        "archives": {
            "library": _archive(params["name"], inputs["library.tar"]),
            "weights": _archive(params["weights_name"], inputs["weights.tar"]),
            **{role: _archive(name, inputs[f"{role}.tar"]) for role, name in params["assets"].items()},
        },
        "files": params["files"],
        "model": json.loads(inputs["model.json"].read_text(encoding="utf-8")),
        "functions": json.loads(inputs["functions.json"].read_text(encoding="utf-8")),
        "target": params["target"] | {"device_type": DEVICE_CPU},
        "toolchain": {name: importlib.metadata.version(name) for name in TOOLS},
        "checkpoint": params["checkpoint"] | {"digest": _sha256(inputs["checkpoint"])},
        "lexicon": json.loads(inputs["lexicon.json"].read_bytes()) if "lexicon.json" in inputs else None,
        "draft": json.loads(inputs["draft.json"].read_bytes()) if "draft.json" in inputs else None,
        "verification": None,
    }
    if "inspection.json" in inputs:
        manifest["inspection"] = json.loads(inputs["inspection.json"].read_bytes())
    manifest["digest"] = manifests.digest(manifest)
    try:
        manifests.validate(manifest)
    except G2PError as error:
        raise BuildError(f"what was built makes no manifest: {error}") from None
    (out / "manifest.json").write_bytes(canonical_json(manifest) + b"\n")


def _archive(name: str, path: Path) -> dict[str, Any]:
    digest = _sha256(path)
    return {"file": f"{name}-{digest[:16]}.tar", "sha256": digest, "size": path.stat().st_size}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


STAGE = Stage(build, tools=TOOLS)

"""What a Kokoro manifest says besides what all manifests say: its schema, and checks that a schema cannot express."""

from collections.abc import Mapping
from typing import Any

from g2p_build.runtime.errors import InvalidManifest
from g2p_build.runtime.manifest import Section

__all__ = ["ROLES", "SECTION"]

ROLES = ("bert", "duration", "text_encoder", "f0n", "source", "decoder")


def _check(manifest: Mapping[str, Any]) -> None:
    """Checks that the fields of a manifest agree with each other.

    Raises:
        InvalidManifest: two fields disagree.
    """
    model = manifest["model"]
    roles = [function["role"] for function in manifest["functions"]]
    if sorted(roles) != sorted(ROLES):
        raise InvalidManifest(f"at functions: their roles are {', '.join(roles)}, not {', '.join(ROLES)}")
    if len(set(model["symbols"].values()) | {model["edge_id"]}) != len(model["symbols"]) + 1:
        raise InvalidManifest("at model.symbols: two symbols have one id, or one has edge_id")


SECTION = Section("kokoro", "kokoro.schema.json", _check)

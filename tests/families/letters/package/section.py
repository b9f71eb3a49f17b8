"""What a letters manifest says besides what all manifests say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from g2p_build.runtime.errors import InvalidManifest
from g2p_build.runtime.manifest import Section

__all__ = ["SECTION"]


def _check(manifest: Mapping[str, Any]) -> None:
    most, bound = manifest["model"]["most"], manifest["variant"]["max_lens"]["input"]
    if most != bound:
        raise InvalidManifest(f"at model.most: {most} is not variant.max_lens.input, {bound}")


SECTION = Section("letters", Path(__file__).with_name("letters.schema.json"), _check)

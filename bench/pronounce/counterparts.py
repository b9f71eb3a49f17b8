"""Stand-ins: variants that are measured in place of those that were asked for. Nobody else sees them."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from g2p_build import graph
from g2p_build.config.variant import Variant
from g2p_build.engine.build import Build
from g2p_build.families.g2p.checkpoint import g2p_checkpoint
from g2p_build.store.scratch import scratch

__all__ = ["built", "endless"]


def endless(variant: Variant) -> Variant:
    """The same code for a model that hardly ever ends a word: its end token is the one for unknown bytes.

    A standalone library ends a word at the end token, whatever it is asked for. A checkpoint whose prompts contain the
    end token stays as it is.
    """
    checkpoint = g2p_checkpoint(variant)
    if checkpoint.append_eos:
        return variant
    other = replace(checkpoint, name=f"{checkpoint.name}+endless", eos_id=checkpoint.unk_id, unk_id=checkpoint.eos_id)
    return replace(variant, checkpoint=other)


def built(build: Build, variant: Variant) -> Path:
    """Builds a variant.

    Args:
        build: the command's.
        variant: for this machine.

    Returns:
        Its manifest, in a folder that lasts as long as this process, with its archives beside it.

    Raises:
        BuildError: a stage failed.
    """
    nodes = graph.nodes(variant)
    build.ensure(nodes.values())
    made = build.files(nodes["manifest"])["manifest.json"]
    folder = Path(tempfile.mkdtemp(prefix="counterpart-", dir=scratch(build.cache)))
    manifest = folder / f"{variant.name}.json"
    manifest.hardlink_to(made)
    for role, archive in json.loads(made.read_bytes())["archives"].items():
        (folder / archive["file"]).hardlink_to(build.files(nodes[f"{role}_archive"])["archive.tar"])
    return manifest

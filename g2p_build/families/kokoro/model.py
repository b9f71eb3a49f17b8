"""The part of the build graph that Kokoro draws: from a checkpoint to its program, weights, voices and description."""

from dataclasses import asdict
from typing import Any

from g2p_build.config.family import Model
from g2p_build.config.variant import Variant
from g2p_build.families.kokoro.checkpoint import KokoroCheckpoint, kokoro_checkpoint
from g2p_build.stages.node import Node, files_of

__all__ = ["checkpoint_node", "description_node", "model", "voices_node"]


def model(variant: Variant) -> Model:
    """The nodes of a variant's model."""
    checkpoint = kokoro_checkpoint(variant)
    published = checkpoint_node(checkpoint)
    return Model(
        checkpoint=published,
        checkpoint_file="model.safetensors",
        description=description_node(checkpoint, published),
        description_file="symbols.json",
        weights=_from_architecture("weights", variant, published, "model.safetensors", made=("weights.safetensors",)),
        program=_from_architecture("program", variant, published, made=("functions.json", "program.json")),
        assets={"voices": (voices_node(checkpoint, published), "voices.safetensors")},
    )


def _from_architecture(stage: str, variant: Variant, published: Node, *more: str, made: tuple[str, ...]) -> Node:
    return Node(
        stage=stage,
        label=f"{variant.checkpoint.name}-{variant.dtype}",
        module=f"g2p_build.stages.kokoro.{stage}",
        params={"dtype": variant.dtype},
        inputs=files_of(published, "architecture.json", *more),
        outputs=made,
    )


def checkpoint_node(checkpoint: KokoroCheckpoint) -> Node:
    """The weights as they were published. Neither voices nor languages are among its parameters."""
    return Node(
        stage="checkpoint",
        label=checkpoint.name,
        module="g2p_build.stages.kokoro.checkpoint",
        params=_source(checkpoint),
        inputs={},
        outputs=("architecture.json", "model.safetensors", "vocabulary.json"),
        folders=(checkpoint.path,) if checkpoint.path else (),
    )


def voices_node(checkpoint: KokoroCheckpoint, published: Node) -> Node:
    """The voices: `voices.safetensors`, which no other node takes but an archive, and what it has."""
    names = {"names": list(checkpoint.voices)}
    files = checkpoint.voice_files
    # Random voices need no shape, and have the weights' seed.
    source = {name: value for name, value in _source(checkpoint).items() if name != "shape"}
    return Node(
        stage="voices",
        label=checkpoint.name,
        module="g2p_build.stages.kokoro.voices",
        params=names | ({"source": "path"} if files else source),
        inputs=files_of(published, "architecture.json"),
        outputs=("voices.json", "voices.safetensors"),
        folders=(files,) if files else (),
    )


def description_node(checkpoint: KokoroCheckpoint, published: Node) -> Node:
    """How the model is called: `symbols.json`, and what of it the C needs."""
    languages = checkpoint.languages
    return Node(
        stage="symbols",
        label=checkpoint.name,
        module="g2p_build.stages.kokoro.symbols",
        params={"languages": list(languages) if languages else None, "source": checkpoint.source},
        inputs=files_of(published, "architecture.json", "vocabulary.json"),
        outputs=("model.inc", "symbols.json"),
    )


def _source(checkpoint: KokoroCheckpoint) -> dict[str, Any]:
    """The parameters of the checkpoint stage. A folder's path is not among them: two copies give one key."""
    if checkpoint.source == "hub":
        return {"source": "hub", "repo": checkpoint.repo, "revision": checkpoint.revision}
    if checkpoint.source == "random":
        return {"source": "random", "shape": asdict(checkpoint)["shape"], "seed": checkpoint.seed}
    return {"source": checkpoint.source}

"""The part of the build graph that G2P draws: from a checkpoint to its program, weights and tokenizer."""

from dataclasses import asdict
from typing import Any

from g2p_build.checkpoints.files import EMBEDDED
from g2p_build.config.family import Model
from g2p_build.config.variant import Variant
from g2p_build.families.g2p.checkpoint import OWN_WORDS, G2PCheckpoint, g2p_checkpoint
from g2p_build.stages.node import Node, files_of

__all__ = ["model"]


def model(variant: Variant) -> Model:
    """The nodes of a variant's model."""
    checkpoint = _checkpoint(g2p_checkpoint(variant))
    return Model(
        checkpoint=checkpoint,
        checkpoint_file="model.safetensors",
        description=_tokenizer(variant, checkpoint),
        description_file="tokenizer.json",
        weights=_weights(variant, checkpoint),
        program=_program(variant, checkpoint),
    )


def _checkpoint(checkpoint: G2PCheckpoint) -> Node:
    folder = str(EMBEDDED) if checkpoint.source == "embedded" else checkpoint.path
    return Node(
        stage="checkpoint",
        label=checkpoint.name,
        module="g2p_build.stages.checkpoint",
        params=_source(checkpoint),
        inputs={},
        outputs=("architecture.json", "model.safetensors", "special_ids.json"),
        folders=(folder,) if folder else (),
    )


def _source(checkpoint: G2PCheckpoint) -> dict[str, Any]:
    """The parameters of the checkpoint stage. How the checkpoint is prompted is not among them.

    A folder's path is not among them either, so two copies of a checkpoint give one key.
    """
    if checkpoint.source == "hub":
        return {"source": "hub", "repo": checkpoint.repo, "revision": checkpoint.revision}
    if checkpoint.source == "random":
        return {"source": "random", "shape": asdict(checkpoint)["shape"], "seed": checkpoint.seed}
    return {"source": "path"}


def _tokenizer(variant: Variant, checkpoint: Node) -> Node:
    return Node(
        stage="tokenizer",
        label=f"{variant.checkpoint.name}-{variant.max_lens.label}",
        module="g2p_build.stages.tokenizer",
        params=_prompted(g2p_checkpoint(variant)) | {"max_lens": asdict(variant.max_lens)},
        inputs=files_of(checkpoint, "architecture.json", "special_ids.json"),
        outputs=("model.inc", "tokenizer.json"),
    )


def _prompted(checkpoint: G2PCheckpoint) -> dict[str, Any]:
    """How words become ids."""
    return {
        "prompt": checkpoint.resolved_prompt,
        "append_eos": checkpoint.append_eos,
        "byte_offset": checkpoint.byte_offset,
        "pad_id": checkpoint.pad_id,
        "eos_id": checkpoint.eos_id,
        "unk_id": checkpoint.unk_id,
        "decoder_start_id": checkpoint.decoder_start_id,
        "languages": list(checkpoint.languages) if checkpoint.languages else None,
        "text": checkpoint.text.as_json() if checkpoint.text else None,
    }


def _weights(variant: Variant, checkpoint: Node) -> Node:
    prompted = g2p_checkpoint(variant)
    words = prompted.calibration if variant.dtype == "int8" else None
    folder = str(EMBEDDED / "calibration") if words == OWN_WORDS else words
    return Node(
        stage="weights",
        label=f"{variant.checkpoint.name}-{variant.dtype}",
        module="g2p_build.stages.weights",
        params={"dtype": variant.dtype} | ({"calibration": _prompted(prompted)} if words else {}),
        inputs=files_of(checkpoint, "architecture.json", "model.safetensors"),
        outputs=("weights.safetensors",),
        folders=(folder,) if folder else (),
    )


def _program(variant: Variant, checkpoint: Node) -> Node:
    return Node(
        stage="program",
        label=f"{variant.checkpoint.name}-{variant.program_label}",
        module="g2p_build.stages.program",
        params={
            "batch": list(variant.compiled_batch),
            "max_lens": asdict(variant.max_lens),
            "dtype": variant.dtype,
            "kv_cache": variant.kv_cache,
            "engine": variant.target.engine,
        },
        inputs=files_of(checkpoint, "architecture.json"),
        outputs=("functions.json", "program.json"),
    )

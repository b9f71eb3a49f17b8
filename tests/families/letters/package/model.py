"""The part of the graph that the family draws."""

from g2p_build.families.letters.checkpoint import LettersCheckpoint

from g2p_build.config.family import Model
from g2p_build.config.variant import Variant
from g2p_build.stages.node import Node, files_of

__all__ = ["model"]


def model(variant: Variant) -> Model:
    """The nodes of a variant's model."""
    source = variant.checkpoint
    assert isinstance(source, LettersCheckpoint)
    name, shape = source.name, {"width": source.width, "classes": len(source.classes)}
    checkpoint = _node("random_weights", name, shape | {"seed": source.seed}, {}, "model.safetensors")
    return Model(
        checkpoint=checkpoint,
        checkpoint_file="model.safetensors",
        description=_node(
            "classes",
            f"{name}-{variant.max_lens.label}",
            {"classes": list(source.classes), "most": variant.max_lens.input},
            {},
            "classes.json",
            "model.inc",
        ),
        description_file="classes.json",
        weights=_node("weights", f"{name}-{variant.dtype}", {}, files_of(checkpoint), "weights.safetensors"),
        program=_node(
            "program",
            f"{name}-{variant.program_label}",
            shape | {"most": variant.max_lens.input},
            {},
            "functions.json",
            "program.json",
        ),
    )


def _node(
    stage: str, label: str, params: dict[str, object], inputs: dict[str, tuple[Node, str]], *outputs: str
) -> Node:
    return Node(stage, label, f"g2p_build.families.letters.{stage}", params, inputs, outputs)

"""A variant's model on this machine, for stages that ask it how words are said, whatever the variant's target is."""

from collections.abc import Callable, Mapping

from g2p_build.config.resolve import on_this_machine
from g2p_build.config.variant import Variant
from g2p_build.native.files import shared_name
from g2p_build.stages.node import Node, files_of

__all__ = ["pronouncer"]

MODEL = ("program", "code", "library")
"""The stages whose results for this machine pronounce words, each after those that it takes inputs from."""


def pronouncer(
    variant: Variant, nodes: Callable[[Variant], Mapping[str, Node]], role: str
) -> tuple[dict[str, Node], dict[str, tuple[Node, str]]]:
    """The model of a variant for this machine.

    Args:
        variant: the variant.
        nodes: gives the nodes of any variant.
        role: what the model is for: the nodes' roles begin with it.

    Returns:
        The nodes that are needed besides the variant's own, by role; and the inputs of a stage that asks the model:
        `library`, `weights.safetensors` and `tokenizer.json`.
    """
    here = on_this_machine(variant)
    drawn = nodes(here)
    inputs = {
        "library": (drawn["library"], shared_name("g2p", here.target.triple)),
        **files_of(drawn["weights"]),
        **files_of(drawn["tokenizer"], "tokenizer.json"),
    }
    return {f"{role}_{stage}": drawn[stage] for stage in MODEL}, inputs

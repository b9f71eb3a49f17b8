"""The part of the build graph that makes a variant's draft table."""

from collections.abc import Callable, Mapping

from g2p_build.checkpoints.files import EMBEDDED
from g2p_build.config.variant import Variant
from g2p_build.families.g2p.checkpoint import g2p_checkpoint
from g2p_build.families.g2p.pronouncer import pronouncer
from g2p_build.stages.node import Node

__all__ = ["draft"]


def draft(variant: Variant, nodes: Callable[[Variant], Mapping[str, Node]]) -> dict[str, Node]:
    """The nodes that make `draft.g2pdraft`, by role, the last of them `draft`; none if nothing is guessed.

    Args:
        variant: the variant.
        nodes: gives the nodes of any variant.
    """
    if variant.draft.is_off:
        return {}
    if variant.draft.words is None:
        return {"draft": _draft(variant, {})}
    before, said = pronouncer(variant, nodes, "draft")
    return before | {"draft": _draft(variant, said)}


def _draft(variant: Variant, said: Mapping[str, tuple[Node, str]]) -> Node:
    """The table. With words alone it is of one dtype's weights, which say them."""
    checkpoint = g2p_checkpoint(variant)
    table = str(EMBEDDED / "draft.g2pdraft") if variant.draft.path == "embedded" else variant.draft.path
    label = f"{variant.checkpoint.name}-{variant.draft.label or 'draft'}"
    return Node(
        stage="drafts",
        label=f"{label}-{variant.max_lens.label}-{variant.dtype}" if said else label,
        module="g2p_build.stages.drafts",
        params={
            "text": checkpoint.text.as_json() if checkpoint.text else None,
            "languages": list(checkpoint.languages) if checkpoint.languages else None,
            "max_bytes": variant.draft.max_bytes,
        },
        inputs=dict(said),
        outputs=("draft.g2pdraft", "draft.json"),
        folders=(variant.draft.words or str(table),),
    )

"""The part of the build graph that makes a variant's lexicon."""

from collections.abc import Callable, Mapping

from g2p_build.checkpoints.files import EMBEDDED
from g2p_build.config.variant import Variant
from g2p_build.families.g2p.checkpoint import g2p_checkpoint
from g2p_build.families.g2p.pronouncer import pronouncer
from g2p_build.stages.node import Node, files_of

__all__ = ["lexicon"]

NOTICE = "LEXICON-NOTICE"  # a file beside the embedded lexicon, and a member of archives that hold its words


def lexicon(variant: Variant, nodes: Callable[[Variant], Mapping[str, Node]]) -> dict[str, Node]:
    """The nodes that make `lexicon.g2plex`, by role, the last of them `lexicon`; none if the variant has no lexicon.

    Args:
        variant: the variant.
        nodes: gives the nodes of any variant.
    """
    if variant.lexicon.is_off:
        return {}
    if variant.lexicon.exceptions is None:
        return {"lexicon": _lexicon(variant, None)}
    before, said = pronouncer(variant, nodes, "exceptions")
    exceptions = _exceptions(variant, said)
    return before | {"exceptions": exceptions, "lexicon": _lexicon(variant, exceptions)}


def _exceptions(variant: Variant, said: Mapping[str, tuple[Node, str]]) -> Node:
    """The words of dictionaries that the model gets wrong. It runs here, whatever the variant's target is."""
    words = variant.lexicon
    return Node(
        stage="exceptions",
        label=f"{variant.checkpoint.name}-{variant.max_lens.label}-{variant.dtype}-{words.label}",
        module="g2p_build.stages.exceptions",
        params={"max_bytes": words.max_bytes},
        inputs=said,
        outputs=("exceptions.g2plex",),
        folders=tuple(filter(None, (words.exceptions, words.use))),
    )


def _lexicon(variant: Variant, exceptions: Node | None) -> Node:
    label = f"{variant.checkpoint.name}-{variant.lexicon.label or 'lexicon'}"
    files = [str(EMBEDDED / "lexicon.g2plex") if file == "embedded" else file for file in variant.lexicon.files]
    checkpoint = g2p_checkpoint(variant)
    return Node(
        stage="lexicon",
        label=f"{label}-{variant.max_lens.label}-{variant.dtype}" if exceptions else label,
        module="g2p_build.stages.lexicon",
        params={
            "text": checkpoint.text.as_json() if checkpoint.text else None,
            "languages": list(checkpoint.languages) if checkpoint.languages else None,
        },
        inputs=files_of(exceptions) if exceptions else {},
        outputs=("lexicon.g2plex", "lexicon.json", *([NOTICE] if "embedded" in variant.lexicon.files else [])),
        folders=tuple(files),
    )

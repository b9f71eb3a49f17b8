"""A node of the build graph: one stage with its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Node", "files_of"]


@dataclass(frozen=True)
class Node:
    """One stage with its parameters: a point of the graph."""

    stage: str  # what the stage is called: "library"
    label: str  # tells it from the stage's other nodes; the same label means the same parameters and inputs
    module: str  # dotted name of the module that holds the stage: "g2p_build.stages.library"
    params: Mapping[str, Any] = field(hash=False)  # plain JSON: all of the variant that the stage may look at
    inputs: Mapping[str, tuple["Node", str]] = field(hash=False)  # name the stage knows it by → (writer, its output)
    outputs: tuple[str, ...]  # the files it writes
    folders: tuple[str, ...] = ()  # of source files that are inputs too; their contents are in the key, no path is

    @property
    def name(self) -> str:
        """Unique in a graph: `library:embedded-host-b1-i64-o128-float32-kv`."""
        return f"{self.stage}:{self.label}"


def files_of(node: Node, *files: str) -> dict[str, tuple[Node, str]]:
    """Outputs of a node as inputs of another, under their own names; all of them where none is named."""
    return {file: (node, file) for file in files or node.outputs}

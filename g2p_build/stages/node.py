"""Nodes of the build graph."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Node", "files_of"]


@dataclass(frozen=True)
class Node:
    """One stage with its parameters: a node of the graph."""

    stage: str  # the stage's name: "library"
    label: str  # distinguishes nodes of one stage; the same label means the same parameters and inputs
    module: str  # dotted name of the module that defines the stage: "g2p_build.stages.library"
    params: Mapping[str, Any] = field(hash=False)  # plain JSON: the only fields of the variant that the stage sees
    inputs: Mapping[str, tuple["Node", str]] = field(hash=False)  # the stage's name for a file → (its writer, its name)
    outputs: tuple[str, ...]  # names of the files that it writes
    folders: tuple[str, ...] = ()  # whose files are inputs too; the key holds their contents, not their paths

    @property
    def name(self) -> str:
        """Unique in a graph: `library:embedded-host-b1-i64-o128-float32-kv`."""
        return f"{self.stage}:{self.label}"


def files_of(node: Node, *files: str) -> dict[str, tuple[Node, str]]:
    """Outputs of a node as inputs of another node, under the same names. Without `files`, all of them."""
    return {file: (node, file) for file in files or node.outputs}

"""Builds a table that a variant's weights archive has, and copies it out of the cache: `lexicon` and `draft` do."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from g2p_build import graph
from g2p_build.config import compose
from g2p_build.engine import streams
from g2p_build.engine.build import Build
from g2p_build.errors import BuildError, os_errors_explained
from g2p_build.store.files import write_atomically
from g2p_build.store.workspace import workspace

__all__ = ["Kind", "run", "write_table"]


@dataclass(frozen=True)
class Kind:
    """A kind of table."""

    role: str  # of its node, and the command's name
    file: str  # which the node makes
    advice: str  # for a variant without one


@os_errors_explained()
def write_table(kind: Kind, build: Build, overrides: Sequence[str], out: Path) -> None:
    """Writes a table of a variant.

    Args:
        kind: which of its tables.
        build: the command's build.
        overrides: describe one variant.
        out: the file to write.

    Raises:
        BuildError: there are several variants, or none of them has such a table, or it cannot be built. One line.
    """
    variants = compose.variants(overrides)
    if len(variants) > 1:
        raise BuildError(f"{' '.join(overrides)} are {len(variants)} variants: describe one")
    nodes = graph.nodes(variants[0])
    if kind.role not in nodes:
        raise BuildError(f"{variants[0].name} has no {kind.role}: add {kind.advice}")
    wanted = nodes[kind.role]
    build.ensure(_before(list(nodes.values()), wanted))
    table = build.files(wanted)[kind.file].read_bytes()
    write_atomically(out, table, out.with_name(f".{out.name}.tmp"))


def _before(nodes: Sequence[graph.Node], wanted: graph.Node) -> list[graph.Node]:
    """The nodes that one node needs, and itself, in their order."""
    needed = {wanted.name}
    for node in reversed(nodes):
        if node.name in needed:
            needed |= {upstream.name for upstream, _ in node.inputs.values()}
    return [node for node in nodes if node.name in needed]


def run(kind: Kind, arguments: Sequence[str]) -> int:
    """The command of a kind of table; its exit status."""
    streams.guard()
    if not arguments or "=" in arguments[0]:
        ending = Path(kind.file).suffix
        print(f"usage: python -m g2p_build.products.{kind.role} OUT{ending} KEY=VALUE...", file=sys.stderr)
        return 2
    try:
        write_table(kind, Build(workspace(Path.cwd())), arguments[1:], Path(arguments[0]))
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0

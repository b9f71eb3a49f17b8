"""Builds the lexicon of a variant, and copies its table out of the cache.

    python -m g2p_build.products.lexicon OUT.g2plex KEY=VALUE...

The overrides are those of `doit compile`. They describe one variant.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from g2p_build import graph
from g2p_build.config import compose
from g2p_build.engine import streams
from g2p_build.engine.build import Build
from g2p_build.errors import BuildError, os_errors_explained
from g2p_build.store.files import write_atomically
from g2p_build.store.workspace import workspace

__all__ = ["main", "write_lexicon"]


@os_errors_explained()
def write_lexicon(build: Build, overrides: Sequence[str], out: Path) -> None:
    """Writes the table of a variant's lexicon.

    Args:
        build: the command's build.
        overrides: describe one variant.
        out: the file to write.

    Raises:
        BuildError: there are several variants, or none of them has a lexicon, or it cannot be built. One line.
    """
    variants = compose.variants(overrides)
    if len(variants) > 1:
        raise BuildError(f"{' '.join(overrides)} are {len(variants)} variants: describe one")
    nodes = graph.nodes(variants[0])
    if "lexicon" not in nodes:
        raise BuildError(f"{variants[0].name} has no lexicon: add lexicon=FILE or lexicon.exceptions=FOLDER")
    wanted = nodes["lexicon"]
    build.ensure(_before(list(nodes.values()), wanted))
    table = build.files(wanted)["lexicon.g2plex"].read_bytes()
    write_atomically(out, table, out.with_name(f".{out.name}.tmp"))


def _before(nodes: Sequence[graph.Node], wanted: graph.Node) -> list[graph.Node]:
    """The nodes that one node needs, and itself, in their order."""
    needed = {wanted.name}
    for node in reversed(nodes):
        if node.name in needed:
            needed |= {upstream.name for upstream, _ in node.inputs.values()}
    return [node for node in nodes if node.name in needed]


def main(arguments: Sequence[str]) -> int:
    """The command; its exit status."""
    streams.guard()
    if not arguments or "=" in arguments[0]:
        print("usage: python -m g2p_build.products.lexicon OUT.g2plex KEY=VALUE...", file=sys.stderr)
        return 2
    try:
        write_lexicon(Build(workspace(Path.cwd())), arguments[1:], Path(arguments[0]))
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

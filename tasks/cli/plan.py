"""What the command line asked for. Every task gets it."""

from dataclasses import dataclass, field
from pathlib import Path

from g2p_build.config.variant import Variant
from g2p_build.engine.build import Build
from g2p_build.store.trees import Published

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """The variants of one command, and where they are built."""

    build: Build
    variants: tuple[Variant, ...]
    default: Variant  # the variant without overrides
    overrides: tuple[str, ...]  # as on the command line
    anchored: tuple[str, ...]  # the same, with absolute paths
    started: float  # when the command started, by time.monotonic()
    published: dict[str, Published] = field(default_factory=dict)  # by variant: found or made; recorded at exit

    @property
    def tree(self) -> Path:
        """The folder of the build, in which dist/ and manifests/ lie."""
        return self.build.workspace.tree

    @property
    def cache(self) -> Path:
        """The cache's folder."""
        return self.build.workspace.cache

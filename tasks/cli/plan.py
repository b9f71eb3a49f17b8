"""What the command line asked for, as every task sees it."""

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
    default: Variant  # the one that no overrides give
    overrides: tuple[str, ...]  # as on the command line
    started: float  # when the command started, by time.monotonic()
    published: dict[str, Published] = field(default_factory=dict)  # found or made, by variant; noted at the end

    @property
    def tree(self) -> Path:
        """The checkout: dist/ and manifests/ lie in it."""
        return self.build.workspace.tree

    @property
    def cache(self) -> Path:
        """The cache's folder."""
        return self.build.workspace.cache

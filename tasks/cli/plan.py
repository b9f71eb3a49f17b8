"""What the command line asked for. Every task gets it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from g2p_build.config.variant import Variant
from g2p_build.engine.build import Build
from g2p_build.products import names
from g2p_build.store.trees import Origin, Published

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """The variants of one command, and where they are built."""

    build: Build
    variants: tuple[Variant, ...]
    configured: Mapping[Variant, Variant]  # each variant → as configured, before names were told apart
    default: Variant  # the variant without overrides
    overrides: tuple[str, ...]  # as on the command line
    anchored: tuple[str, ...]  # the same, with absolute paths
    started: float  # when the command started, by time.monotonic()
    published: dict[str, Published] = field(default_factory=dict)  # by variant: found or made; recorded at exit

    def origins(self, variant: Variant) -> dict[str, Origin]:
        """Where a variant of the command comes from, for the tree's record."""
        return names.origins(self.build, variant, self.configured[variant])

    @property
    def tree(self) -> Path:
        """The folder of the build, in which dist/ and manifests/ lie."""
        return self.build.workspace.tree

    @property
    def cache(self) -> Path:
        """The cache's folder."""
        return self.build.workspace.cache

"""What the command line asked for, as every task sees it."""

from dataclasses import dataclass
from pathlib import Path

from g2p_build.config.variant import Variant

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """The variants of one command, and where they are built."""

    root: Path  # the cache
    tree: Path  # the checkout: dist/ and manifests/ lie in it
    variants: tuple[Variant, ...]
    default: Variant  # the one that no overrides give
    overrides: tuple[str, ...]  # as on the command line
    started: float  # when the command started, by time.monotonic()

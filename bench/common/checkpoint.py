"""What contenders read their weights from."""

from pathlib import Path

from g2p_build import graph
from g2p_build.config.variant import Variant
from g2p_build.engine.build import Build
from g2p_build.store.scratch import scratch

__all__ = ["checkpoint_files"]


def checkpoint_files(build: Build, variant: Variant) -> Path:
    """A folder with what the checkpoint stage made, under its own names."""
    folder = scratch(build.cache) / f"checkpoint-{variant.checkpoint.name}"
    folder.mkdir(exist_ok=True)
    for name, path in build.files(graph.nodes(variant)["checkpoint"]).items():
        if not (folder / name).exists():
            (folder / name).symlink_to(path)
    return folder

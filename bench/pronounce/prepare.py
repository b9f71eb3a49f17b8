"""A contender's files: made from the checkpoint once, and kept in the cache."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from bench.common.checkout import ROOT
from bench.common.kept import kept
from bench.common.process import Failed, Process
from bench.pronounce.contenders import Contender
from bench.pronounce.setup import CHILD, Setup
from g2p_build.store.digests import file_digest
from g2p_build.store.scratch import scratch
from g2p_build.store.sources import source_digest

__all__ = ["FROM_THE_PACKAGE", "prepared"]

FROM_THE_PACKAGE = ("g2p_build.models.layers", "g2p_build.reference.pretrained")
"""What the engines use of the package to make files. A source digest follows imports within one package only."""

_SECONDS = 1800


def prepared(
    root: Path, contender: Contender, setup: Setup, checkpoint: Path, python: Path, say: Callable[[str], None]
) -> Setup:
    """Makes a contender's files if they are not there, and returns the setup with their folder in it.

    Args:
        root: the cache's folder.
        contender: whose files.
        setup: how it will be opened.
        checkpoint: a folder with what the checkpoint stage made.
        python: the contender's interpreter.
        say: told when something has to be made.

    Raises:
        Failed: they cannot be made.
    """
    if contender.made_for is None:
        return setup
    made_of = [
        {name: getattr(setup, name) for name in contender.made_for},
        [file_digest(root, path.resolve()) for path in sorted(checkpoint.iterdir())],
        source_digest(root, f"bench.pronounce.engines.{contender.engine}", ROOT / "bench"),
        [source_digest(root, module) for module in FROM_THE_PACKAGE],
        str(python),  # an environment's folder is named after its packages
    ]

    def make(out: Path) -> None:
        say(f"{contender.name}: making its files")
        process = Process(CHILD, python, setup.threads, scratch(root) / "prepare.log")
        try:
            question = {"setup": asdict(replace(setup, folder=str(out))), "checkpoint": str(checkpoint)}
            process.ask(question, _SECONDS)
        except Failed as failed:
            raise Failed(f"its files cannot be made: {failed}") from None
        finally:
            process.close()

    return replace(setup, folder=str(kept(root, contender.name, made_of, make)))

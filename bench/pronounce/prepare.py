"""A contender's files: made from the checkpoint once, and kept in the cache."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from filelock import FileLock

from bench.common.checkout import ROOT
from bench.pronounce.contenders import Contender
from bench.pronounce.process import Failed, Process
from bench.pronounce.setup import Setup
from g2p_build.store.digests import digest_of, file_digest
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
    folder = root / "bench" / f"{contender.name}-{digest_of(made_of)[:16]}"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            say(f"{contender.name}: making its files")
            out = scratch(root) / folder.name
            shutil.rmtree(out, ignore_errors=True)  # what failed before in this process
            out.mkdir()
            process = Process(python, setup.threads, scratch(root) / "prepare.log")
            try:
                question = {"setup": asdict(replace(setup, folder=str(out))), "checkpoint": str(checkpoint)}
                process.ask(question, _SECONDS)
            except Failed as failed:
                raise Failed(f"its files cannot be made: {failed}") from None
            finally:
                process.close()
            out.replace(folder)
    return replace(setup, folder=str(folder))

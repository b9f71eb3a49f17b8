"""`g2p-build …`: runs doit with these tasks. The folder need not be a checkout."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain
from doit.exceptions import InvalidDodoFile

from g2p_build.config.compose import CONF
from g2p_build.engine import streams

from . import load

__all__ = ["main"]

DODO = """\
import sys, pathlib, g2p_build.tasks
globals().update(g2p_build.tasks.load(sys.argv[1:], pathlib.Path(__file__).resolve().parent))
"""


class _Main(DoitMain):
    BIN_NAME = "g2p-build"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command. Returns doit's exit status.

    `g2p-build init` writes dodo.py and conf/ into the folder. Then `doit` works there too, and conf/ can be extended.
    """
    streams.guard()
    arguments = list(sys.argv[1:] if argv is None else argv)
    here = Path.cwd()
    if arguments[:1] == ["init"]:
        return _init(here, arguments[1:])
    try:
        tasks = load(arguments, here)
    except InvalidDodoFile as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 3
    status: int = _Main(ModuleTaskLoader(tasks), config_filenames=()).run(arguments)
    return status


def _init(folder: Path, more: Sequence[str]) -> int:
    if more:
        print(f"ERROR: init takes no arguments: leave out {' '.join(more)}", file=sys.stderr)
        return 3
    there = [name for name in ("dodo.py", "conf") if (folder / name).exists()]
    if there:
        print(f"ERROR: {there[0]} is here already: nothing was written; run it in an empty folder", file=sys.stderr)
        return 3
    try:
        shutil.copytree(CONF, folder / "conf")
        (folder / "dodo.py").write_text(DODO, encoding="utf-8")
    except OSError as error:
        print(f"ERROR: cannot write {error.filename}: {error.strerror}", file=sys.stderr)
        return 3
    print("wrote dodo.py and conf/; next: g2p-build compile (or doit), with overrides such as target=iphone")
    return 0

"""The doit tasks, one a file. What they do is done elsewhere; here it gets a name on the command line."""

import atexit
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from doit.exceptions import InvalidDodoFile

from g2p_build import config
from g2p_build.build import cache_root
from g2p_build.errors import BuildError
from g2p_build.store import digests, scratch
from tasks import bench, compile, golden, stages, variants, verify
from tasks.plan import Plan
from tasks.reporter import Reporter

__all__ = ["load"]

TREE = Path(__file__).resolve().parents[1]


def load(arguments: Sequence[str]) -> dict[str, Any]:
    """What dodo.py defines: doit's settings and a task creator for each task.

    Args:
        arguments: doit's command line. Words of the form `name=value` that are not options are Hydra overrides (doit
            itself keeps them as variables and never complains of one that nobody reads).

    Raises:
        InvalidDodoFile: the overrides describe nothing that can be built. doit prints the one line and exits with 3.
    """
    overrides = [word for word in arguments if "=" in word and not word.startswith("-")]
    try:
        wanted = config.variants(overrides)
        [default] = config.variants([])
    except BuildError as error:
        raise InvalidDodoFile(str(error)) from None
    root = cache_root()
    scratch.sweep(root)
    atexit.register(digests.save, root)
    plan = Plan(root=root, tree=TREE, variants=tuple(wanted), default=default)
    creators: list[Callable[[Plan], dict[str, Callable[[], Any]]]] = [
        compile.tasks,
        variants.tasks,
        golden.tasks,
        verify.tasks,
        bench.tasks,
        stages.tasks,
    ]
    settings = {
        "default_tasks": ["compile"],
        "reporter": Reporter,
        "verbosity": 2,
        # One variant that fails does not keep the others from being built.
        "continue": True,
        # doit's own record of what ran decides nothing here; it is only a place to put it.
        "dep_file": str(root / "doit" / "tasks.json"),
        "backend": "json",
    }
    (root / "doit").mkdir(parents=True, exist_ok=True)
    return {"DOIT_CONFIG": settings} | {name: task for create in creators for name, task in create(plan).items()}

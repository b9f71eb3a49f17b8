"""The doit tasks, one a file. What they do is done elsewhere; here it gets a name on the command line."""

import atexit
import gc as collector
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["load"]

INTERRUPTED = b"interrupted: what was finished is kept\n"


def load(arguments: Sequence[str], tree: Path) -> dict[str, Any]:
    """What dodo.py defines: doit's settings and a task creator for each task.

    Args:
        arguments: doit's command line. Words of the form `name=value` that are not options are Hydra overrides (doit
            itself keeps them as variables and never complains of one that nobody reads).

        tree: the folder whose conf/ is read (else the package's own), and which dist/ and manifests/ are written to.

    Raises:
        InvalidDodoFile: the overrides describe nothing that can be built. doit prints the one line and exits with 3.
    """
    started = time.monotonic()
    signal.signal(signal.SIGINT, _interrupted_early)
    # What a graph is made of lives as long as the command: looking for garbage in it is an eighth of an idle build.
    collector.set_threshold(200_000)
    # Late, because they take a while: Ctrl-C is one line in the meantime too.
    from doit.exceptions import InvalidDodoFile

    from g2p_build.config import compose
    from g2p_build.engine.build import Build
    from g2p_build.errors import BuildError
    from g2p_build.store import digests, in_use, scratch, trees
    from g2p_build.store.workspace import workspace

    from . import bench, compile, gc, golden, ir, manifests, profile, reproduce, stages, tune, variants, verify, why
    from .cli.plan import Plan
    from .cli.reporter import Reporter

    overrides = [word for word in arguments if "=" in word and not word.startswith("-")]
    try:
        conf = compose.conf_of(tree)
        wanted = compose.variants(overrides, conf)
        [default] = compose.variants([], conf)
    except BuildError as error:
        raise InvalidDodoFile(str(error)) from None
    build = Build(workspace(tree))
    cache = build.workspace.cache
    in_use.share(cache)
    scratch.sweep(cache)
    plan = Plan(build, tuple(wanted), default, tuple(overrides), started)
    atexit.register(digests.save, cache)
    atexit.register(build.note_keys)
    atexit.register(trees.note_published, build.workspace, plan.published)
    creators: list[Callable[[Plan], dict[str, Callable[[], Any]]]] = [
        compile.tasks,
        variants.tasks,
        why.tasks,
        golden.tasks,
        verify.tasks,
        manifests.tasks,
        gc.tasks,
        reproduce.tasks,
        ir.tasks,
        profile.tasks,
        bench.tasks,
        tune.tasks,
        stages.tasks,
    ]
    settings = {
        "default_tasks": ["compile"],
        "reporter": Reporter(plan),
        # Stages run in processes of their own, a thread only waits for one.
        "par_type": "thread",
        "verbosity": 2,
        # One variant that fails does not keep the others from being built.
        "continue": True,
        # doit's own record of what ran decides nothing here, so it is kept nowhere: no file to be found half-written.
        "dep_file": ":memory:",
        "backend": "sqlite3",
    }
    signal.signal(signal.SIGINT, _interrupted)
    return {"DOIT_CONFIG": settings} | {name: task for create in creators for name, task in create(plan).items()}


def _interrupted(*_: object) -> NoReturn:
    """Ctrl-C: the stage that runs is lost, and nothing else; its worker ends with this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
    os.write(2, INTERRUPTED)  # not through a buffer, which may be in use
    sys.exit(128 + signal.SIGINT)


def _interrupted_early(*_: object) -> NoReturn:
    """Ctrl-C before anything runs: nothing is to be put in order, and what we import could catch an exception."""
    os.write(2, INTERRUPTED)
    os._exit(128 + signal.SIGINT)

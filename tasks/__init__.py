"""The doit tasks, one in each file. They only give functions of g2p_build a name on the command line."""

import atexit
import gc as collector
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from g2p_build.engine import streams

__all__ = ["load"]

RECORDED = ("dumpdb", "forget", "ignore", "reset-dep")
"""doit's commands about a record that is not kept here."""

PRINTING = ("clean", "info", "list", "strace", "tabcompletion")
"""doit's commands that print to the standard output that doit was started with."""

COMMANDS = (*RECORDED, *PRINTING, "help", "run")
"""doit's commands. Any other first word is a task."""

INTERRUPTED = b"interrupted: what was finished is kept\n"


def load(arguments: Sequence[str], tree: Path) -> dict[str, Any]:
    """What dodo.py defines: doit's settings and a task creator for each task.

    Args:
        arguments: doit's command line. Words of the form `name=value` that are not options are Hydra overrides. doit
            itself keeps them as variables, and does not mind that no task reads them. Paths in them, in options and in
            the environment are relative to where the user stands.
        tree: the folder of the build. Its conf/ is read, or the package's own if it has none. dist/ and manifests/ are
            written there.

    Raises:
        InvalidDodoFile: an override is wrong. doit prints the message, one line, and exits with 3.
    """
    started = time.monotonic()
    closed = streams.guard()
    signal.signal(signal.SIGINT, _interrupted_early)
    # The graph's objects live as long as the command. Searching them for garbage took an eighth of an idle build.
    collector.set_threshold(200_000)
    # Imported late, because it takes a while: Ctrl-C must print one line meanwhile too.
    from doit.exceptions import InvalidDodoFile

    from g2p_build.config import compose
    from g2p_build.engine.build import Build
    from g2p_build.errors import BuildError
    from g2p_build.products import names
    from g2p_build.store import digests, in_use, scratch, trees
    from g2p_build.store.workspace import workspace

    from . import (
        android,
        bench,
        compile,
        draft,
        gc,
        golden,
        ir,
        lengths,
        manifests,
        npm,
        profile,
        reproduce,
        stages,
        swift,
        tune,
        variants,
        verify,
        wheel,
        why,
    )
    from .cli.plan import Plan
    from .cli.reporter import Reporter

    wrong = _not_here(arguments, closed)
    if wrong:
        raise InvalidDodoFile(wrong)
    _go_back(tree)
    overrides = [word for word in arguments if "=" in word and not word.startswith("-")]
    try:
        conf = compose.conf_of(tree)
        configured = compose.variants(overrides, conf, named=False)
        anchored = tuple(compose.anchored(overrides, Path.cwd()))
        [default] = compose.variants([], conf)
        build = Build(workspace(tree))
        cache = build.workspace.cache
        wanted = names.settled(build, configured, conf)
        in_use.share(cache)
        scratch.sweep(cache)
    except BuildError as error:
        raise InvalidDodoFile(str(error)) from None
    plan = Plan(build, tuple(wanted), wanted, default, tuple(overrides), anchored, started)
    atexit.register(digests.save, cache)
    atexit.register(build.note_keys)
    atexit.register(trees.note_published, build.workspace, plan.published)
    creators: list[Callable[[Plan], dict[str, Callable[[], Any]]]] = [
        compile.tasks,
        variants.tasks,
        why.tasks,
        golden.tasks,
        verify.tasks,
        draft.tasks,
        manifests.tasks,
        gc.tasks,
        reproduce.tasks,
        ir.tasks,
        profile.tasks,
        bench.tasks,
        tune.tasks,
        lengths.tasks,
        wheel.tasks,
        android.tasks,
        swift.tasks,
        npm.tasks,
        stages.tasks,
    ]
    settings = {
        "default_tasks": ["compile"],
        "reporter": Reporter(plan),
        # A stage runs in a process of its own. A thread only waits for it.
        "par_type": "thread",
        "verbosity": 2,
        # If one variant fails, the others are still built.
        "continue": True,
        # doit's own record of what ran decides nothing here. In memory, it leaves no file that could be half-written.
        "dep_file": ":memory:",
        "backend": "sqlite3",
    }
    signal.signal(signal.SIGINT, _interrupted)
    return {"DOIT_CONFIG": settings} | {name: task for create in creators for name, task in create(plan).items()}


def _not_here(arguments: Sequence[str], closed: Set[str]) -> str | None:
    """What is wrong with a command line that doit would take another way than it was meant; None if nothing is."""
    from g2p_build.engine.loader import NO_RECORD

    words = [word for word in arguments if not word.startswith("-")]
    if words and words[0] in PRINTING and "stdout" in closed:
        return "standard output is closed: there is nowhere to print to"
    if words and words[0] in RECORDED:
        return NO_RECORD.format(words[0])
    if words and words[0] not in COMMANDS and "-n" in arguments[arguments.index(words[0]) :]:
        return f"-n comes before the task: doit -n 4 {words[0]}"
    return None


def _go_back(tree: Path) -> None:
    """Goes back to where the user stands. doit has gone to the folder of dodo.py, unless -d names another."""
    from doit import get_initial_workdir

    start = get_initial_workdir()
    if start and tree.samefile(Path.cwd()):
        os.chdir(start)


def _interrupted(*_: object) -> NoReturn:
    """Handles Ctrl-C. Only the running stage is lost; its worker ends with this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
    with suppress(OSError):
        os.write(2, INTERRUPTED)  # not by print: the signal may have interrupted a print
    sys.exit(128 + signal.SIGINT)


def _interrupted_early(*_: object) -> NoReturn:
    """Handles Ctrl-C before anything runs. It exits at once: a module that is being imported could catch SystemExit."""
    with suppress(OSError):
        os.write(2, INTERRUPTED)
    os._exit(128 + signal.SIGINT)

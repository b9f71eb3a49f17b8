"""Runs a tool of the compiler in the worker, as a stage is. So its imports and its crash do not reach doit."""

import atexit
import itertools
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from g2p_build.engine import worker
from g2p_build.graph import Node
from g2p_build.store.scratch import scratch

from .plan import Plan

__all__ = ["run_tool"]

_numbers = itertools.count()


def _places(cache: Path) -> tuple[Path, Path]:
    """A folder for what a tool writes, and one for logs: the cache's, or the system's if the cache can only be read."""
    try:
        logs = cache / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        return scratch(cache), logs
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="g2p-build-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder, folder


def run_tool(plan: Plan, function: str, params: Mapping[str, Any], inputs: Mapping[str, tuple[Node, str]]) -> Path:
    """Runs a function of the compiler in the worker.

    Args:
        plan: the command's plan.
        function: "dotted.module:name". It is called with `params`, `inputs` and an empty folder.
        params: plain JSON data.
        inputs: name → (an up-to-date node, the name of its output).

    Returns:
        The folder that the function wrote to. It lasts as long as this process.

    Raises:
        BuildError: the tool refused its inputs, or failed.
        OSError: no temporary folder can be written.
    """
    module = function.partition(":")[0]
    place, logs = _places(plan.cache)
    out = place / f"{module.rpartition('.')[2]}-{next(_numbers)}"
    out.mkdir()
    files = {name: plan.build.files(node)[file] for name, (node, file) in inputs.items()}
    worker.run(function, params, files, out, logs / f"{module}.log")
    return out

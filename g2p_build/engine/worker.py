"""The process that stages run in. It imports torch and TVM once. If it crashes, that is an error of the stage alone.

`run` asks it (see `pipes`) for one stage after another. A request holds the stage's function, its parameters, inputs,
output folder and log. `run` starts a worker for the first stage, and a new one after a crash.

Why not a `concurrent.futures.ProcessPoolExecutor`? One crash breaks such a pool for every stage that runs in it, and
nothing kills what the crashed process had started, such as a linker. A worker fails alone, is killed with its whole
process group, and gets plain JSON: nothing is pickled.
"""

import atexit
import contextlib
import faulthandler
import gc
import importlib
import os
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from g2p_build.engine import pipes
from g2p_build.engine.source_imports import import_sources, unlike
from g2p_build.errors import FULL, BuildError, explained

__all__ = ["EDITED", "StageFailed", "run"]

EDITED = "its source was edited while it ran: run the command again"

ROOM = 32_000_000  # bytes: with less free space, a failure is probably due to a full disk


class StageFailed(BuildError):
    """A stage crashed, or failed in a way that nobody foresaw.

    Attributes:
        log: the file with what it printed.
    """

    def __init__(self, message: str, log: Path) -> None:
        super().__init__(f"{message}; its log is {log}")
        self.log = log


# By process and thread: each thread has its own worker, and so has a forked child.
_workers: dict[tuple[int, int], pipes.Process] = {}


def run(
    function: str,
    params: Mapping[str, Any],
    inputs: Mapping[str, Path],
    out: Path,
    log: Path,
    progress: bool = False,
    sources: Mapping[str, tuple[str, str]] | None = None,
) -> float:
    """Runs one stage in this thread's worker and waits for it.

    Args:
        function: "dotted.module:name" of a stage's `build`. It is called with `params`, `inputs` and `out`.
        params: plain JSON data.
        inputs: name → file.
        out: an empty folder for the outputs.
        log: a file for whatever the stage prints.
        progress: whether the stage keeps the error stream, for a download's progress bars.
        sources: the code that has to run: module → digests of its syntax tree and of its bytes. None: any.

    Returns:
        Seconds that the stage took, without the worker's start.

    Raises:
        BuildError: the stage refused its inputs, or other code has run.
        StageFailed: the stage failed, or its process died.
    """
    worker = _start()
    request = {
        "function": function,
        "params": dict(params),
        "inputs": {name: str(path) for name, path in inputs.items()},
        "out": str(out),
        "log": str(log),
        "progress": progress,
        "sources": dict(sources or {}),
    }
    try:
        result = worker.ask(request)
    except pipes.Died as died:
        del _workers[_owner()]
        raise StageFailed(f"its process died of {died}{_no_room(out)}", log) from None
    except BaseException:
        _stop(_owner())
        raise
    if "error" in result:
        raise BuildError(result["error"])
    if "failure" in result:
        raise StageFailed(f"failed: {result['failure']}", log)
    seconds = result["seconds"]
    assert isinstance(seconds, float)
    return seconds


def _start() -> pipes.Process:
    worker = _workers.get(_owner())
    if worker is None or not worker.alive:
        _stop(_owner())
        # Torch's threads spin while they wait, which takes the cores from the other stages.
        env = {"OMP_NUM_THREADS": "1"} | os.environ | {"PYTHONIOENCODING": "utf-8:backslashreplace"}
        # The worker must import the same copy of the package as this process: the tree's own.
        worker = pipes.Process("g2p_build.engine.worker", Path(__file__).resolve().parents[2], env)
        _workers[_owner()] = worker
        atexit.register(_stop, _owner())
    return worker


def _owner() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def _stop(owner: tuple[int, int]) -> None:
    worker = _workers.pop(owner, None) if owner[0] == os.getpid() else None
    if worker is not None:
        worker.close()


def _no_room(folder: Path | str) -> str:
    """Names a full disk as the likely reason for a failure. Compilers and linkers report it in many ways or none."""
    left = shutil.disk_usage(folder).free
    return f" (only {left / 1e6:.1f} MB are left on the disk of {folder}: make room)" if left < ROOM else ""


def _serve() -> None:
    # Importing torch and TVM makes 300,000 lasting objects. Searching them for garbage took a third of the import.
    gc.set_threshold(100_000)
    import_sources()
    answer = pipes.answering()
    for request in pipes.requests():
        answer(_answer(request))


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    # A stage's temporary files go into the scratch folder, which is removed even if the build is killed.
    try:
        with _in_utf8() as spelt, _printing_to(Path(request["log"]), request["progress"]):
            out, inputs = spelt(request["out"]), {name: spelt(path) for name, path in request["inputs"].items()}
            os.environ["TMPDIR"] = tempfile.tempdir = str(out.parent)
            return spelt.undone(_built(request, inputs, out))
    except OSError as error:  # the log cannot be written
        return {"error": explained(error)}


class _Spelling:
    """Spells paths in UTF-8: TVM and safetensors take no others. They are good for this process and its children."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._folders: dict[Path, Path] = {}  # a folder whose path is not UTF-8 → another path of it

    def __call__(self, text: str) -> Path:
        path = Path(text)
        if not _is_odd(str(path.parent)):
            return path
        if path.parent not in self._folders:
            number = os.open(path.parent, os.O_RDONLY)
            self._stack.callback(os.close, number)
            alias = Path(f"/proc/{os.getpid()}/fd/{number}")  # Linux has this
            self._folders[path.parent] = alias if alias.exists() else path.parent
        return self._folders[path.parent] / path.name

    def undone(self, answer: dict[str, Any]) -> dict[str, Any]:
        """An answer in which folders have the names that the user knows."""
        for name in {"error", "failure"} & answer.keys():
            for folder, alias in self._folders.items():
                answer[name] = answer[name].replace(str(alias), str(folder))
        return answer


@contextlib.contextmanager
def _in_utf8() -> Iterator[_Spelling]:
    with contextlib.ExitStack() as stack:
        yield _Spelling(stack)


def _is_odd(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return True
    return False


def _built(request: Mapping[str, Any], inputs: dict[str, Path], out: Path) -> dict[str, Any]:
    started = time.monotonic()
    try:
        module, _, name = request["function"].partition(":")
        build = getattr(importlib.import_module(module), name)
        build(request["params"], inputs, out)
        if unlike(request["sources"]):
            return {"error": EDITED}
    except BuildError as error:
        return {"error": f"{error}{_no_room(request['out'])}"}
    except Exception as error:
        with contextlib.suppress(OSError):  # a full disk
            traceback.print_exc(file=sys.stdout)  # into the log: the error stream may be the terminal's
        for code in FULL:
            if os.strerror(code) in str(error):  # libraries raise their own exceptions for a full disk
                path = getattr(error, "filename", None) or request["out"]
                return {"error": explained(OSError(code, os.strerror(code), path))}
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return {"failure": f"{reason}{_no_room(request['out'])}"}
    return {"seconds": time.monotonic() - started}


@contextlib.contextmanager
def _printing_to(log: Path, progress: bool) -> Iterator[None]:
    """Sends standard output and error, of Python and of native code, to a file. `progress` spares the error stream."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        faulthandler.enable(file)  # if a stage crashes, its log says where
        if not progress:
            os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            faulthandler.disable()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for stream in (sys.stdout, sys.stderr):
                try:
                    stream.flush()
                except OSError:  # the disk is full; discard the buffer, or it would appear on the next stream
                    os.dup2(nowhere, stream.fileno())
                    stream.flush()
            os.close(nowhere)
            for number, old in enumerate(kept, 1):
                os.dup2(old, number)
                os.close(old)


if __name__ == "__main__":
    _serve()

"""The process that stages run in: it imports torch and TVM once, and its crash is an error rather than the end.

Run as `python -m g2p_build.engine.worker FD`, it reads one request a line from standard input (JSON: the stage's
function, its parameters, inputs, output folder and log). It answers each with one line on the file descriptor FD. `run`
is the other side: it starts the worker when the first stage asks for it, and a new one after a crash.
"""

import atexit
import contextlib
import faulthandler
import gc
import importlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from g2p_build.engine.source_imports import import_sources
from g2p_build.errors import FULL, BuildError, explained

__all__ = ["StageFailed", "run"]

ROOM = 32_000_000  # bytes that should be left on a disk that stages write to


class StageFailed(BuildError):
    """A stage crashed, or failed in a way that nobody foresaw.

    Attributes:
        log: What it printed.
    """

    def __init__(self, message: str, log: Path) -> None:
        super().__init__(f"{message}; its log is {log}")
        self.log = log


@dataclass(frozen=True)
class _Worker:
    process: subprocess.Popen[str]
    answers: IO[str]


_workers: dict[tuple[int, int], _Worker] = {}  # by process and thread: a forked child, or another thread, has its own


def run(
    function: str,
    params: Mapping[str, Any],
    inputs: Mapping[str, Path],
    out: Path,
    log: Path,
    progress: bool = False,
) -> float:
    """Runs one stage in this thread's worker and waits for it.

    Args:
        function: "dotted.module:name" of what is called with `params`, `inputs` and `out`: a stage's `build`.
        params: plain JSON data.
        inputs: name → file.
        out: an empty folder for the outputs.
        log: receives whatever the stage prints.
        progress: leaves the error stream to the stage, for a download's progress bars.

    Returns:
        Seconds that the stage took, the worker's start not counted.

    Raises:
        BuildError: the stage refused its inputs.
        StageFailed: it failed, or took the worker's process down.
    """
    worker = _start()
    request = {
        "function": function,
        "params": dict(params),
        "inputs": {name: str(path) for name, path in inputs.items()},
        "out": str(out),
        "log": str(log),
        "progress": progress,
    }
    answer = None
    try:
        assert worker.process.stdin is not None
        worker.process.stdin.write(json.dumps(request) + "\n")
        worker.process.stdin.flush()
        answer = worker.answers.readline()
    except BrokenPipeError:
        pass
    except BaseException:
        _stop(_owner())
        raise
    if not answer:
        del _workers[_owner()]
        raise StageFailed(f"its process died of {_death(worker.process.wait())}{_no_room(out)}", log)
    result = json.loads(answer)
    if "error" in result:
        raise BuildError(result["error"])
    if "failure" in result:
        raise StageFailed(f"failed: {result['failure']}", log)
    seconds = result["seconds"]
    assert isinstance(seconds, float)
    return seconds


def _start() -> _Worker:
    worker = _workers.get(_owner())
    if worker is None or worker.process.poll() is not None:
        read, write = os.pipe()
        # The package as it is imported here, first: a checkout's worker is never another checkout's.
        paths = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
        process = subprocess.Popen(
            [sys.executable, "-m", "g2p_build.engine.worker", str(write)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[write],
            text=True,
            # Torch's threads wait for work by spinning, and take the cores from whatever else is built.
            env={"OMP_NUM_THREADS": "1"} | os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
            start_new_session=True,  # Ctrl-C is for us; the worker ends when we do
        )
        os.close(write)
        worker = _workers[_owner()] = _Worker(process, os.fdopen(read))
        atexit.register(_stop, _owner())
    return worker


def _owner() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def _stop(owner: tuple[int, int]) -> None:
    worker = _workers.pop(owner, None) if owner[0] == os.getpid() else None
    if worker is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.process.pid, signal.SIGKILL)  # a linker that runs there included
        worker.process.wait()


def _death(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def _no_room(folder: Path | str) -> str:
    """The likely reason of any failure on a full disk: compilers and linkers have many ways to put it, or none."""
    left = shutil.disk_usage(folder).free
    return f" (only {left / 1e6:.1f} MB are left on the disk of {folder}: make room)" if left < ROOM else ""


def _serve(answers: IO[str]) -> None:
    # Torch and TVM make 300,000 objects that stay: looking for garbage in them is a third of their imports.
    gc.set_threshold(100_000)
    import_sources()
    requests: queue.Queue[dict[str, Any]] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            requests.put(json.loads(line))
        # The build has ended or was killed: so does what it was waiting for, a linker that runs here included.
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=read, daemon=True).start()
    while True:
        answers.write(json.dumps(_answer(requests.get())) + "\n")
        answers.flush()


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    # Whatever a stage puts aside is removed with the folder, even if the build is killed.
    os.environ["TMPDIR"] = tempfile.tempdir = str(Path(request["out"]).parent)
    try:
        with _printing_to(Path(request["log"]), request["progress"]):
            return _built(request)
    except OSError as error:  # of the log
        return {"error": explained(error)}


def _built(request: Mapping[str, Any]) -> dict[str, Any]:
    started = time.monotonic()
    try:
        module, _, name = request["function"].partition(":")
        build = getattr(importlib.import_module(module), name)
        inputs = {name: Path(path) for name, path in request["inputs"].items()}
        build(request["params"], inputs, Path(request["out"]))
    except BuildError as error:
        return {"error": f"{error}{_no_room(request['out'])}"}
    except Exception as error:
        with contextlib.suppress(OSError):  # a full disk
            traceback.print_exc(file=sys.stdout)  # the log, even where the error stream is the stage's own
        for code in FULL:
            if os.strerror(code) in str(error):  # which libraries have exceptions of their own for
                path = getattr(error, "filename", None) or request["out"]
                return {"error": explained(OSError(code, os.strerror(code), path))}
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return {"failure": f"{reason}{_no_room(request['out'])}"}
    return {"seconds": time.monotonic() - started}


@contextlib.contextmanager
def _printing_to(log: Path, progress: bool) -> Iterator[None]:
    """Sends standard output and error, of Python and of native code, to a file (or leaves the error stream alone)."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        faulthandler.enable(file)  # the log of a stage that crashes says where
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
                except OSError:  # the disk is full; what is left in the buffer is not to turn up elsewhere
                    os.dup2(nowhere, stream.fileno())
                    stream.flush()
            os.close(nowhere)
            for number, old in enumerate(kept, 1):
                os.dup2(old, number)
                os.close(old)


if __name__ == "__main__":
    _serve(os.fdopen(int(sys.argv[1]), "w"))

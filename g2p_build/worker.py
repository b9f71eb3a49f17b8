"""The process that stages run in: it imports torch and TVM once, and its crash is an error rather than the end.

Run as `python -m g2p_build.worker FD` it reads one request a line from standard input (JSON: the stage's module, its
parameters, inputs, output folder and log) and answers each with one line on the file descriptor FD. `run` is the other
side: it starts the worker when the first stage asks for it and a new one after a crash.
"""

import atexit
import contextlib
import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from g2p_build.errors import BuildError

__all__ = ["run"]


@dataclass(frozen=True)
class _Worker:
    process: subprocess.Popen[str]
    answers: IO[str]


_workers: dict[int, _Worker] = {}  # by the process that started it: a forked child starts its own


def run(
    module: str,
    params: Mapping[str, Any],
    inputs: Mapping[str, Path],
    out: Path,
    log: Path,
    progress: bool = False,
) -> float:
    """Runs one stage in the worker and waits for it.

    Args:
        module: dotted name of the stage's module; its `build(params, inputs, out)` is called.
        params: plain JSON data.
        inputs: name → file.
        out: an empty folder for the outputs.
        log: receives whatever the stage prints.
        progress: leaves the error stream to the stage, for a download's progress bars.

    Returns:
        Seconds that the stage took, the worker's start not counted.

    Raises:
        BuildError: the stage refused its inputs, failed, or took the worker's process down.
    """
    worker = _start()
    request = {
        "module": module,
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
        _stop(os.getpid())
        raise
    if not answer:
        del _workers[os.getpid()]
        raise BuildError(f"its process died of {_death(worker.process.wait())}; its log is {log}")
    result = json.loads(answer)
    if "error" in result:
        raise BuildError(result["error"])
    if "failure" in result:
        raise BuildError(f"failed: {result['failure']}; its log is {log}")
    seconds = result["seconds"]
    assert isinstance(seconds, float)
    return seconds


def _start() -> _Worker:
    worker = _workers.get(os.getpid())
    if worker is None or worker.process.poll() is not None:
        read, write = os.pipe()
        # The package as it is imported here, first: a checkout's worker is never another checkout's.
        paths = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
        process = subprocess.Popen(
            [sys.executable, "-m", "g2p_build.worker", str(write)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[write],
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
            start_new_session=True,  # Ctrl-C is for us; the worker ends when we do
        )
        os.close(write)
        worker = _workers[os.getpid()] = _Worker(process, os.fdopen(read))
        atexit.register(_stop, os.getpid())
    return worker


def _stop(owner: int) -> None:
    worker = _workers.pop(owner, None) if owner == os.getpid() else None
    if worker is not None:
        worker.process.kill()
        worker.process.wait()


def _death(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def _serve(answers: IO[str]) -> None:
    requests: queue.Queue[dict[str, Any]] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            requests.put(json.loads(line))
        os._exit(0)  # the build has ended or was killed: so does what it was waiting for

    threading.Thread(target=read, daemon=True).start()
    while True:
        answers.write(json.dumps(_answer(requests.get())) + "\n")
        answers.flush()


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    with _printing_to(Path(request["log"]), request["progress"]):
        started = time.monotonic()
        try:
            stage = importlib.import_module(request["module"])
            inputs = {name: Path(path) for name, path in request["inputs"].items()}
            stage.build(request["params"], inputs, Path(request["out"]))
        except BuildError as error:
            return {"error": str(error)}
        except Exception as error:
            traceback.print_exc()
            return {"failure": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
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
        if not progress:
            os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, old in enumerate(kept, 1):
                os.dup2(old, number)
                os.close(old)


if __name__ == "__main__":
    _serve(os.fdopen(int(sys.argv[1]), "w"))

"""A process that answers requests. A request is one line of JSON, and so is its answer.

The process reads requests from standard input. It writes answers to a file descriptor of their own, because libraries
print to the other streams. `Process` is the side that asks. `answering` and `requests` are for the side that answers: a
module that is run as `python -m MODULE FD`.
"""

import contextlib
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["Died", "Process", "answering", "requests"]


class Died(Exception):
    """A process ended instead of answering. The message says how: "SIGSEGV", "exit status 1".

    Attributes:
        code: its exit status. A negative number is the signal that killed it.
    """

    def __init__(self, code: int) -> None:
        super().__init__(signal.Signals(-code).name if code < 0 else f"exit status {code}")
        self.code = code


class Process:
    """A process that answers requests, seen from the side that asks.

    Args:
        module: dotted name of the module that runs in it.
        tree: a folder of packages. The process looks here before it looks in `PYTHONPATH`.
        env: its environment.
        python: its interpreter.
        log: a file for what it prints. None: standard output is discarded, and the error stream is this process's.
    """

    def __init__(
        self,
        module: str,
        tree: Path,
        env: Mapping[str, str],
        python: Path = Path(sys.executable),
        log: Path | None = None,
    ) -> None:
        read, write = os.pipe()
        paths = [str(tree), env.get("PYTHONPATH", "")]
        try:
            with (log or Path(os.devnull)).open("wb") as printed:
                self._process = subprocess.Popen(
                    [str(python), "-P", "-m", module, str(write)],  # -P: nothing of the folder where the user stands
                    stdin=subprocess.PIPE,
                    stdout=printed,
                    stderr=printed if log else None,
                    pass_fds=[write],
                    env={**env, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
                    start_new_session=True,  # Ctrl-C does not reach it, and what it starts can be killed with it
                )
        except BaseException:
            os.close(read)
            raise
        finally:
            os.close(write)
        self._answers, self._read = read, b""

    @property
    def pid(self) -> int:
        """The process's number. Its process group has the same number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process is still running."""
        return self._process.poll() is None

    def ask(self, request: Mapping[str, Any], seconds: float | None = None) -> dict[str, Any]:
        """Sends a request and waits for its answer.

        Args:
            request: plain data.
            seconds: how long to wait; None: for ever.

        Raises:
            Died: the process ended.
            TimeoutError: it did not answer in time. It has been killed.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died; reading the answer reports that
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        until = None if seconds is None else time.monotonic() + seconds
        while b"\n" not in self._read:
            if until is not None and not select.select([self._answers], [], [], max(0.0, until - time.monotonic()))[0]:
                self.close()
                raise TimeoutError(f"no answer within {seconds:.0f} s")
            data = os.read(self._answers, 1 << 20)
            if not data:
                code = self._process.wait()
                self.close()
                raise Died(code)
            self._read += data
        line, self._read = self._read.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Kills the process and whatever it started, such as a linker. A second call does nothing."""
        if self._answers < 0:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        # First said to be closed, then closed: an interruption between the two must not close it twice.
        answers, self._answers = self._answers, -1
        os.close(answers)


def answering() -> Callable[[Mapping[str, Any]], None]:
    """In the process that answers: gives the function that sends an answer."""
    number = int(sys.argv[1])
    os.set_inheritable(number, False)  # otherwise a child process could keep it open after this one has died
    answers = os.fdopen(number, "w")

    def answer(said: Mapping[str, Any]) -> None:
        answers.write(json.dumps(said) + "\n")
        answers.flush()

    return answer


def requests() -> Iterator[dict[str, Any]]:
    """In the process that answers: yields the requests as they come.

    When the asking process ends or is killed, this process and whatever it has started end at once, even in the middle
    of an answer.
    """
    waiting: queue.Queue[dict[str, Any]] = queue.Queue()

    def read() -> None:
        # Not `sys.stdin`: a thread that waits in it holds a lock, and Python aborts over that lock at exit.
        begun = b""
        while data := os.read(0, 1 << 20):
            *lines, begun = (begun + data).split(b"\n")
            for line in lines:
                waiting.put(json.loads(line))
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield waiting.get()

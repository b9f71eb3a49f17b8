"""A process that answers requests: each request is one line of JSON, and so is its answer.

Requests come on the process's standard input. Answers have a file descriptor of their own, as libraries print on the
other streams. `Process` is the side that asks; `answering` and `requests` are the side that answers, in a module that
is run as `python -m MODULE FD`.
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
        code: Its exit status; negative: the signal that it died of.
    """

    def __init__(self, code: int) -> None:
        super().__init__(signal.Signals(-code).name if code < 0 else f"exit status {code}")
        self.code = code


class Process:
    """A process that answers requests, seen from the side that asks.

    Args:
        module: dotted name of what runs in it.
        tree: a folder of packages: the process imports these before those of `PYTHONPATH`.
        env: its environment.
        python: its interpreter.
        log: receives what it prints. None: standard output goes nowhere, and its error stream is ours.
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
                    [str(python), "-m", module, str(write)],
                    stdin=subprocess.PIPE,
                    stdout=printed,
                    stderr=printed if log else None,
                    pass_fds=[write],
                    env={**env, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
                    start_new_session=True,  # Ctrl-C is for us; and what it starts itself ends with it
                )
        except BaseException:
            os.close(read)
            raise
        finally:
            os.close(write)
        self._answers, self._read = read, b""

    @property
    def pid(self) -> int:
        """The process's number, which is its group's too."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def ask(self, request: Mapping[str, Any], seconds: float | None = None) -> dict[str, Any]:
        """Sends a request and waits for its answer.

        Args:
            request: plain data.
            seconds: how long to wait; None: for ever.

        Raises:
            Died: the process ended.
            TimeoutError: it did not answer in time. It has been ended.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died: there is no answer either
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
        """Ends it, and whatever it started: a linker, for one. Once is enough."""
        if self._answers < 0:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        os.close(self._answers)
        self._answers = -1


def answering() -> Callable[[Mapping[str, Any]], None]:
    """In the process: what sends an answer."""
    number = int(sys.argv[1])
    os.set_inheritable(number, False)  # what is started here does not keep it open after this process's death
    answers = os.fdopen(number, "w")

    def answer(said: Mapping[str, Any]) -> None:
        answers.write(json.dumps(said) + "\n")
        answers.flush()

    return answer


def requests() -> Iterator[dict[str, Any]]:
    """In the process: the requests, as they come.

    When whoever asks has ended or was killed, this process ends at once, even in the middle of an answer, and so does
    whatever it has started.
    """
    waiting: queue.Queue[dict[str, Any]] = queue.Queue()

    def read() -> None:
        # Not `sys.stdin`: a thread that waits in it holds a lock, and Python gives up over that when it ends.
        begun = b""
        while data := os.read(0, 1 << 20):
            *lines, begun = (begun + data).split(b"\n")
            for line in lines:
                waiting.put(json.loads(line))
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield waiting.get()

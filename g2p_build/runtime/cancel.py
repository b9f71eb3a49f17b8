"""Stopping a call that runs: by a token, or by Ctrl-C."""

import ctypes
import threading
from collections.abc import Callable

__all__ = ["Cancel", "interruptible"]

SHORT = 64
"""Words of a list that is over before anybody could stop it: some ten milliseconds. Such a call needs no thread."""


class Cancel:
    """Stops the calls that it was given to, from any thread. A cancelled token stays cancelled."""

    def __init__(self) -> None:
        self.flag = ctypes.c_int32(0)

    def cancel(self) -> None:
        """The calls that have this token end soon, with `Cancelled`."""
        self.flag.value = 1

    @property
    def cancelled(self) -> bool:
        """Whether it has been cancelled."""
        return self.flag.value != 0


def interruptible(call: Callable[[], int], words: int, cancel: Cancel) -> int:
    """Makes a call that Ctrl-C, or another signal whose handler raises, can end.

    Python handles signals between two of its own instructions, in its main thread. So there a long call runs in
    another thread, and the main thread waits for it.

    Args:
        call: a call of the library that looks at the token.
        words: how many words it has; those of a search count once for each beam.
        cancel: the token.
    """
    if words <= SHORT or threading.current_thread() is not threading.main_thread():
        return call()
    found: list[int] = []
    ended = threading.Event()

    def run() -> None:
        try:
            found.append(call())
        finally:
            ended.set()

    # Not `Thread.join`: where a signal interrupts it, Python 3.11 takes the thread for ended, and a second join does
    # not wait. Not a daemon: after a second Ctrl-C the interpreter waits for the thread before it closes the model.
    try:
        threading.Thread(target=run).start()
        ended.wait()
    except BaseException:
        cancel.cancel()
        ended.wait()
        raise
    return found[0]

"""The error that the person at the keyboard can act on."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["FULL", "BuildError", "explained", "os_errors_explained"]


class BuildError(Exception):
    """A failure that the user can do something about: a wrong request, or a wrong file.

    The message is one line: what is wrong, with the offending value, and what to do about it. Commands print it
    without a traceback.
    """


FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The system's error codes for a file that cannot grow: the disk is full, or the user's or the process's limit."""

ELSEWHERE = "use another place (G2P_BUILD_CACHE names the cache, G2P_BUILD_SHARED_CACHE one below it that is only read)"

# What to do about an error of the operating system.
ADVICE = {
    errno.ENOSPC: "make room there, then run the same command again",
    errno.EDQUOT: "make room there, then run the same command again",
    errno.EFBIG: "raise the limit (ulimit -f), then run the same command again",
    errno.EACCES: f"make it accessible to you, or {ELSEWHERE}",
    errno.EPERM: f"make it accessible to you, or {ELSEWHERE}",
    errno.EROFS: f"make it writable, or {ELSEWHERE}",
    errno.EEXIST: "a file lies where a folder should be; move it away",
    errno.ENOTDIR: "a file lies where a folder should be; move it away",
    errno.EISDIR: "a folder lies where a file should be; move it away",
    errno.ENOTEMPTY: "a folder lies where a file should be; move it away",
}


def explained(error: OSError) -> str:
    """One line for an error of the operating system: which file, why, and what to do about it."""
    path = error.filename2 or error.filename
    where = f"cannot use {path}: " if path else ""
    advice = ADVICE.get(error.errno or 0)
    return where + (error.strerror or str(error)) + (f": {advice}" if advice else "")


@contextmanager
def os_errors_explained() -> Iterator[None]:
    """Turns an error of the operating system into a `BuildError`. It works as a context and as a decorator."""
    try:
        yield
    except OSError as error:
        raise BuildError(explained(error)) from None

"""What a command line says of contenders and threads."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from bench.common import machine
from g2p_build.errors import BuildError

__all__ = ["OURS", "chosen", "thread_counts"]

OURS = "ours"


class Named(Protocol):
    """A contender. What is before the "-" in its name is its library's."""

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


def chosen(names: Iterable[str], peers: Sequence[T]) -> list[T]:
    """Peers by name. A library's name alone means all its precisions; "ours" adds nobody, as ours always take part.

    Raises:
        BuildError: there is no such contender.
    """
    found: list[T] = []
    known = list(dict.fromkeys([OURS, *(name for peer in peers for name in (peer.name.split("-")[0], peer.name))]))
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise BuildError(
                f"unknown contender {name!r}: " + (f"did you mean {near[0]}?" if near else ", ".join(known))
            )
        found += [peer for peer in peers if name in (peer.name, peer.name.split("-")[0]) and peer not in found]
    return found


def thread_counts(threads: str) -> tuple[int, ...]:
    """Numbers of threads from an option, with commas between: ascending, each once.

    Raises:
        BuildError: one of them is none, or more than this machine has cores.
    """
    counts, most = threads.split(","), machine.cores()
    for count in counts:
        if not count.isdecimal() or not 0 < int(count) <= most:
            raise BuildError(
                f"--threads {threads}: {count!r} is not a number from 1 to {most}, the cores of this machine"
            )
    return tuple(sorted({int(count) for count in counts}))

"""What a stage of the build is: how to add one.

A stage is a module with a value `STAGE`. To add one:

1. Write `stages/NAME.py`. Its docstring's first line is `Stage: what goes in → what comes out`; `doit list` shows it.
2. Write `build(params, inputs, out)`. It reads nothing but its arguments and the files in `inputs`, and writes its
   outputs into the empty folder `out`. The same arguments must give the same bytes, anywhere and at any time.
3. End the module with `STAGE = Stage(build, tools=(...))`. `tools` are the distributions whose versions change what
   `build` writes. Import them inside `build`: describing a build must not load torch or TVM.
4. Draw its node in `graph.py`, or in its family's `model`, as a function from the variant and the nodes before it. Its
   parameters are those fields of the variant that it may look at, and no others: they decide what is shared.
5. Test `build` on files; add the stage's column to the table in `tests/test_staleness.py`.

Its key, its cache, its log, its place in `doit`, `doit why` and the reports follow from the node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Build", "Stage"]


class Build(Protocol):
    """What runs when a stage is stale, in the worker's process."""

    def __call__(self, params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
        """Writes the outputs.

        Args:
            params: the node's: plain JSON.
            inputs: name → file: outputs of other nodes, and what `source_files` listed.
            out: an empty folder.

        Raises:
            BuildError: the inputs cannot be used. One line, for the person at the keyboard.
        """


class Memory(Protocol):
    """An estimate that keeps stages which run at the same time from exhausting the machine."""

    def __call__(self, params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
        """Bytes that a run takes at most beyond the worker's own."""


class SourceFiles(Protocol):
    """The files outside the graph that a stage reads: a checkpoint's, the core's."""

    def __call__(self, folders: tuple[Path, ...]) -> dict[str, Path]:
        """Name → file. Contents and names are part of the key, folders are not.

        Raises:
            BuildError: files that should be there are not.
        """


def _no_more(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    return 0


def _no_files(folders: tuple[Path, ...]) -> dict[str, Path]:
    return {}


@dataclass(frozen=True)
class Stage:
    """What a module must say to be a stage (`build`), and what it may say."""

    build: Build
    tools: tuple[str, ...] = ()  # distributions whose versions are part of the key
    memory: Memory = _no_more
    source_files: SourceFiles = _no_files
    shows_progress: bool = False  # its error stream is the terminal's, for progress bars of its own

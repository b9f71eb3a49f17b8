"""What a stage of the build is, and how to add one.

A stage is a module with a value `STAGE`. To add one:

1. Write `stages/NAME.py`. Its docstring's first line is `Stage: what goes in → what comes out`; `doit list` shows it.
2. Write `build(params, inputs, out)`. It reads nothing but its arguments and the files in `inputs`, and writes its
   outputs into the empty folder `out`. The same arguments must give the same bytes, anywhere and at any time.
3. End the module with `STAGE = Stage(build, tools=(...))`. `tools` are the distributions whose versions change what
   `build` writes. Import them inside `build`: describing a build must not load torch or TVM.
4. Draw its node in `graph.py`, or in its family's `model`, as a function from the variant and the nodes before it. The
   node's parameters are the fields of the variant that the stage sees. Variants that agree on them share the node.
5. Test `build` on files. Add the stage's column to the table in `tests/test_staleness.py`.

The key, the cache, the log, the tasks of `doit` and `doit why` need nothing more: they follow from the node.
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
            params: the node's parameters, plain JSON.
            inputs: name → file: outputs of other nodes, and the files from `source_files`.
            out: an empty folder.

        Raises:
            BuildError: the inputs cannot be used. One line, for the person at the keyboard.
        """


class Memory(Protocol):
    """An estimate of a stage's memory. It keeps stages that run at the same time from exhausting the machine."""

    def __call__(self, params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
        """Upper bound of a run's memory in bytes, without the worker's own."""


class SourceFiles(Protocol):
    """The files that a stage reads and no node makes, such as a checkpoint's or the core's."""

    def __call__(self, folders: tuple[Path, ...]) -> dict[str, Path]:
        """Name → file. The files' contents and names are part of the key; their folders are not.

        Raises:
            BuildError: files that should be there are not.
        """


def _no_more(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    return 0


def _no_files(folders: tuple[Path, ...]) -> dict[str, Path]:
    return {}


@dataclass(frozen=True)
class Stage:
    """A stage: what runs, and what the build must know about it. Only `build` is required."""

    build: Build
    tools: tuple[str, ...] = ()  # distributions whose versions are part of the key
    memory: Memory = _no_more
    source_files: SourceFiles = _no_files
    shows_progress: bool = False  # whether it keeps the terminal's error stream, for its own progress bars

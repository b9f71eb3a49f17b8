"""What a family of models is to the build: a value, found by its name.

To add a family, make a folder `g2p_build/families/NAME/` whose `__init__.py` defines `FAMILY`, and a file in
`conf/checkpoint/` that says `family: NAME`. The graph, the engine, the stores, the compiler and the archives know no
family by name; whatever only one kind of model has (its checkpoints' fields, its programs, its text, its C interface)
lives in that folder or in modules that only that folder names.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from g2p_build.config.schema import CheckpointConf
from g2p_build.config.variant import Checkpoint, Variant
from g2p_build.stages.node import Node

__all__ = ["Family", "Model", "family", "names"]

FOLDER = Path(__file__).resolve().parents[1] / "families"


@dataclass(frozen=True)
class Model:
    """The nodes that a family draws for a variant; the rest of the graph is the same for all families."""

    checkpoint: Node  # the weights as they come; its `checkpoint_file` is what the manifest's digest is of
    checkpoint_file: str
    description: Node  # `description_file`: JSON, the manifest's section `model`, and a member of the library archive
    description_file: str
    weights: Node  # weights.safetensors, as the kernels want it
    program: Node  # program.json (a Relax module) and functions.json


@dataclass(frozen=True)
class Native:
    """A family's C interface, beside what all families share.

    The folders hold ``NAME.h``, which includes ``base.h``, marks what is exported with ``NAME_API`` (in capitals) and
    declares ``NAME_variant`` as ``struct g2p_variant``. What the family's C needs of a checkpoint is a table,
    ``model``, which the stage of the description writes as ``model.inc``. The function ``NAME_default()`` is generated.
    """

    name: str  # of the library: libNAME.so, NAME.h, NAME.wasm
    folders: tuple[Path, ...]  # of C files and headers
    web: Path  # a folder: what a WebAssembly module has besides, its C library and what loads it


@dataclass(frozen=True)
class Family:
    """A kind of model."""

    name: str
    conf: type[CheckpointConf]  # the fields of its files in conf/checkpoint/
    checkpoint: Callable[[dict[str, Any]], Checkpoint]  # those fields, typed by `conf`; raises ConfigError
    check: Callable[[Variant], None]  # raises ConfigError where the fields of a variant do not go together
    model: Callable[[Variant], Model]
    native: Native


@cache
def names() -> tuple[str, ...]:
    """The families there are, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules([str(FOLDER)])))


@cache
def family(name: str) -> Family:
    """The family of a name, which is one of `names`."""
    found = importlib.import_module(f"g2p_build.families.{name}").FAMILY
    assert isinstance(found, Family)
    return found

"""A family of models, as the build sees it: a value that is found by its name.

To add a family, make a folder `g2p_build/families/NAME/` whose `__init__.py` defines `FAMILY`, and a file in
`conf/checkpoint/` that says `family: NAME`. The graph, the engine, the stores, the compiler and the archives know no
family by name. What only one family has (its checkpoints' fields, its programs, its text, its C interface) lives in its
folder, or in modules that only its folder imports.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from g2p_build.config.schema import CheckpointConf
from g2p_build.config.variant import Checkpoint, Variant
from g2p_build.errors import BuildError
from g2p_build.runtime.manifest import Section
from g2p_build.stages.node import Node

__all__ = ["Family", "Model", "Native", "Reference", "family", "names", "reference"]

FOLDER = Path(__file__).resolve().parents[1] / "families"


@dataclass(frozen=True)
class Model:
    """The nodes that a family draws for a variant. The rest of the graph is the same for all families."""

    checkpoint: Node  # the weights as they were published
    checkpoint_file: str  # its output that the manifest's `checkpoint.digest` is taken of
    description: Node  # what describes the model to its callers
    description_file: str  # its output: JSON, the manifest's `model`, and a member of the library archive
    weights: Node  # weights.safetensors, in the layout that the kernels want
    program: Node  # program.json (a Relax module) and functions.json
    # What lies beside the weights in archives of its own: a role to a node, and the one of its outputs that is meant.
    assets: Mapping[str, tuple[Node, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Native:
    """A family's C interface, without what all families share.

    The folders hold ``NAME.h``, which includes ``base.h``, marks what is exported with ``NAME_API`` (in capitals) and
    declares ``NAME_variant`` as ``struct g2p_variant``. What the family's C needs of a checkpoint is a table,
    ``model``, which the stage of the description writes as ``model.inc``. The function ``NAME_default()`` is generated.
    """

    name: str  # of the library: libNAME.so, NAME.h, NAME.wasm
    folders: tuple[Path, ...]  # of C files and headers
    web: tuple[Path, ...]  # of what a WebAssembly module needs besides: a small C library, and its loader
    swift: tuple[Path, ...] = ()  # folders with an API over it in Swift
    android: tuple[Path, ...] = ()  # folders with what a virtual machine calls in a library for Android
    kotlin: Path | None = None  # a folder with the classes over that, of the package NAME.runtime


@dataclass(frozen=True)
class Reference:
    """What a family's variants should say. A task imports these modules when it needs them: they may import torch."""

    golden: str  # makes the golden set: has the function of g2p_build.reference.golden, `regenerate`
    verify: str  # loads built variants and compares them: has the functions of g2p_build.reference.verify


@dataclass(frozen=True)
class Family:
    """A kind of model. The fields without a default are what it takes to be built."""

    name: str
    conf: type[CheckpointConf]  # the fields of its files in conf/checkpoint/
    checkpoint: Callable[[dict[str, Any]], Checkpoint]  # those fields, typed by `conf`; raises ConfigError
    check: Callable[[Variant], None]  # raises ConfigError if the fields of a variant do not go together
    model: Callable[[Variant], Model]
    native: Native
    # From a variant, and a function that gives any variant's nodes, to the nodes that make `lexicon.g2plex`, by role.
    # `lexicon` is the last of them; there are none if the variant has no lexicon. None: the family's models take none.
    lexicon: Callable[[Variant, Callable[[Variant], Mapping[str, Node]]], dict[str, Node]] | None = None
    # As `lexicon`, to the nodes that make `draft.g2pdraft`, the last of which is `draft`.
    draft: Callable[[Variant, Callable[[Variant], Mapping[str, Node]]], dict[str, Node]] | None = None
    section: Section | None = None  # what its manifests say besides what all say; None: that is not checked
    reference: Reference | None = None  # None: its variants cannot be verified
    usual: str | None = None  # the checkpoint that `family=NAME` is short for: a file in conf/checkpoint/; None: none


@cache
def names() -> tuple[str, ...]:
    """The names of all families, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules([str(FOLDER)])))


@cache
def family(name: str) -> Family:
    """The family with this name, one of `names()`."""
    found = importlib.import_module(f"g2p_build.families.{name}").FAMILY
    assert isinstance(found, Family)
    return found


def reference(variant: Variant) -> Reference:
    """What a variant is compared with.

    Raises:
        BuildError: its family names nothing. One line.
    """
    kind = family(variant.checkpoint.family)
    if kind.reference is None:
        raise BuildError(f"{variant.name} cannot be verified: the family {kind.name!r} has no reference")
    return kind.reference

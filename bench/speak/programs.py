"""A variant's library, linked again with clocks around its programs (`programs.c`)."""

import shutil
from collections.abc import Callable
from pathlib import Path

from bench.common.kept import kept
from g2p_build import graph
from g2p_build.compiler.link import compile_c, link_shared
from g2p_build.config.variant import Variant
from g2p_build.engine.build import Build
from g2p_build.native.files import CORE, TTS, source_files
from g2p_build.stages.library import sources_of
from g2p_build.store.digests import file_digest

__all__ = ["timed_library"]

_CLOCKS = Path(__file__).with_suffix(".c")
_NAME = "programs.so"
_EXPORTS = [f"programs_{name}" for name in ("begin", "nanoseconds", "peak", "role", "speak", "worked")]


def timed_library(build: Build, variant: Variant, say: Callable[[str], None]) -> Path:
    """The shared library, which is made if it is not there.

    Args:
        build: the command's, in which the variant is built.
        variant: for this machine.
        say: told when it has to be made.

    Raises:
        BuildError: it does not compile.
    """
    node = graph.nodes(variant)["library"]
    inputs = dict(source_files((CORE, TTS)))
    inputs |= {name: build.files(each)[file] for name, (each, file) in node.inputs.items()}
    files = inputs | {_CLOCKS.name: _CLOCKS}
    triple = variant.target.triple
    made_of = [{name: file_digest(build.cache, path) for name, path in sorted(files.items())}, triple]

    def make(out: Path) -> None:
        say(f"{variant.name}: its library with clocks in it")
        sources = sources_of(node.params, inputs) | {_CLOCKS.name: _CLOCKS}
        kernels = Path(shutil.copyfile(inputs["kernels.o"], out / "kernels.o"))
        link_shared([*compile_c(sources, triple, out), kernels], triple, out / _NAME, _EXPORTS)

    return kept(build.cache, f"programs-{variant.name}", made_of, make) / _NAME

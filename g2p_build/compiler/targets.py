"""What TVM calls a target that a config describes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from tvm.target import Target, codegen

from g2p_build.errors import BuildError

__all__ = ["ARCHITECTURES", "extended", "llvm_target"]

ARCHITECTURES = ("x86_64", "aarch64", "arm64", "wasm32")
"""The first parts that an LLVM triple may have."""


def llvm_target(target: Mapping[str, Any]) -> Target:
    """TVM's target for a CPU.

    Args:
        target: LLVM's ``triple`` and ``cpu``; for WebAssembly also ``features``, as LLVM names them.

    Raises:
        BuildError: The architecture is not supported, or LLVM does not know the CPU.
    """
    triple, cpu = target["triple"], target["cpu"]
    # TVM crashes when it is asked about a triple whose architecture LLVM does not know.
    if triple.split("-")[0] not in ARCHITECTURES:
        raise BuildError(f"target triple {triple!r} is not supported: it must begin with {' or '.join(ARCHITECTURES)}")
    known = sorted(codegen.llvm_get_cpu_archlist(Target({"kind": "llvm", "mtriple": triple})))
    if cpu not in known:
        near = difflib.get_close_matches(cpu, known, 3)
        raise BuildError(
            f"LLVM knows no CPU {cpu!r} for {triple}" + (f"; did you mean {' or '.join(near)}?" if near else "")
        )
    # The CPU's name implies its features, but WebAssembly has one name for all. Elsewhere `features` are spelled as in
    # Linux's /proc/cpuinfo, which LLVM would not understand.
    attributes = {"mattr": [f"+{name}" for name in target["features"]]} if triple.startswith("wasm") else {}
    return Target({"kind": "llvm", "mtriple": triple, "mcpu": cpu} | attributes)


def extended(target: Target) -> list[tuple[tuple[str, ...], Target]]:
    """What many CPUs of a target have beyond what all of them have, where kernels use it.

    Args:
        target: As `llvm_target` gives it.

    Returns:
        The least first: the features' names in Linux's ``/proc/cpuinfo``, and a target with them. Each has what those
        before it have and more. It is empty where there is nothing more, or where two object files cannot be made one:
        only ELF's can.
    """
    triple, cpu = str(target.attrs["mtriple"]), str(target.attrs["mcpu"])

    def having(*features: str) -> Target:
        return Target({"kind": "llvm", "mtriple": triple, "mcpu": cpu, "mattr": [f"+{name}" for name in features]})

    if "linux" not in triple:
        return []
    if not triple.startswith("x86_64"):
        quads = [] if codegen.target_has_features("dotprod", target) else [(("asimddp",), having("dotprod"))]
        return [*quads, (("asimddp", "i8mm"), having("dotprod", "i8mm"))]
    has_avx512 = codegen.target_has_features("avx512f", target)
    if not has_avx512 and not codegen.target_has_features("avx2", target):
        return []
    flag, feature = ("avx512_vnni", "avx512vnni") if has_avx512 else ("avx_vnni", "avxvnni")
    return [] if codegen.target_has_features(feature, target) else [((flag,), having(feature))]

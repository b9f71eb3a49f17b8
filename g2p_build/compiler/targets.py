"""What TVM calls a target that a config describes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from tvm.target import Target, codegen

from g2p_build.errors import BuildError

__all__ = ["ARCHITECTURES", "extended", "llvm_target", "relaxed"]

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


def extended(target: Target) -> tuple[str, Target] | None:
    """What many CPUs of a target have beyond what all of them have, where kernels use it.

    Args:
        target: As `llvm_target` gives it.

    Returns:
        The feature's name in Linux's ``/proc/cpuinfo``, and a target with it; None where there is none, or where two
        object files cannot be made one: only ELF's can.
    """
    triple = str(target.attrs["mtriple"])
    if "linux" not in triple:
        return None
    if triple.startswith("x86_64"):
        has_avx512 = codegen.target_has_features("avx512f", target)
        if not has_avx512 and not codegen.target_has_features("avx2", target):
            return None
        flag, feature = ("avx512_vnni", "avx512vnni") if has_avx512 else ("avx_vnni", "avxvnni")
    else:
        flag, feature = "asimddp", "dotprod"
    if codegen.target_has_features(feature, target):
        return None
    attributes = {"mtriple": triple, "mcpu": str(target.attrs["mcpu"]), "mattr": [f"+{feature}"]}
    return flag, Target({"kind": "llvm"} | attributes)


def relaxed(target: Target) -> Target:
    """A target for WebAssembly, with relaxed SIMD: what many engines have beyond what all have.

    Sums and products then become one operation, where there is one. How often that rounds is the engine's choice, but
    always the same in one engine.

    Args:
        target: As `llvm_target` gives it.
    """
    features = [*target.attrs["mattr"], "+relaxed-simd"]
    given = {"mtriple": str(target.attrs["mtriple"]), "mcpu": str(target.attrs["mcpu"])}
    return Target({"kind": "llvm", "mattr": [str(feature) for feature in features]} | given)

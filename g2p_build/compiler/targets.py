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

_LEVEL = 2
"""How much LLVM optimises: at 3 it makes matmuls a tenth to a quarter larger, and neither words nor speech faster."""


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
    return _llvm(triple, cpu, attributes)


def extended(target: Target) -> list[tuple[tuple[str, ...], Target]]:
    """What many CPUs of a target have beyond what all of them have, where kernels use it.

    Args:
        target: As `llvm_target` gives it.

    Returns:
        The least first: the features' names in Linux's ``/proc/cpuinfo``, and a target with them. Each has what those
        before it have and more. AMX is among them even where a CPU's name stands for it: a system may refuse it. So are
        Arm's products of matrices, because few rows are faster without. The list is empty where there is nothing more,
        or where two object files cannot be made one: only ELF's can.
    """
    triple = str(target.attrs["mtriple"])
    if "linux" not in triple:
        return []
    if triple.startswith("x86_64"):
        if codegen.target_has_features("avx512f", target):
            steps = [{"avx512_vnni": "avx512vnni"}]
            # Linux is asked for tiles' permission, as programs for servers may ask it.
            steps += [] if "android" in triple else [{"amx_tile": "amx-tile", "amx_int8": "amx-int8"}]
        else:
            steps = [{"avx_vnni": "avxvnni"}] if codegen.target_has_features("avx2", target) else []
    else:
        steps = [{"asimddp": "dotprod"}, {"i8mm": "i8mm"}]
    flags: list[str] = []
    features: list[str] = []
    found = []
    for step in steps:
        added = {flag: feature for flag, feature in step.items() if _is_more(feature, target)}
        if added:
            flags, features = [*flags, *added], [*features, *added.values()]
            attributes = {"mattr": [f"+{feature}" for feature in features]}
            found.append((tuple(flags), _llvm(triple, str(target.attrs["mcpu"]), attributes)))
    return found


def _is_more(feature: str, target: Target) -> bool:
    """Whether a target lacks a feature, or has it by its CPU's name alone where that does not count."""
    return feature.startswith(("amx", "i8mm")) or not codegen.target_has_features(feature, target)


def relaxed(target: Target) -> Target:
    """A target for WebAssembly, with relaxed SIMD: what many engines have beyond what all have.

    Sums and products then become one operation, where there is one. How often that rounds is the engine's choice, but
    always the same in one engine.

    Args:
        target: As `llvm_target` gives it.
    """
    features = [*target.attrs["mattr"], "+relaxed-simd"]
    attributes = {"mattr": [str(feature) for feature in features]}
    return _llvm(str(target.attrs["mtriple"]), str(target.attrs["mcpu"]), attributes)


def _llvm(triple: str, cpu: str, attributes: Mapping[str, Any]) -> Target:
    return Target({"kind": "llvm", "mtriple": triple, "mcpu": cpu, "opt-level": _LEVEL} | dict(attributes))

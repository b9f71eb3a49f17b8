"""The compiler: a Relax module in, object files out."""

from __future__ import annotations

import difflib
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tvm
from tvm import relax, s_tir, tirx
from tvm.target import Target, codegen
from tvm.tirx.build import codegen_build

from g2p_build.compiler.passes.lower_attention import LowerAttention
from g2p_build.compiler.passes.lower_embeddings import LowerEmbeddings
from g2p_build.compiler.passes.lower_linears import LowerLinears
from g2p_build.compiler.passes.lower_norms import LowerNorms
from g2p_build.compiler.passes.plain_calls import SYMBOLS, PlainCalls
from g2p_build.errors import BuildError

__all__ = [
    "ARCHITECTURES",
    "KERNELS",
    "OBJECTS",
    "compile",
    "kernels_object",
    "lowered",
    "phases",
    "plain_kernels",
    "target_of",
]

ARCHITECTURES = ("x86_64", "aarch64", "arm64", "wasm32")
"""What triples may begin with."""

OBJECTS = ("lib0.o", "devc.o")
"""What `compile` writes: the kernels, and the virtual machine's bytecode with the constants."""


def phases(link: str) -> dict[str, list[tvm.transform.Pass]]:
    """The compiler as a list of named phases, in order.

    Args:
        link: What calls the kernels: ``"standalone"`` (C, written from the module after "plan") or ``"vm"``.
    """
    transform = relax.transform
    last: dict[str, dict[str, list[tvm.transform.Pass]]] = {
        # C's calling convention.
        "standalone": {"plain_calls": [PlainCalls()]},
        # The virtual machine's.
        "vm": {
            "lower_vm": [
                transform.LowerAllocTensor(),
                transform.KillAfterLastUse(),
                transform.LowerRuntimeBuiltin(),
                transform.ComputePrimValue(),
                transform.VMShapeLower(),
                transform.AttachGlobalSymbol(),
            ]
        },
    }
    return {
        # The programs' operations as kernels for the target, each kernel made once and shared by all functions.
        "lower": [LowerEmbeddings(), LowerLinears(), LowerAttention(), LowerNorms(), transform.DeadCodeElimination()],
        # Calls, with every buffer's place decided.
        "plan": [
            transform.ToNonDataflow(),
            transform.RemovePurityChecking(),
            transform.CallTIRRewrite(),
            transform.StaticPlanBlockMemory(),
        ],
        **last[link],
    }


def lowered(mod: tvm.IRModule, target: Target, link: str, phase: str) -> tvm.IRModule:
    """The module after a phase, which is one of `phases`."""
    with target:
        for name, passes in phases(link).items():
            mod = tvm.transform.Sequential(passes)(mod)
            if name == phase:
                break
    return mod


def kernels_object(planned: tvm.IRModule, target: Target, output: Path, symbols: str = SYMBOLS) -> None:
    """Writes the object file of the kernels of a module after the phase "plan", as plain C functions.

    Args:
        planned: The module.
        target: What it was lowered for.
        output: The file.
        symbols: What the functions' symbols begin with.
    """
    module = tvm.transform.Sequential([PlainCalls(symbols)])(planned)
    plain_kernels(module, target).write_to_file(str(output), "o")


def plain_kernels(mod: tvm.IRModule, target: Target) -> Any:
    """The code of kernels, as the phase "plain_calls" leaves them: a module of TVM's, not loaded."""
    mod = tirx.transform.BindTarget(target.with_host(target))(mod)
    return codegen_build(_finish()(tvm.transform.Sequential(_flatten())(mod)), target)


def compile(mod: tvm.IRModule, target: Mapping[str, Any], directory: Path) -> list[Path]:
    """Compiles a module for a CPU and the virtual machine.

    The same module and target give the same bytes, in any process and directory.

    Args:
        mod: Relax functions, as `export` gives them.
        target: ``kind`` ("llvm"), LLVM's ``triple`` and ``cpu``.
        directory: Where the objects go; it exists.

    Returns:
        Paths of `OBJECTS`.

    Raises:
        BuildError: The architecture is not one that is compiled for, or LLVM does not know the CPU.
    """
    llvm = target_of(target)
    mod = lowered(mod, llvm, "vm", "lower_vm")
    with llvm:
        executable = relax.build(mod, llvm, relax_pipeline=None, tir_pipeline=KERNELS)
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "library.tar"
        executable.export_library(str(archive))
        with tarfile.open(archive) as members:
            for name in OBJECTS:
                members.extract(name, directory, filter="data")
    return [directory / name for name in OBJECTS]


def _flatten() -> list[tvm.transform.Pass]:
    """TVM's lowering of kernels to what LLVM takes, without passes that plain loops over vectors have no use for."""
    return [tirx.transform.FlattenBuffer(), tirx.transform.StmtSimplify(), tirx.transform.VerifyMemory()]


def _finish() -> tvm.transform.Pass:
    return s_tir.pipeline.default_s_tir_pipeline()[1]()


def _lower_packed() -> tuple[tvm.transform.Pass, Callable[[], tvm.transform.Pass], Callable[[], tvm.transform.Pass]]:
    transform = tirx.transform
    lower = [*_flatten(), transform.AnnotateEntryFunc(), transform.SplitHostDevice(), transform.MakePackedAPI()]
    return tvm.transform.Sequential(lower), _finish, _finish


KERNELS = "g2p"
"""The name by which TVM knows how kernels are lowered; it takes no other description."""

tirx.compilation_pipeline.register_tir_pipeline(KERNELS, _lower_packed)


def target_of(target: Mapping[str, Any]) -> Target:
    """TVM's target for a mapping with ``kind``, ``triple`` and ``cpu``.

    Raises:
        BuildError: The architecture is not one that is compiled for, or LLVM does not know the CPU.
    """
    kind, triple, cpu = target["kind"], target["triple"], target["cpu"]
    if kind != "llvm":
        raise BuildError(f"target kind {kind!r} is not supported: only 'llvm' is")
    # TVM crashes when asked about a triple of an architecture that LLVM does not know.
    if triple.split("-")[0] not in ARCHITECTURES:
        raise BuildError(f"target triple {triple!r} is not supported: it must begin with {' or '.join(ARCHITECTURES)}")
    known = sorted(codegen.llvm_get_cpu_archlist(Target({"kind": "llvm", "mtriple": triple})))
    if cpu not in known:
        near = difflib.get_close_matches(cpu, known, 3)
        raise BuildError(
            f"LLVM knows no CPU {cpu!r} for {triple}" + (f"; did you mean {' or '.join(near)}?" if near else "")
        )
    # Elsewhere the CPU's name says what it has, in words that are not LLVM's.
    attributes = {"mattr": [f"+{name}" for name in target["features"]]} if triple.startswith("wasm") else {}
    return Target({"kind": "llvm", "mtriple": triple, "mcpu": cpu} | attributes)

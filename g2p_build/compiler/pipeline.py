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

from g2p_build.compiler.passes.lower_attention import LowerAttention
from g2p_build.compiler.passes.lower_embeddings import LowerEmbeddings
from g2p_build.compiler.passes.lower_linears import LowerLinears
from g2p_build.compiler.passes.lower_norms import LowerNorms
from g2p_build.errors import BuildError

__all__ = ["ARCHITECTURES", "KERNELS", "OBJECTS", "compile", "phases", "target_of"]

ARCHITECTURES = ("x86_64", "aarch64", "arm64")
"""What triples may begin with."""

OBJECTS = ("lib0.o", "devc.o")
"""What `compile` writes: the kernels, and the virtual machine's bytecode with the constants."""


def phases() -> dict[str, list[tvm.transform.Pass]]:
    """The compiler as a list of named phases, in order."""
    transform = relax.transform
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
        # The virtual machine's calling convention.
        "lower_vm": [
            transform.LowerAllocTensor(),
            transform.KillAfterLastUse(),
            transform.LowerRuntimeBuiltin(),
            transform.ComputePrimValue(),
            transform.VMShapeLower(),
            transform.AttachGlobalSymbol(),
        ],
    }


def compile(mod: tvm.IRModule, target: Mapping[str, Any], directory: Path) -> list[Path]:
    """Compiles a module for a CPU.

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
    with llvm:
        for passes in phases().values():
            mod = tvm.transform.Sequential(passes)(mod)
        executable = relax.build(mod, llvm, relax_pipeline=None, tir_pipeline=KERNELS)
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "library.tar"
        executable.export_library(str(archive))
        with tarfile.open(archive) as members:
            for name in OBJECTS:
                members.extract(name, directory, filter="data")
    return [directory / name for name in OBJECTS]


def _lower_kernels() -> tuple[tvm.transform.Pass, Callable[[], tvm.transform.Pass], Callable[[], tvm.transform.Pass]]:
    """TVM's lowering of kernels to what LLVM takes, without passes that plain loops over vectors have no use for."""
    transform = tirx.transform
    lower = [
        transform.FlattenBuffer(),
        transform.StmtSimplify(),
        transform.VerifyMemory(),
        transform.AnnotateEntryFunc(),
        transform.SplitHostDevice(),
        transform.MakePackedAPI(),
    ]
    _, finalize_host, finalize_device = s_tir.pipeline.default_s_tir_pipeline()
    return tvm.transform.Sequential(lower), finalize_host, finalize_device


KERNELS = "g2p"
"""The name by which TVM knows how kernels are lowered; it takes no other description."""

tirx.compilation_pipeline.register_tir_pipeline(KERNELS, _lower_kernels)


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
    return Target({"kind": "llvm", "mtriple": triple, "mcpu": cpu})

"""The compiler: a Relax module in, object files out.

`phases` is the whole of it as a list of named phases. A build runs that list from beginning to end, and ``doit ir``
shows the module after any of them.
"""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import tvm
import tvm_ffi
from tvm import relax, tirx
from tvm.target import Target
from tvm.tirx.build import codegen_build

from g2p_build.compiler.arena import ALIGNMENT, plan
from g2p_build.compiler.linear import Linear, linear
from g2p_build.compiler.passes.lower_operations import LowerOperations
from g2p_build.compiler.passes.plain_calls import SYMBOLS, PlainCalls
from g2p_build.compiler.rewrites.calls import Rewrite
from g2p_build.compiler.rewrites.cpu import CPU
from g2p_build.compiler.targets import llvm_target
from g2p_build.errors import BuildError

__all__ = [
    "ENGINES",
    "KINDS",
    "OBJECTS",
    "Kind",
    "Phases",
    "code",
    "cpu_phases",
    "executable",
    "kernels_object",
    "lowered",
    "more_kernels",
    "packed_kernels",
    "phases",
    "target_of",
    "vm_objects",
    "workspace_bytes",
]

ENGINES = ("standalone", "vm")
"""What calls the kernels: C that is written from the module after the phase "plan", or TVM's virtual machine."""

OBJECTS = ("lib0.o", "devc.o")
"""What `vm_objects` writes: the kernels, and the virtual machine's bytecode with the constants."""

Phases: TypeAlias = Mapping[str, Sequence[tvm.transform.Pass]]
"""The passes of each phase by the phase's name, in order."""


@dataclass(frozen=True)
class Kind:
    """How programs are compiled for targets of one kind.

    Another kind of target is another value, with kernels and phases of its own: no kernel asks what it is made for.

    Attributes:
        target: Checks a config's target and gives TVM's. It raises `BuildError` for one that cannot be compiled for.
        rewrites: An operation's name to what puts kernels in the place of its calls.
        phases: Gives the phases for such a table, a target, an engine, and what C symbols begin with.
    """

    target: Callable[[Mapping[str, Any]], Target]
    rewrites: Mapping[str, Rewrite]
    phases: Callable[[Mapping[str, Rewrite], Target, str, str], Phases]


def cpu_phases(rewrites: Mapping[str, Rewrite], target: Target, engine: str, symbols: str) -> Phases:
    """The phases for a CPU.

    Args:
        rewrites: The table for the first phase.
        target: TVM's target, of kind "llvm".
        engine: One of `ENGINES`.
        symbols: What the symbols of C functions begin with.
    """
    first: Phases = {
        # Operations become calls of kernels. All functions share the kernels.
        "lower": [LowerOperations(rewrites), relax.transform.DeadCodeElimination()],
    }
    # Every call gets buffers. Who writes C lays them out: see `arena`.
    buffers = [
        relax.transform.ToNonDataflow(),
        relax.transform.RemovePurityChecking(),
        relax.transform.CallTIRRewrite(),
    ]
    # Kernels become what LLVM takes. TVM's own list is longer: plain loops over vectors do not need the rest of it.
    flatten: Phases = {
        "flatten": [
            tirx.transform.BindTarget(target.with_host(target)),
            tirx.transform.FlattenBuffer(),
            tirx.transform.StmtSimplify(),
            tirx.transform.VerifyMemory(),
        ]
    }
    last: Phases = {"lower_intrinsics": [tirx.transform.LowerTVMBuiltin(), tirx.transform.LowerIntrin()]}
    engines: dict[str, Phases] = {
        "standalone": {
            **first,
            "plan": buffers,
            # Kernels become functions of C. They are all that is left of the module.
            "plain_calls": [PlainCalls(symbols)],
            **flatten,
            **last,
        },
        "vm": {
            **first,
            "plan": [*buffers, relax.transform.StaticPlanBlockMemory()],
            # Functions become what the virtual machine's bytecode can say.
            "lower_vm": [
                relax.transform.LowerAllocTensor(),
                relax.transform.KillAfterLastUse(),
                relax.transform.LowerRuntimeBuiltin(),
                relax.transform.ComputePrimValue(),
                relax.transform.VMShapeLower(),
                relax.transform.AttachGlobalSymbol(),
            ],
            **flatten,
            # Kernels take their arguments as TVM's runtime passes them.
            "packed_calls": [
                tirx.transform.AnnotateEntryFunc(),
                tirx.transform.SplitHostDevice(),
                tirx.transform.MakePackedAPI(),
            ],
            **last,
        },
    }
    return engines[engine]


KINDS = {"llvm": Kind(llvm_target, CPU, cpu_phases)}
"""The kinds of targets that there are, by the name that configs and TVM have for each."""


def target_of(target: Mapping[str, Any]) -> Target:
    """TVM's target for a config's.

    Args:
        target: ``kind``, a key of `KINDS`, and what targets of this kind need: see `llvm_target`.

    Raises:
        BuildError: There is no such kind, or it cannot be compiled for this target.
    """
    if target["kind"] not in KINDS:
        raise BuildError(f"target kind {target['kind']!r} is not supported: only {' and '.join(map(repr, KINDS))} is")
    return KINDS[target["kind"]].target(target)


def phases(target: Target, engine: str, symbols: str = SYMBOLS) -> Phases:
    """The compiler as named phases, in order.

    Args:
        target: As `target_of` gives it.
        engine: One of `ENGINES`.
        symbols: What the symbols of C functions begin with.
    """
    kind = KINDS[target.kind.name]
    return kind.phases(kind.rewrites, target, engine, symbols)


def lowered(
    module: tvm.IRModule, target: Target, engine: str, last: str = "", after: str = "", symbols: str = SYMBOLS
) -> tvm.IRModule:
    """Runs phases.

    Args:
        module: Relax functions, as `export` gives them; with `after`, what that phase left.
        target: As `target_of` gives it.
        engine: One of `ENGINES`.
        last: The name of the last phase to run; empty for the last that there is.
        after: The name of the phase that ran last; empty if none did.
        symbols: What the symbols of C functions begin with.

    Raises:
        ValueError: There is no phase of such a name.
    """
    found = phases(target, engine, symbols)
    names = list(found)
    start = names.index(after) + 1 if after else 0
    end = names.index(last) + 1 if last else len(names)
    with target:
        for name in names[start:end]:
            module = tvm.transform.Sequential(list(found[name]))(module)
    return module


def workspace_bytes(planned: tvm.IRModule, name: str) -> Linear:
    """The bytes that a function needs besides its arguments and results.

    Args:
        planned: The module after the phase "plan".
        name: The function's.
    """
    bindings = (binding.value for block in planned[name].body.blocks for binding in block.bindings)
    stored = [
        linear(value.args[0].values[0]).rounded_up(ALIGNMENT)
        for value in bindings
        if isinstance(value, relax.Call) and getattr(value.op, "name", "") == "relax.memory.alloc_storage"
    ]
    if stored:  # for the virtual machine
        return sum(stored, Linear())
    kernels = {
        variable.name_hint: function
        for variable, function in planned.functions_items()
        if isinstance(function, tirx.PrimFunc)
    }
    return plan(planned[name], kernels).size


def code(module: tvm.IRModule, target: Target) -> Any:
    """The machine code of kernels, as a `tvm.runtime.Module` that is not loaded.

    Args:
        module: Kernels after the last phase; for the engine "standalone" the whole module.
        target: What the phases were run for.
    """
    return codegen_build(module, target)


def kernels_object(planned: tvm.IRModule, target: Target, output: Path, symbols: str = SYMBOLS) -> None:
    """Compiles kernels for the engine "standalone".

    Args:
        planned: The module after the phase "plan".
        target: What the phases were run for.
        output: Where the object file goes. It has a plain C function for each kernel.
        symbols: What the functions' symbols begin with.
    """
    module = lowered(planned, target, "standalone", after="plan", symbols=symbols)
    code(module, target).write_to_file(str(output), "o")


def more_kernels(module: tvm.IRModule, planned: tvm.IRModule, targets: Sequence[Target]) -> list[tvm.IRModule]:
    """The kernels that other targets have in another form, for the engine "standalone".

    Args:
        module: Relax functions, as `export` gives them.
        planned: The module after the phase "plan", for a target with less.
        targets: Targets with more, the least first.

    Returns:
        For each a module with the kernels alone that the target before it has otherwise, under their names.
    """
    functions = {variable.name_hint: function for variable, function in planned.functions_items()}
    found = []
    for target in targets:
        others = {
            variable: function
            for variable, function in lowered(module, target, "standalone", "plan").functions_items()
            if isinstance(function, tirx.PrimFunc)
            and not tvm_ffi.structural_equal(function, functions[variable.name_hint])
        }
        functions |= {variable.name_hint: function for variable, function in others.items()}
        found.append(tvm.IRModule(others))
    return found


def vm_objects(planned: tvm.IRModule, target: Target, directory: Path) -> list[Path]:
    """Compiles functions and their kernels for the engine "vm".

    The same module and target give the same bytes, in any process and directory.

    Args:
        planned: The module after the phase "plan".
        target: What the phases were run for.
        directory: Where the objects go; it exists.

    Returns:
        The paths of `OBJECTS`.
    """
    built = executable(lowered(planned, target, "vm", after="plan"), target)
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "library.tar"
        built.export_library(str(archive))
        with tarfile.open(archive) as members:
            for name in OBJECTS:
                members.extract(name, directory, filter="data")
    return [directory / name for name in OBJECTS]


def executable(module: tvm.IRModule, target: Target) -> relax.VMExecutable:
    """What the virtual machine runs: bytecode of the functions and code of the kernels.

    Args:
        module: The module after the last phase of the engine "vm".
        target: What the phases were run for.
    """
    with target:
        return relax.build(module, target, relax_pipeline=None, tir_pipeline=_NO_MORE)


def packed_kernels(kernels: Mapping[str, tirx.PrimFunc], target: Target) -> Any:
    """Compiles kernels by themselves and loads them into this process, where TVM's runtime calls them.

    Args:
        kernels: By name.
        target: What they are compiled for; it runs here.

    Returns:
        What gives each kernel by its name, to be called with tensors.
    """
    module = tvm.IRModule({name: kernel.with_attr("global_symbol", name) for name, kernel in kernels.items()})
    return code(lowered(module, target, "vm", after="lower_vm"), target)


def _nothing() -> tvm.transform.Pass:
    return tvm.transform.Sequential([])


_NO_MORE = "g2p"
"""The name of a pipeline that does nothing. `relax.build` wants one for kernels, and theirs has run by then."""

tirx.compilation_pipeline.register_tir_pipeline(_NO_MORE, lambda: (_nothing(), _nothing, _nothing))

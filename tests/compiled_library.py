"""Compiles libraries for this machine and calls them through TVM's runtime."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import tvm
import tvm_ffi
from torch import Tensor

from g2p_build.compiler.export import export
from g2p_build.compiler.link import link_shared
from g2p_build.compiler.pipeline import lowered, target_of, vm_objects
from g2p_build.models.program import Program, TensorSpec


def host() -> dict[str, str]:
    """This machine, as a target."""
    if platform.machine() != "x86_64":
        return {"kind": "llvm", "triple": "aarch64-linux-gnu", "cpu": "generic"}
    level = "x86-64-v4" if torch.backends.cpu.get_cpu_capability() == "AVX512" else "x86-64-v3"
    return {"kind": "llvm", "triple": "x86_64-linux-gnu", "cpu": level}


@dataclass(frozen=True)
class Library:
    """A loaded library."""

    path: Path
    programs: dict[str, Program]
    functions: list[dict[str, Any]]
    machine: Any

    def __call__(self, name: str, weights: dict[str, Tensor], *others: Tensor) -> list[Tensor]:
        """Calls a function with its arguments, its state and the weights that it takes. Returns its outputs."""
        taken = [_bits(weights[spec.name]) for kind, spec in self.programs[name].inputs if kind == "weight"]
        result = self.machine[name](*[tvm_ffi.from_dlpack(tensor) for tensor in [*others, *taken]])
        found = [result] if isinstance(result, tvm_ffi.Tensor) else list(result)
        return [torch.from_dlpack(tensor) for tensor in found]


def _bits(weight: Tensor) -> Tensor:
    """A weight as a function takes it: bfloat16 by its bits."""
    return weight.view(torch.uint16) if weight.dtype == torch.bfloat16 else weight


def library(programs: Sequence[Program], folder: Path, target: dict[str, str] | None = None) -> Library:
    """Exports, compiles, links and loads programs."""
    module, functions = export(programs)
    target = target or host()
    link_shared(objects(module, target, folder), target["triple"], folder / "model.so")
    load_runtime()
    machine = tvm_ffi.load_module(str(folder / "model.so"))["vm_load_executable"]()
    machine["vm_initialization"](1, 0, 2)  # CPU, device 0, the pooled allocator
    return Library(folder / "model.so", {program.name: program for program in programs}, functions, machine)


def specs(weights: dict[str, Tensor]) -> dict[str, TensorSpec]:
    """What programs need to know of weights."""
    dtypes = {name: str(tensor.dtype).removeprefix("torch.") for name, tensor in weights.items()}
    return {name: TensorSpec(name, tuple(tensor.shape), dtypes[name]) for name, tensor in weights.items()}


def objects(module: tvm.IRModule, target: dict[str, str], folder: Path) -> list[Path]:
    """Compiles what `export` gives for the virtual machine, as the stage "code" does. Returns the object files."""
    llvm = target_of(target)
    return vm_objects(lowered(module, llvm, "vm", "plan"), llvm, folder)


@cache
def load_runtime() -> None:
    """Loads TVM's runtime with global symbols, where libraries find them."""
    tvm = find_spec("tvm")
    assert tvm is not None and tvm.origin is not None
    ctypes.CDLL(str(Path(tvm.origin).parent / "lib" / "libtvm_runtime.so"), ctypes.RTLD_GLOBAL)

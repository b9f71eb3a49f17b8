"""Torch programs to one Relax module."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
import tvm
from torch._subclasses import FakeTensorMode
from tvm import relax
from tvm.relax.frontend.torch import from_exported_program

from g2p_build.compiler.passes.lower_cache_writes import WRITE_CACHE
from g2p_build.models.programs import Program, nested_arguments
from g2p_build.models.weights import TensorSpec

__all__ = ["export"]


def export(programs: Sequence[Program]) -> tuple[tvm.IRModule, list[dict[str, Any]]]:
    """Exports programs with torch.export and imports them into one module.

    No weight has a value here, so nothing that follows can depend on one.

    Args:
        programs: Programs with distinct names.

    Returns:
        A module with a Relax function for each program, and the description of each as manifests give it: name, role,
        batch, lengths, inputs in the order of the function's parameters, outputs.
    """
    functions = {program.name: _function(program) for program in programs}
    return tvm.IRModule(functions), [_description(program) for program in programs]


def _function(program: Program) -> relax.Function:
    # Fake tensors have shapes and no memory.
    with FakeTensorMode(allow_non_fake_inputs=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export deprecates things that it does itself
        examples = [torch.empty(spec.shape, dtype=getattr(torch, spec.dtype)) for _, spec in program.inputs]
        exported = torch.export.export(program.module, nested_arguments(program, examples), strict=False)
    # Decomposing takes most of an import's time, and would take apart what the passes want whole.
    module = from_exported_program(exported, run_ep_decomposition=False, custom_convert_map=_CONVERTERS)
    function = _in_order(module["main"], program, [node.name for node in exported.graph.nodes if node.op == "placeholder"])
    return _without_state_outputs(function, len(program.outputs)).with_attr("global_symbol", program.name)


def _in_order(function: relax.Function, program: Program, placeholders: list[str]) -> relax.Function:
    """Checks that the parameters are the program's inputs in order, and gives them the inputs' names."""
    names = [spec.name for _, spec in program.inputs]
    shapes = [tuple(int(extent) for extent in param.ty.shape) for param in function.params]
    if shapes != [spec.shape for _, spec in program.inputs]:
        raise AssertionError(f"{program.name}: torch.export changed the order of its inputs: {placeholders}")
    renamed = {param: relax.Var(name.replace(".", "_"), param.ty)
               for param, name in zip(function.params, names, strict=True)}
    return relax.Function(list(renamed.values()), relax.binding_rewrite_placeholder, function.ret_ty)

"""Torch programs to one Relax module."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import tvm
from torch import Tensor, fx, nn
from torch._subclasses import FakeTensorMode
from tvm import ir, relax, tirx
from tvm.relax.frontend.torch import from_exported_program

from g2p_build.compiler.passes.lowering import PREFIX
from g2p_build.models import ops
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
        batch, lengths, tokens of a step, inputs in the order of the function's parameters, outputs.
    """
    functions = {program.name: _function(program) for program in programs}
    return tvm.IRModule(functions), [_description(program) for program in programs]


class _Compiled(nn.Module):
    """A program's module, returning only what its compiled function returns."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.module, self.outputs = program.module, len(program.outputs)

    def forward(self, *arguments: Any) -> Tensor | tuple[Tensor, ...]:
        results: Tensor | tuple[Tensor, ...] = self.module(*arguments)
        return results if isinstance(results, Tensor) else results[: self.outputs]


def _function(program: Program) -> relax.Function:
    # Fake tensors have shapes and no memory.
    with FakeTensorMode(allow_non_fake_inputs=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export deprecates things that it does itself
        examples = [torch.empty(spec.shape, dtype=getattr(torch, spec.dtype)) for _, spec in program.inputs]
        exported = torch.export.export(_Compiled(program), nested_arguments(program, examples), strict=False)
    # Decomposing takes most of an import's time, and would take apart what the passes want whole.
    module = from_exported_program(
        exported,
        custom_convert_map={f"{name}.default": partial(_operation, name) for name in ops.__all__},
        unwrap_unit_return_tuple=True,
        run_ep_decomposition=False,
    )
    function = module["main"]
    found = [(param.name, [int(extent) for extent in param.ty.shape]) for param in function.params]
    for (name, shape), (kind, spec) in zip(found, program.inputs, strict=True):
        if shape != list(spec.shape) or (kind == "weight" and not name.endswith(spec.name.replace(".", "_"))):
            raise AssertionError(f"{program.name}: torch.export put {name} {shape} where {spec} belongs")
    return function.with_attr("global_symbol", program.name)


def _operation(name: str, node: fx.Node, importer: Any) -> relax.Var:
    """A call of an external function that stands for an operation, until the compiler puts kernels in its place.

    Arguments that are None are left out: they are an operation's last tensors.
    """
    arguments = [argument for argument in importer.retrieve_args(node) if argument is not None]
    results = node.meta["val"]
    types = [_type(result) for result in (results if isinstance(results, tuple) else [results])]
    called = relax.Tuple(
        [argument if isinstance(argument, relax.Expr) else _constant(argument) for argument in arguments]
    )
    call = relax.op.call_dps_packed(PREFIX + name, called, out_ty=types if len(types) > 1 else types[0])
    return importer.block_builder.emit(call)


def _constant(value: Any) -> relax.Expr:
    if isinstance(value, str):
        return ir.StringImm(value)
    return tirx.const(value, "int64" if isinstance(value, int) else "float64")


def _type(result: Tensor) -> relax.TensorType:
    return relax.TensorType(tuple(result.shape), str(result.dtype).removeprefix("torch."))


def _description(program: Program) -> dict[str, Any]:
    return {
        "name": program.name,
        "role": program.role,
        "batch": program.batch,
        "input_len": program.input_len,
        "output_len": program.output_len,
        "tokens": program.tokens,
        "inputs": [
            {"name": spec.name, "kind": kind, "shape": list(spec.shape), "dtype": spec.dtype}
            for kind, spec in program.inputs
        ],
        "outputs": [_tensor(spec) for spec in program.outputs],
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "shape": list(spec.shape), "dtype": spec.dtype}

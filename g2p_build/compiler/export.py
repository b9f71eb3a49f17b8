"""Torch programs become one Relax module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import tvm
from torch import Tensor
from torch.overrides import TorchFunctionMode
from tvm import ir, relax, tirx

from g2p_build.compiler.emit_c import PACKED
from g2p_build.compiler.kernels.code import BFLOAT16
from g2p_build.compiler.rewrites.calls import PREFIX
from g2p_build.models import ops
from g2p_build.models.programs import Program, nested_arguments
from g2p_build.models.weights import TensorSpec

__all__ = ["export"]

OPERATIONS = {getattr(torch.ops.g2p, name).default: name for name in ops.__all__}
"""What torch calls for an operation, to the operation's name."""


def export(programs: Sequence[Program]) -> tuple[tvm.IRModule, list[dict[str, Any]]]:
    """Traces programs into one module.

    torch.export and TVM's importer would make the same module. They take any program, but loading and running them
    takes longer than compiling. The programs here only call `ops`, with views between the calls.

    There is no second way, such as through ONNX, for what torch.export refuses: it refuses none of these programs, and
    no others come here, since a checkpoint brings a config and weights and no module. ONNX has no `ops`, and a graph
    of its own operators would have no kernels here, no states and no steps.

    Weights have no values here. So no later stage can depend on one.

    Args:
        programs: Programs with distinct names.

    Returns:
        A module with a Relax function for each program, and a description of each as manifests give it: name, role,
        batch, lengths, tokens of a step, inputs in the order of the function's parameters, outputs.

    Raises:
        AssertionError: A program does something else than call `ops`, by position, and view.
    """
    builder = relax.BlockBuilder()
    for program in programs:
        _trace(builder, program)
    return builder.get(), [_description(program) for program in programs]


def _trace(builder: relax.BlockBuilder, program: Program) -> None:
    """Adds a program's function to the module that is being built."""
    # Tensors on this device have shapes and no memory.
    tensors = [torch.empty(spec.shape, dtype=getattr(torch, spec.dtype), device="meta") for _, spec in program.inputs]
    params = [relax.Var(spec.name.replace(".", "_"), _type(spec.shape, spec.dtype)) for _, spec in program.inputs]
    with builder.function(program.name, params, attrs={PACKED: list(program.packed)} if program.packed else {}):
        with builder.dataflow():
            tracer = _Tracer(builder)
            for tensor, param in zip(tensors, params, strict=True):
                tracer.note(tensor, param)
            with tracer:
                results = program.module(*nested_arguments(program, tensors))
            if isinstance(results, Tensor):
                output = tracer.value(results)
            else:
                output = relax.Tuple([tracer.value(result) for result in results[: len(program.outputs)]])
            output = builder.emit_output(output)
        builder.emit_func_output(output)


class _Tracer(TorchFunctionMode):
    """Emits a binding for each operation that is called."""

    def __init__(self, builder: relax.BlockBuilder) -> None:
        super().__init__()
        self.builder = builder
        # By the tensor's id. The tensor is kept too, because an id is free for others when its tensor is gone.
        self._values: dict[int, tuple[Tensor, relax.Expr]] = {}

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        arguments: Sequence[Any] = (),
        keywords: Mapping[str, Any] | None = None,
    ) -> Any:
        result = function(*arguments, **(keywords or {}))
        if function in OPERATIONS and not keywords:
            self._emit(OPERATIONS[function], arguments, result)
        elif function is Tensor.view:
            self.note(result, self.builder.emit(relax.op.reshape(self.value(arguments[0]), tuple(result.shape))))
        elif getattr(function, "__self__", None) is not Tensor.shape:
            raise AssertionError(f"{function}: a program may only call g2p_build.models.ops, by position, and view")
        return result

    def note(self, tensor: Tensor, value: relax.Expr) -> None:
        """Remembers the expression that stands for a tensor."""
        self._values[id(tensor)] = tensor, value

    def value(self, tensor: Tensor) -> relax.Expr:
        """The expression that stands for a tensor. It is a constant if the tensor is neither an input nor a result."""
        if id(tensor) not in self._values:
            self.note(tensor, relax.const(tensor.numpy()))
        return self._values[id(tensor)][1]

    def _emit(self, name: str, arguments: Sequence[Any], result: Tensor | tuple[Tensor, ...]) -> None:
        """Emits an operation as a call of an external function. The compiler will put kernels in its place."""
        types = [_type(part.shape, _dtype(part)) for part in (result if isinstance(result, tuple) else [result])]
        taken = relax.Tuple([self.value(each) if isinstance(each, Tensor) else _constant(each) for each in arguments])
        call = relax.op.call_dps_packed(PREFIX + name, taken, out_ty=types if len(types) > 1 else types[0])
        called = self.builder.emit(call)
        if isinstance(result, Tensor):
            self.note(result, called)
        else:
            for index, part in enumerate(result):
                self.note(part, self.builder.emit(relax.TupleGetItem(called, index)))


def _constant(value: str | float) -> relax.Expr:
    if isinstance(value, str):
        return ir.StringImm(value)
    return tirx.const(value, "int64" if isinstance(value, int) else "float64")


def _type(shape: Sequence[int], dtype: str) -> relax.TensorType:
    return relax.TensorType(tuple(shape), BFLOAT16 if dtype == "bfloat16" else dtype)


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


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

"""Torch programs become one Relax module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import tvm
from torch import Tensor
from torch.overrides import TorchFunctionMode
from tvm import ir, relax, tirx

from g2p_build.compiler.kernels.code import BFLOAT16
from g2p_build.compiler.planned import PACKED
from g2p_build.compiler.rewrites.calls import NOTHING, PREFIX
from g2p_build.models.extents import Extent, Size, marked, marks, names, unmarked
from g2p_build.models.program import Program, TensorSpec, nested_arguments

__all__ = ["export"]

NAMESPACE = "g2p"
"""The torch library that operations are in."""


def export(programs: Sequence[Program]) -> tuple[tvm.IRModule, list[dict[str, Any]]]:
    """Traces programs into one module.

    torch.export and TVM's importer would make the same module. They take any program, but loading and running them
    takes longer than compiling. The programs here only call operations, with views between the calls.

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
        AssertionError: A program does something else than call operations, by position, and view.
    """
    builder = relax.BlockBuilder()
    for program in programs:
        _trace(builder, program)
    return builder.get(), [_description(program) for program in programs]


def _trace(builder: relax.BlockBuilder, program: Program) -> None:
    """Adds a program's function to the module that is being built."""
    # Tensors on this device have shapes and no memory.
    shapes = _Shapes(program)
    tensors = [
        torch.empty(shapes.numbers(spec.shape), dtype=getattr(torch, spec.dtype), device="meta")
        for _, spec in program.inputs
    ]
    params = [
        relax.Var(spec.name.replace(".", "_"), shapes.type(tensor.shape, spec.dtype))
        for tensor, (_, spec) in zip(tensors, program.inputs, strict=True)
    ]
    with builder.function(program.name, params, attrs={PACKED: list(program.packed)} if program.packed else {}):
        with builder.dataflow():
            tracer = _Tracer(builder, shapes)
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


class _Shapes:
    """The shapes of one program's tensors, as torch has them while it is traced, and as Relax has them."""

    def __init__(self, program: Program) -> None:
        self._marks = marks(names(spec.shape for _, spec in program.inputs))
        self._variables = {name: tirx.Var(name, "int64") for name in self._marks}

    def numbers(self, shape: Sequence[Size]) -> tuple[int, ...]:
        return tuple(marked(size, self._marks) for size in shape)

    def type(self, shape: Sequence[int], dtype: str) -> relax.TensorType:
        return relax.TensorType(self.extents(shape), BFLOAT16 if dtype == "bfloat16" else dtype)

    def extents(self, shape: Sequence[int]) -> tuple[Any, ...]:
        return tuple(self._extent(unmarked(size, self._marks)) for size in shape)

    def _extent(self, size: Size) -> Any:
        if not isinstance(size, Extent):
            return size
        variable = self._variables[size.name]
        product = variable if size.scale == 1 else variable * size.scale
        return product + size.offset if size.offset else product


class _Tracer(TorchFunctionMode):
    """Emits a binding for each operation that is called."""

    def __init__(self, builder: relax.BlockBuilder, shapes: _Shapes) -> None:
        super().__init__()
        self.builder = builder
        self.shapes = shapes
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
        if getattr(function, "namespace", None) == NAMESPACE and not keywords:
            self._emit(function.__name__.partition(".")[0], arguments, result)
        elif function is Tensor.view:
            shape = relax.ShapeExpr(self.shapes.extents(result.shape))
            self.note(result, self.builder.emit(relax.op.reshape(self.value(arguments[0]), shape)))
        elif getattr(function, "__self__", None) is not Tensor.shape:
            raise AssertionError(f"{function}: a program may only call operations, by position, and view")
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
        parts = result if isinstance(result, tuple) else [result]
        types = [self.shapes.type(part.shape, _dtype(part)) for part in parts]
        taken = relax.Tuple([self.value(each) if isinstance(each, Tensor) else _constant(each) for each in arguments])
        call = relax.op.call_dps_packed(PREFIX + name, taken, out_ty=types if len(types) > 1 else types[0])
        called = self.builder.emit(call)
        if isinstance(result, Tensor):
            self.note(result, called)
        else:
            for index, part in enumerate(result):
                self.note(part, self.builder.emit(relax.TupleGetItem(called, index)))


def _constant(value: str | float | None) -> relax.Expr:
    if value is None:  # an optional tensor
        return ir.StringImm(NOTHING)
    if isinstance(value, str):
        return ir.StringImm(value)
    return tirx.const(value, "int64" if isinstance(value, int) else "float64")


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
            {"name": spec.name, "kind": kind, "shape": _shape(spec), "dtype": spec.dtype}
            for kind, spec in program.inputs
        ],
        "outputs": [_tensor(spec) for spec in program.outputs],
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "shape": _shape(spec), "dtype": spec.dtype}


def _shape(spec: TensorSpec) -> list[int | str]:
    """As manifests give it: what is known only when the program runs is written out, such as ``"120*frames+1"``."""
    return [str(size) if isinstance(size, Extent) else size for size in spec.shape]

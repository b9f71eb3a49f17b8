"""Our tracer gives the same as torch.export followed by TVM's importer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from t5_reference import random_checkpoint
from torch import Tensor, fx, nn
from tvm import ir, relax, tirx
from tvm.relax.frontend.torch import from_exported_program

from g2p_build.compiler.export import export
from g2p_build.compiler.planned import PACKED
from g2p_build.models import ops
from g2p_build.models.program import Program, nested_arguments
from g2p_build.models.programs import programs

SHAPES: list[dict[str, Any]] = [
    {"d_model": 33, "d_kv": 7, "d_ff": 19, "num_heads": 1, "num_layers": 2, "num_decoder_layers": 1},
    {"d_model": 20, "d_kv": 24, "d_ff": 97, "num_heads": 3, "num_layers": 1, "feed_forward_proj": "gated-gelu"},
    {"d_model": 1, "d_kv": 1, "d_ff": 1, "num_heads": 1, "num_layers": 1, "num_decoder_layers": 3},
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("batch", "buckets", "output_len", "dtype", "kv_cache"),
    [([1], [16, 17], 33, "float32", True), ([3, 2], [5], 16, "float16", True), ([1, 4], [16, 19], 7, "float32", False)],
)
def test_a_traced_program_equals_the_exported_one(
    shape: dict[str, Any], batch: list[int], buckets: list[int], output_len: int, dtype: str, kv_cache: bool
) -> None:
    found = programs(random_checkpoint(3, **shape).architecture, batch, buckets, output_len, dtype, kv_cache)
    module, _ = export(found)
    assert {var.name_hint for var in module.get_global_vars()} == {program.name for program in found}
    for program in found:
        packed = [str(name) for name in (module[program.name].attrs or {}).get(PACKED, ())]
        assert tuple(packed) == program.packed
        ir.assert_structural_equal(module[program.name].without_attr(PACKED), exported(program))
        names = [param.name for param in module[program.name].params]
        assert names == [spec.name.replace(".", "_") for _, spec in program.inputs]


class Outputs(nn.Module):
    """A program's module. It returns only what the compiled function returns."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.module, self.outputs = program.module, len(program.outputs)

    def forward(self, *arguments: Any) -> Tensor | tuple[Tensor, ...]:
        results: Tensor | tuple[Tensor, ...] = self.module(*arguments)
        return results if isinstance(results, Tensor) else results[: self.outputs]


def exported(program: Program) -> relax.Function:
    """A program's function, made by torch.export. Its operations become calls of external functions."""
    examples = [torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype)) for _, spec in program.inputs]
    module = from_exported_program(
        torch.export.export(Outputs(program), nested_arguments(program, examples), strict=False),
        custom_convert_map={f"{name}.default": partial(operation, name) for name in ops.__all__},
        unwrap_unit_return_tuple=True,
        run_ep_decomposition=False,
    )
    return module["main"].with_attr("global_symbol", program.name)


def operation(name: str, node: fx.Node, importer: Any) -> relax.Var:
    """The call for an operation. Arguments that are None are left out."""
    results = node.meta["val"]
    types = [
        relax.TensorType(tuple(result.shape), str(result.dtype).removeprefix("torch."))
        for result in (results if isinstance(results, tuple) else [results])
    ]
    arguments = [constant(argument) for argument in importer.retrieve_args(node) if argument is not None]
    call = relax.op.call_dps_packed(f"g2p.{name}", relax.Tuple(arguments), types if len(types) > 1 else types[0])
    return importer.block_builder.emit(call)


def constant(argument: Any) -> relax.Expr:
    """An argument as an expression."""
    if isinstance(argument, relax.Expr):
        return argument
    if isinstance(argument, str):
        return ir.StringImm(argument)
    return tirx.const(argument, "int64" if isinstance(argument, int) else "float64")


class Calls(nn.Module):
    """A module that does one thing with its rows."""

    def __init__(self, does: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.does = does

    def forward(self, rows: Tensor, *others: Any) -> Tensor:
        self.does(rows)
        return rows


@pytest.mark.parametrize(
    ("does", "what"),
    [
        (lambda rows: rows + 1, "add"),
        (lambda rows: rows.add_(1), "add_"),
        (lambda rows: torch.relu(rows), "relu"),
        (lambda rows: rows.__setitem__(0, 1), "__setitem__"),
        (lambda rows: rows[0], "__getitem__"),
        (lambda rows: ops.norm(rows, rows, epsilon=1e-6), "norm"),
    ],
)
def test_a_program_with_another_operation_is_refused(does: Callable[[Tensor], Any], what: str) -> None:
    [*_, program] = programs(random_checkpoint(0, **SHAPES[0]).architecture, [2], [8], 6, "float32", kv_cache=True)
    with pytest.raises(AssertionError, match=f"{what}.*may only call operations"):
        export([replace(program, module=Calls(does))])

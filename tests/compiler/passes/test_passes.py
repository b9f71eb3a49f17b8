"""Each pass and each rewrite by itself, on modules of a few lines."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
import tvm
from compiled_library import host
from torch import Tensor
from tvm import ir, relax, tirx

from g2p_build.compiler.passes.lower_operations import LowerOperations
from g2p_build.compiler.passes.plain_calls import PlainCalls
from g2p_build.compiler.pipeline import executable, target_of
from g2p_build.compiler.pipeline import lowered as after_phases
from g2p_build.compiler.rewrites.cpu import CPU
from g2p_build.models import ops
from g2p_build.models.layout import NO_NORM, pack_columns


def module(name: str, tensors: Sequence[Tensor], others: Sequence[tirx.Expr], like: Sequence[Tensor]) -> tvm.IRModule:
    """One function that calls an operation twice and returns what the second call gives."""
    builder = relax.BlockBuilder()
    params = [relax.Var(f"x{i}", type_of(tensor)) for i, tensor in enumerate(tensors)]
    arguments = [*params[:2], *others, *params[2:]]
    with builder.function("main", params):
        with builder.dataflow():
            for _ in range(2):
                types = [type_of(tensor) for tensor in like]
                out = types if len(types) > 1 else types[0]
                result = builder.emit(relax.op.call_dps_packed(f"g2p.{name}", relax.Tuple(arguments), out_ty=out))
            result = builder.emit_output(result)
        builder.emit_func_output(result)
    return builder.get()


def type_of(tensor: Tensor) -> relax.TensorType:
    return relax.TensorType(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


def lowered(before: tvm.IRModule) -> tuple[tvm.IRModule, list[str]]:
    """The module with kernels in place of its operations, and the names of the kernels."""
    with target_of(host()):
        after = LowerOperations(CPU)(before)
    assert "g2p." not in after["main"].script()
    return after, [name.name_hint for name, found in after.functions_items() if isinstance(found, tirx.PrimFunc)]


def run(after: tvm.IRModule, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Runs `main`. Returns its results, then its arguments, because it may have written to them."""
    target = target_of(host())
    built = executable(after_phases(after, target, "vm", after="lower"), target)
    arguments = [tvm.runtime.tensor(tensor.numpy()) for tensor in tensors]
    results = relax.VirtualMachine(built, tvm.cpu())["main"](*arguments)
    results = [results] if hasattr(results, "numpy") else list(results)
    return [torch.from_numpy(tensor.numpy()) for tensor in [*results, *arguments]]


def number(value: float) -> tirx.Expr:
    return tirx.const(value, "int64" if isinstance(value, int) else "float64")


def test_a_linear_layer_is_one_kernel_with_its_norm_residual_and_activation() -> None:
    rows, weight, residual = torch.randn(3, 8), pack_columns(torch.randn(8, 40)), torch.randn(3, 40)
    for epsilon, activation, tensors in (
        (1e-6, "relu", [rows, weight]),
        (NO_NORM, "", [rows, weight, residual]),
    ):
        expected = ops.linear(rows, weight, 40, epsilon, activation, *tensors[2:])
        others = [number(40), number(epsilon), ir.StringImm(activation)]
        after, names = lowered(module("linear", tensors, others, [expected]))
        assert names == ["matmul_8"]
        torch.testing.assert_close(run(after, tensors)[0], expected)


def test_half_precision_weights_are_read_as_they_are() -> None:
    rows, weight = torch.randn(3, 8), pack_columns(torch.randn(8, 5)).half()
    expected = ops.linear(rows, weight, 5, NO_NORM, "")
    others = [number(5), number(NO_NORM), ir.StringImm("")]
    after, names = lowered(module("linear", [rows, weight], others, [expected]))
    assert names == ["matmul_8"]
    torch.testing.assert_close(run(after, [rows, weight])[0], expected)


def test_a_kernel_finds_the_greatest_of_the_last_projection() -> None:
    rows, weight = torch.randn(3, 8), pack_columns(torch.randn(8, 40))
    expected = ops.project(rows, weight, 40, 1e-6)
    after, names = lowered(module("project", [rows, weight], [number(40), number(1e-6)], expected))
    assert names == ["argmax", "matmul_8"]
    logits, ids, *_ = run(after, [rows, weight])
    torch.testing.assert_close(logits, expected[0])
    assert torch.equal(ids, expected[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_norms(dtype: torch.dtype) -> None:
    rows, weight = torch.randn(3, 8), torch.randn(8).to(dtype)
    expected = ops.norm(rows, weight, 0.5)
    after, names = lowered(module("norm", [rows, weight], [number(0.5)], [expected]))
    assert names == ["norm_8"]
    torch.testing.assert_close(run(after, [rows, weight])[0], expected)


@pytest.mark.parametrize("name", ["embed", "spread_bias"])
def test_embeddings(name: str) -> None:
    tensors = [torch.tensor([3, 1], dtype=torch.int32), torch.randn(4, 6)]
    expected = getattr(ops, name)(*tensors)
    after, names = lowered(module(name, tensors, [], [expected]))
    assert names == ["embed_6" if name == "embed" else "spread_bias"]
    assert torch.equal(run(after, tensors)[0], expected)


def test_the_encoders_attention() -> None:
    tensors = [torch.randn(2 * 5, 3 * 2 * 7), torch.randn(2, 2 * 5 + 15), torch.tensor([5, 2], dtype=torch.int32)]
    expected = ops.attend_encoder(*tensors)
    after, names = lowered(module("attend_encoder", tensors, [], [expected]))
    assert names == ["encoder_attention_2_7"]
    torch.testing.assert_close(run(after, tensors)[0][: 5 + 2], expected[: 5 + 2])


def test_self_attention_writes_into_the_callers_cache() -> None:
    position, buckets = torch.tensor([2, 0], dtype=torch.int32), torch.tensor([0, 1, 1], dtype=torch.int32)
    tensors = [torch.randn(2, 3 * 4), position, buckets, torch.randn(2, 1)]
    tensors += [torch.zeros(2, 1, 1, 4, 16), torch.zeros(2, 1, 3, 4)]
    expected = ops.attend_self(*tensors)
    after, names = lowered(module("attend_self", tensors, [], expected))
    assert names == ["self_attention_1_4"]
    attended, *_, key, value = run(after, tensors)
    torch.testing.assert_close(attended, expected[0])
    assert torch.equal(key, expected[1]) and torch.equal(value, expected[2])
    assert (value != 0).any(3).flatten(1).tolist() == [[False, False, True], [True, False, False]]


def test_without_a_cache_self_attention_makes_one() -> None:
    tensors = [torch.randn(2 * 3, 3 * 4), torch.zeros(2, dtype=torch.int32)]
    tensors += [torch.tensor([0, 1, 1], dtype=torch.int32), torch.randn(2, 1)]
    expected = ops.attend_self(*tensors)
    after, _ = lowered(module("attend_self", tensors, [], expected))
    torch.testing.assert_close(run(after, tensors)[0], expected[0])


def test_cross_attention_and_its_cache() -> None:
    packed, length = torch.randn(2 * 3, 2 * 4), torch.tensor([3, 1], dtype=torch.int32)
    tensors = [packed, length, torch.zeros(2, 1, 1, 4, 16), torch.zeros(2, 1, 5, 4)]
    expected = ops.write_cross(packed, length, 1, *tensors[2:])
    after, names = lowered(module("write_cross", tensors, [number(1)], expected))
    assert names == ["write_cross_1_4"]
    *_, key, value = run(after, tensors)
    assert torch.equal(key, expected[0]) and torch.equal(value, expected[1])
    tensors = [torch.randn(2, 4), length, key, value]
    attended = ops.attend_cross(*tensors)
    after, names = lowered(module("attend_cross", tensors, [], [attended]))
    assert names == ["cross_attention_1_4"]
    torch.testing.assert_close(run(after, tensors)[0], attended)


def test_kernels_take_pointers_and_then_the_extents_that_vary() -> None:
    rows, weight = torch.randn(3, 8), torch.randn(8)
    after, _ = lowered(module("norm", [rows, weight], [number(0.5)], [rows]))
    plain = tvm.transform.Sequential([PlainCalls()])(after)
    [(symbol, kernel)] = [(variable.name_hint, function) for variable, function in plain.functions_items()]
    assert symbol == str(kernel.attrs["global_symbol"]) == "g2p_kernel_norm_8"
    assert [str(param.ty) for param in kernel.params[:3]] == ['T.handle("float32", "global")'] * 3
    assert [(param.name, str(param.ty)) for param in kernel.params[3:]] == [("rows", "int32")]


def test_an_operation_that_the_table_lacks_stays() -> None:
    before = module("norm", [torch.randn(3, 8), torch.randn(8)], [number(0.5)], [torch.randn(3, 8)])
    with target_of(host()):
        after = LowerOperations({"embed": CPU["embed"]})(before)
    assert after["main"].script().count("g2p.norm") == 2

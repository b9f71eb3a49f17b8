"""Every pass alone, on a module of a few lines."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from tvm import relax, tirx
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from g2p_build.compiler.passes.lower_cache_writes import LowerCacheWrites
from g2p_build.compiler.passes.lower_matmuls import LowerMatmuls
from g2p_build.compiler.passes.lower_norms import LowerNorms
from g2p_build.compiler.passes.lower_softmax import LowerSoftmax
from g2p_build.compiler.passes.stack_buffers import StackBuffers


def kernels(module: tvm.IRModule) -> dict[str, tirx.PrimFunc]:
    """The module's kernels by name."""
    return {
        name.name_hint: function for name, function in module.functions_items() if isinstance(function, tirx.PrimFunc)
    }


def run(module: tvm.IRModule, *arrays: np.ndarray) -> list[np.ndarray]:
    """Runs `main`, and returns its result and then its arguments, which it may have written to."""
    machine = relax.VirtualMachine(tvm.compile(module, target="llvm"), tvm.cpu())
    tensors = [tvm.runtime.tensor(array) for array in arrays]
    return [machine["main"](*tensors).numpy(), *(tensor.numpy() for tensor in tensors)]


def test_cache_writes_go_into_the_callers_tensor() -> None:
    @I.ir_module
    class Module:
        @R.function
        def main(
            new: R.Tensor((2, 1, 1, 2), "float32"),
            position: R.Tensor((2,), "int32"),
            cache: R.Tensor((2, 1, 3, 2), "float32"),
        ) -> R.Tensor((2, 1, 3, 2), "float32"):
            with R.dataflow():
                written = R.call_dps_packed(
                    "g2p.write_cache", (new, position, cache), out_ty=R.Tensor((2, 1, 3, 2), "float32")
                )
                R.output(written)
            return written

    lowered = LowerCacheWrites()(Module)
    assert list(kernels(lowered)) == ["write_cache"]
    new = np.ones((2, 1, 1, 2), "float32")
    result, _, _, cache = run(lowered, new, np.array([2, 0], "int32"), np.zeros((2, 1, 3, 2), "float32"))
    assert cache[:, 0, :, 0].tolist() == [[0, 0, 1], [1, 0, 0]]
    assert np.array_equal(result, cache)


def test_matmuls_read_half_precision_weights_without_a_copy() -> None:
    @I.ir_module
    class Module:
        @R.function
        def main(x: R.Tensor((3, 4), "float32"), weight: R.Tensor((4, 5), "float16")) -> R.Tensor((3, 5), "float32"):
            with R.dataflow():
                wide = R.astype(weight, dtype="float32")
                product = R.matmul(x, wide)
                R.output(product)
            return product

    lowered = LowerMatmuls()(Module)
    assert list(kernels(lowered)) == ["matmul"]
    assert "astype" not in lowered["main"].script()
    x, weight = np.random.rand(3, 4).astype("float32"), np.random.rand(4, 5).astype("float16")
    np.testing.assert_allclose(run(lowered, x, weight)[0], x @ weight.astype("float32"), rtol=1e-5)


@pytest.mark.parametrize(("rows", "kernel"), [(1, "dot"), (4, "dot"), (5, "matmul")])
def test_few_rows_times_a_transposed_tensor_read_it_as_it_is(rows: int, kernel: str) -> None:
    @I.ir_module
    class Module:
        @R.function
        def main(x: R.Tensor((2, rows, 3), "float32"), y: R.Tensor((2, 7, 3), "float32")):
            with R.dataflow():
                transposed = R.permute_dims(y, axes=[0, 2, 1])
                product = R.matmul(x, transposed)
                R.output(product)
            return product

    lowered = LowerMatmuls()(Module)
    assert list(kernels(lowered)) == [kernel]
    assert ("permute_dims" in lowered["main"].script()) == (kernel == "matmul")
    x, y = np.random.rand(2, rows, 3).astype("float32"), np.random.rand(2, 7, 3).astype("float32")
    np.testing.assert_allclose(run(lowered, x, y)[0], x @ y.transpose(0, 2, 1), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_norms_are_one_kernel(dtype: str) -> None:
    @I.ir_module
    class Module:
        @R.function
        def main(x: R.Tensor((3, 8), "float32"), weight: R.Tensor((8,), dtype)):
            with R.dataflow():
                wide = R.astype(weight, dtype="float32")
                normed = R.nn.rms_norm(x, wide, axes=[-1], epsilon=0.5)
                R.output(normed)
            return normed

    lowered = LowerNorms()(Module)
    assert list(kernels(lowered)) == ["rms_norm"]
    assert "astype" not in lowered["main"].script()
    x, weight = np.random.randn(3, 8).astype("float32"), np.random.rand(8).astype(dtype)
    expected = weight.astype("float32") * x / np.sqrt((x * x).mean(axis=1, keepdims=True) + 0.5)
    np.testing.assert_allclose(run(lowered, x, weight)[0], expected, rtol=1e-5)


def test_softmax_is_one_kernel_that_calls_no_library() -> None:
    @I.ir_module
    class Module:
        @R.function
        def main(x: R.Tensor((2, 3001), "float32")):
            with R.dataflow():
                weights = R.nn.softmax(x, axis=-1)
                R.output(weights)
            return weights

    lowered = LowerSoftmax()(Module)
    assert list(kernels(lowered)) == ["softmax"]
    assert "T.exp" not in kernels(lowered)["softmax"].script()
    x = np.stack([np.linspace(-100, 0, 3001), np.full(3001, np.finfo("float32").min)]).astype("float32")
    found, _ = run(lowered, x)
    powers = np.exp(x[0].astype("float64"))
    np.testing.assert_allclose(found[0], powers / powers.sum(), rtol=3e-7, atol=1e-38)
    np.testing.assert_allclose(found[1], 1 / 3001, rtol=1e-6)


def test_scratch_buffers_stay_on_the_stack() -> None:
    assert "disable_lower_builtin" in StackBuffers()(_with_buffer(4096))["main"].script()


def test_scratch_buffers_too_large_for_a_stack_are_refused() -> None:
    with pytest.raises(AssertionError, match="a schedule wants a buffer of 16388 bytes"):
        StackBuffers()(_with_buffer(4097))


def _with_buffer(extent: int) -> tvm.IRModule:
    @T.prim_func
    def main(out: T.Buffer((1,), "float32")):
        scratch = T.alloc_buffer((extent,), "float32")
        for i in range(extent):
            scratch[i] = T.float32(1)
        out[0] = scratch[extent - 1]

    return tvm.IRModule({"main": main})

"""Kernels become plain C functions."""

from __future__ import annotations

import tvm
from tvm import tirx
from tvm.tirx import stmt as tir

__all__ = ["SYMBOLS", "PlainCalls", "extents"]

SYMBOLS = "g2p_kernel_"
"""The symbols of kernels begin with this. A library adds a part of its own."""


@tvm.transform.module_pass(opt_level=0, name="PlainCalls")
class PlainCalls:
    """Gives every kernel the calling convention of C: a pointer for each tensor, then the extents that vary.

    A kernel ``matmul(rows: [M, 256], weight: [8, 256, 32], result: [M, 256])`` becomes
    ``void g2p_kernel_matmul(const float *rows, const float *weight, float *result, int32_t M)``. Calling it needs
    nothing of TVM. The call checks nothing. Everything but kernels is dropped from the module.

    Args:
        symbols: What the functions' symbols begin with.
    """

    def __init__(self, symbols: str = SYMBOLS) -> None:
        self.symbols = symbols

    def transform_module(self, module: tvm.IRModule, _: tvm.transform.PassContext) -> tvm.IRModule:
        functions = {
            self.symbols + variable.name_hint: _plain(function, self.symbols + variable.name_hint)
            for variable, function in module.functions_items()
            if isinstance(function, tirx.PrimFunc)
        }
        return tvm.IRModule(functions)


def extents(kernel: tirx.PrimFunc) -> list[tirx.Var]:
    """The extents of a kernel's tensors that vary, in the order in which they first appear."""
    found: list[tirx.Var] = []
    for buffer in kernel.params:
        for extent in buffer.shape:
            if isinstance(extent, tirx.Var) and not any(extent.same_as(other) for other in found):
                found.append(extent)
    return found


def _plain(kernel: tirx.PrimFunc, symbol: str) -> tirx.PrimFunc:
    pointers = [tirx.Var(buffer.name, buffer.data.ty) for buffer in kernel.params]
    tensors = [tir.DeclBuffer(buffer, data=pointer) for buffer, pointer in zip(kernel.params, pointers, strict=True)]
    plain = tirx.PrimFunc([*pointers, *extents(kernel)], tir.SeqStmt([*tensors, kernel.body]))
    return plain.with_attrs({**dict(kernel.attrs), "global_symbol": symbol})

"""A kernel's scratch buffers are on its stack."""

from __future__ import annotations

import math

import tvm
from tvm import tirx

__all__ = ["LIMIT", "StackBuffers"]

LIMIT = 16 * 1024
"""The most bytes that one scratch buffer may have: threads may have small stacks (512 KiB on Apple's systems)."""


@tirx.transform.prim_func_pass(opt_level=0, name="StackBuffers")
class StackBuffers:
    """Keeps TVM from asking its runtime for the memory of scratch buffers.

    It does for 1 KiB or more; the kernel would then need ``__TVMBackendAllocWorkspace``, and call it every time. On the
    stack, LLVM makes registers of most of them. Runs on lowered kernels, before ``LowerTVMBuiltin``.
    """

    def transform_function(
        self, kernel: tirx.PrimFunc, _: tvm.IRModule, __: tvm.transform.PassContext
    ) -> tirx.PrimFunc:
        return kernel.with_body(_on_stack(kernel.body))


def _on_stack(statement: tirx.Stmt) -> tirx.Stmt:
    if isinstance(statement, tirx.SeqStmt):
        return tirx.SeqStmt([_on_stack(part) for part in statement.seq])
    if isinstance(statement, tirx.AttrStmt):
        return tirx.AttrStmt(statement.node, statement.attr_key, statement.value, _on_stack(statement.body))
    if isinstance(statement, tirx.For):
        return tirx.For(
            statement.loop_var,
            statement.min,
            statement.extent,
            statement.kind,
            _on_stack(statement.body),
            statement.thread_binding,
            statement.annotations,
        )
    if isinstance(statement, tirx.AllocBuffer):
        buffer = statement.buffer
        size = math.prod(int(extent) for extent in buffer.shape) * tvm.DataType(buffer.dtype).itemsize
        if size > LIMIT:
            raise AssertionError(f"a schedule wants a buffer of {size} bytes, more than a stack should hold")
        # The note by which LowerTVMBuiltin leaves an allocation as it is.
        return tirx.AllocBuffer(buffer, {**statement.annotations, "disable_lower_builtin": tirx.const(True, "bool")})
    return statement

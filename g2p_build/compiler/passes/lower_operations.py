"""Operations become calls of kernels."""

from __future__ import annotations

from collections.abc import Mapping

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator
from tvm.target import Target

from g2p_build.compiler.rewrites.calls import Kernels, Rewrite, operation

__all__ = ["LowerOperations"]


@tvm.transform.module_pass(opt_level=0, name="LowerOperations")
class LowerOperations:
    """Rewrites every call of an operation of `g2p_build.models.ops`, for the current target.

    The pass knows neither operations nor kernels: the table that it is given does. An operation that the table lacks
    stays as it is.

    Args:
        rewrites: The target kind's table: an operation's name, without its prefix, to its rewrite.
    """

    def __init__(self, rewrites: Mapping[str, Rewrite]) -> None:
        self.rewrites = rewrites

    def transform_module(self, module: tvm.IRModule, _: tvm.transform.PassContext) -> tvm.IRModule:
        lowering = _Lowering(module, self.rewrites)
        for name, function in module.functions_items():
            if isinstance(function, relax.Function):
                lowering.builder_.update_func(name, lowering.visit_expr(function))
        return lowering.builder_.get()


@mutator
class _Lowering(PyExprMutator):
    def __init__(self, module: tvm.IRModule, rewrites: Mapping[str, Rewrite]) -> None:
        super().__init__(module)
        self.rewrites = rewrites
        self.kernels = Kernels(Target.current(), self.builder_)

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        call = super().visit_call_(call)
        name = operation(call)
        return call if name is None or name not in self.rewrites else self.rewrites[name](self.kernels, call)

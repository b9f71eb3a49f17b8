"""Operations become calls of kernels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

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
                lowering.dying = _dying(function)
                lowering.builder_.update_func(name, lowering.visit_expr(function))
        return lowering.builder_.get()


@mutator
class _Lowering(PyExprMutator):
    def __init__(self, module: tvm.IRModule, rewrites: Mapping[str, Rewrite]) -> None:
        super().__init__(module)
        self.rewrites = rewrites
        self.kernels = Kernels(Target.current(), self.builder_)
        self.dying: Mapping[relax.Call, frozenset[int]] = {}

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        self.kernels.dying = self.dying.get(call, frozenset())
        call = super().visit_call_(call)
        name = operation(call)
        return call if name is None or name not in self.rewrites else self.rewrites[name](self.kernels, call)


def _dying(function: relax.Function) -> dict[relax.Call, frozenset[int]]:
    """For each operation's call, by their places the arguments that are results of others and that nothing needs later.

    A tensor that is viewed is not among them: the view needs it for longer.
    """
    bindings = [binding for block in function.body.blocks for binding in block.bindings]
    made = {binding.var for binding in bindings if operation(binding.value) is not None}
    last: dict[relax.Var, int] = {}
    for number, binding in enumerate(bindings):
        for variable in _variables(binding.value):
            last[variable] = number
            if operation(binding.value) is None:
                made.discard(variable)
    for variable in _variables(function.body.body):
        made.discard(variable)
    found = {}
    for number, binding in enumerate(bindings):
        if operation(binding.value) is None:
            continue
        places = [(place, each) for place, each in enumerate(binding.value.args[1]) if isinstance(each, relax.Var)]
        often = Counter(variable for _, variable in places)
        found[binding.value] = frozenset(
            place
            for place, variable in places
            if variable in made and last[variable] == number and often[variable] == 1
        )
    return found


def _variables(value: Any) -> Iterator[relax.Var]:
    found: list[relax.Var] = []
    relax.analysis.post_order_visit(value, lambda part: found.append(part) if isinstance(part, relax.Var) else None)
    yield from found

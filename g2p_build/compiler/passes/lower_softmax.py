"""Softmax becomes one kernel."""

from __future__ import annotations

import math

import tvm
from tvm import ir, relax, te, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator

__all__ = ["LowerSoftmax"]


@tvm.transform.module_pass(opt_level=0, name="LowerSoftmax")
class LowerSoftmax:
    """Replaces ``relax.nn.softmax`` over the last axis by a kernel whose exponential is made of vector instructions.

    LLVM would call libm's ``expf`` for one number after another.
    """

    def transform_module(self, module: tvm.IRModule, _: tvm.transform.PassContext) -> tvm.IRModule:
        lowering = _Lowering(module)
        for name, function in module.functions_items():
            if isinstance(function, relax.Function):
                lowering.builder_.update_func(name, lowering.visit_expr(function))
        return lowering.builder_.get()


@mutator
class _Lowering(PyExprMutator):
    def visit_call_(self, call: relax.Call) -> relax.Expr:
        call = super().visit_call_(call)
        if call.op != ir.Op.get("relax.nn.softmax"):
            return call
        return self.builder_.call_te(_softmax, call.args[0], primfunc_name_hint="softmax")


def _softmax(scores: te.Tensor) -> te.Tensor:
    *rows, width = scores.shape
    k = te.reduce_axis((0, width), "k")
    highest = te.compute(rows, lambda *i: te.max(scores(*i, k), axis=k), name="highest")
    total = te.compute(rows, lambda *i: te.sum(_exp(scores(*i, k) - highest(*i)), axis=k), name="total")
    return te.compute(scores.shape, lambda *i: _exp(scores(*i) - highest(*i[:-1])) / total(*i[:-1]), name="softmax")


def _exp(x: tirx.Expr) -> tirx.Expr:
    """e ** x for x of at most 0, within 2 units in the last place; 0 below the smallest normal number.

    e ** x = 2 ** n * e ** r, where n is x / ln 2 rounded, so that abs(r) <= ln(2) / 2 and eight terms of e ** r's
    series suffice. ln 2 is taken off in two parts: n times the first, which has few bits, is exact.
    """

    def constant(value: float) -> tirx.Expr:
        return tirx.const(value, "float32")

    leading = 0.693359375
    n = tirx.floor(tirx.max(x, constant(-88.0)) * constant(1 / math.log(2)) + constant(0.5))
    r = (x - n * constant(leading)) - n * constant(math.log(2) - leading)
    series = constant(1 / math.factorial(7))
    for degree in reversed(range(7)):
        series = series * r + constant(1 / math.factorial(degree))
    power = tirx.reinterpret("float32", (n.astype("int32") + 127) << 23)  # 2 ** n, by writing its exponent
    return tirx.Select(x < constant(-87.0), constant(0.0), series * power)

"""Functions of vectors, without calls of a library."""

from __future__ import annotations

import math
from collections.abc import Callable

from tvm import tirx

from g2p_build.compiler.kernels.code import Code, constant, load, ramp

__all__ = ["exp", "fold", "gelu", "widened"]


def exp(code: Code, x: tirx.Expr, lanes: int) -> tirx.Expr:
    """e ** x within 2 units in the last place; 0 below e ** -87, and e ** 87 above that.

    e ** x = 2 ** n * e ** r, where n is x / ln 2 rounded, so that abs(r) <= ln(2) / 2 and eight terms of e ** r's
    series suffice. ln 2 is taken off in two parts: n times the first, which has few bits, is exact.
    """
    leading = 0.693359375

    def number(value: float) -> tirx.Expr:
        return constant(value, "float32", lanes)

    x = code.let(x)
    within = code.let(tirx.min(tirx.max(x, number(-87.0)), number(87.0)))
    n = code.let(tirx.floor(within * number(1 / math.log(2)) + number(0.5)), "n")
    r = code.let((within - n * number(leading)) - n * number(math.log(2) - leading), "r")
    series = number(1 / math.factorial(7))
    for degree in reversed(range(7)):
        series = series * r + number(1 / math.factorial(degree))
    whole = "int32" if lanes == 1 else f"int32x{lanes}"
    exponent = (n.astype(whole) + constant(127, lanes=lanes)) << constant(23, lanes=lanes)  # 2 ** n, by its bits
    power = tirx.reinterpret("float32" if lanes == 1 else f"float32x{lanes}", exponent)
    return code.let(tirx.Select(x < number(-87.0), number(0.0), series * power))


def gelu(code: Code, x: tirx.Expr, lanes: int) -> tirx.Expr:
    """GELU by tanh ("gelu_new"), as x / (1 + e ** -2y): 0.5 * (1 + tanh y) is that quotient without x."""

    def number(value: float) -> tirx.Expr:
        return constant(value, "float32", lanes)

    x = code.let(x)
    y = (x + number(0.044715) * (x * x * x)) * number(-2.0 * math.sqrt(2.0 / math.pi))
    return x / (number(1.0) + exp(code, y, lanes))


def widened(code: Code, x: tirx.Expr, lanes: int) -> tirx.Expr:
    """float16 as float32 by its bits, exactly; infinities, which no weight is, become finite."""
    whole = "int16" if lanes == 1 else f"int16x{lanes}"
    bits = tirx.reinterpret(whole, x).astype(whole.replace("16", "32", 1)) << constant(13, lanes=lanes)
    # The sign's copies, which the shift made, are taken for exponent bits if they stay.
    placed = tirx.bitwise_and(bits, constant(0x8FFFE000 - 2**32, lanes=lanes))
    number = tirx.reinterpret("float32" if lanes == 1 else f"float32x{lanes}", placed)
    return code.let(number * constant(2.0**112, lanes=lanes))  # the exponents' biases are 127 and 15


def fold(code: Code, vector: tirx.Expr, lanes: int, combine: Callable[[tirx.Expr, tirx.Expr], tirx.Expr]) -> tirx.Expr:
    """A vector's elements combined: halves with each other, until one is left."""
    if lanes == 1:
        return code.let(vector)
    memory = code.registers(lanes)
    code.store(memory, vector, ramp(0, lanes))
    while lanes > 1:
        lanes //= 2
        code.store(memory, combine(load(memory, ramp(0, lanes)), load(memory, ramp(lanes, lanes))), ramp(0, lanes))
    return code.let(load(memory, 0))

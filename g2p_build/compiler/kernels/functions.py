"""Functions of vectors, without calls of a library.

Values are float32 vectors of `lanes` elements, or numbers if `lanes` is 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tvm import tirx

from g2p_build.compiler.kernels.code import Code, constant, load, ramp

__all__ = ["exp", "fold", "gelu", "widened"]


def exp(code: Code, x: tirx.Expr, lanes: int) -> tirx.Expr:
    """e ** x, within 2 units in the last place. For x below -87 it is 0, and for x above 87 it is e ** 87.

    e ** x = 2 ** n * e ** r, where n is x / ln 2, rounded. So abs(r) <= ln(2) / 2, and eight terms of the series of
    e ** r suffice. r = x - n * ln 2 is computed in two steps. The first part of ln 2 has few bits, so that n times it
    is exact.
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
    """GELU by tanh ("gelu_new"), computed as x / (1 + e ** -2y), because 0.5 * (1 + tanh y) = 1 / (1 + e ** -2y)."""

    def number(value: float) -> tirx.Expr:
        return constant(value, "float32", lanes)

    x = code.let(x)
    y = (x + number(0.044715) * (x * x * x)) * number(-2.0 * math.sqrt(2.0 / math.pi))
    return x / (number(1.0) + exp(code, y, lanes))


def widened(code: Code, x: tirx.Expr, lanes: int) -> tirx.Expr:
    """float16 to float32 by its bits, exactly. Infinities would become finite, but no weight is infinite."""
    whole = "int16" if lanes == 1 else f"int16x{lanes}"
    bits = tirx.reinterpret(whole, x).astype(whole.replace("16", "32", 1)) << constant(13, lanes=lanes)
    # Widening copied the sign into the bits above. The copies are cleared, or they would count as exponent bits.
    placed = tirx.bitwise_and(bits, constant(0x8FFFE000 - 2**32, lanes=lanes))
    number = tirx.reinterpret("float32" if lanes == 1 else f"float32x{lanes}", placed)
    return code.let(number * constant(2.0**112, lanes=lanes))  # 127 - 15, the difference of the exponents' biases


def fold(code: Code, vector: tirx.Expr, lanes: int, combine: Callable[[tirx.Expr, tirx.Expr], tirx.Expr]) -> tirx.Expr:
    """Combines a vector's elements to a number: its halves with each other, until one element is left."""
    if lanes == 1:
        return code.let(vector)
    memory = code.registers(lanes)
    code.store(memory, vector, ramp(0, lanes))
    while lanes > 1:
        lanes //= 2
        code.store(memory, combine(load(memory, ramp(0, lanes)), load(memory, ramp(lanes, lanes))), ramp(0, lanes))
    return code.let(load(memory, 0))

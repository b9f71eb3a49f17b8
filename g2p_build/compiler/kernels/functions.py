"""Functions of vectors, without calls of a library.

Values are float32 vectors of `lanes` elements, or numbers if `lanes` is 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tvm import tirx

from g2p_build.compiler.kernels.code import Code, broadcast, constant, load, ramp

__all__ = ["angle", "exp", "fold", "gelu", "leaky", "sigmoid", "sin_squared", "sine", "tanh", "widened"]


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


def leaky(x: tirx.Expr, divisor: tirx.Expr | float, lanes: int) -> tirx.Expr:
    """x, or x / divisor where x is below 0. The divisor is at least 1.

    It is the slope's inverse, because 5 is a float32 and 0.2 is none: what a slope is wrong by, F0 is too.
    """
    below = constant(divisor, "float32", lanes) if isinstance(divisor, float) else broadcast(divisor, lanes)
    return tirx.max(x, x / below)


def sigmoid(code: Code, x: tirx.Expr, lanes: int) -> tirx.Expr:
    """1 / (1 + e ** -x)."""
    one = constant(1.0, lanes=lanes)
    return one / (one + exp(code, constant(0.0, lanes=lanes) - x, lanes))


def tanh(code: Code, x: tirx.Expr, lanes: int) -> tirx.Expr:
    """The hyperbolic tangent, 2 / (1 + e ** -2x) - 1: within 2e-7 of the true one."""
    one = constant(1.0, lanes=lanes)
    return constant(2.0, lanes=lanes) / (one + exp(code, x * constant(-2.0, lanes=lanes), lanes)) - one


def sine(code: Code, x: tirx.Expr, lanes: int) -> tirx.Expr:
    """sin x, within 2e-7 for abs(x) below 1000.

    x = n * pi + r, so sin x is sin r, or -sin r if n is odd. pi is subtracted in three parts with few bits, so that n
    times the first two is exact. The series of sin r ends with r ** 11.
    """
    n, r = _turned(code, x, lanes)
    # 1 - 2 * (n modulo 2)
    odd = n - constant(2.0, lanes=lanes) * tirx.floor(n * constant(0.5, lanes=lanes))
    return code.let(_sine_series(r, lanes) * (constant(1.0, lanes=lanes) - constant(2.0, lanes=lanes) * odd))


def sin_squared(code: Code, x: tirx.Expr, lanes: int) -> tirx.Expr:
    """(sin x) ** 2, as `sine`, whose sign does not matter here."""
    _, r = _turned(code, x, lanes)
    series = code.let(_sine_series(r, lanes))
    return series * series


def angle(code: Code, x: tirx.Expr, y: tirx.Expr, lanes: int) -> tirx.Expr:
    """The angle of the point (x, y), from -pi to pi, within 4e-7; 0 for (0, 0).

    The smaller of abs(x) and abs(y) is divided by the greater. What is above tan(pi / 8) is turned back by pi / 4. The
    polynomial is that of Cephes' atanf.
    """

    def number(value: float) -> tirx.Expr:
        return constant(value, "float32", lanes)

    x, y = code.let(x), code.let(y)
    across, up = code.let(tirx.max(x, number(0.0) - x)), code.let(tirx.max(y, number(0.0) - y))
    most = tirx.max(tirx.max(across, up), number(1e-37))
    slope = code.let(tirx.min(across, up) / most)
    steep = slope > number(math.tan(math.pi / 8))
    z = code.let(tirx.Select(steep, (slope - number(1.0)) / (slope + number(1.0)), slope))
    square = code.let(z * z)
    series = number(8.05374449538e-2)
    for coefficient in (-1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1):
        series = series * square + number(coefficient)
    found = series * square * z + z + tirx.Select(steep, number(math.pi / 4), number(0.0))
    found = code.let(tirx.Select(up > across, number(math.pi / 2) - found, found))
    found = code.let(tirx.Select(x < number(0.0), number(math.pi) - found, found))
    return code.let(tirx.Select(y < number(0.0), number(0.0) - found, found))


def _turned(code: Code, x: tirx.Expr, lanes: int) -> tuple[tirx.Expr, tirx.Expr]:
    """The whole number nearest to x / pi, and what x has more than that times pi."""
    x = code.let(x)
    n = code.let(tirx.floor(x * constant(1 / math.pi, lanes=lanes) + constant(0.5, lanes=lanes)), "n")
    r = x
    for part in (3.140625, 0.0009670257568359375, math.pi - 3.140625 - 0.0009670257568359375):
        r = code.let(r - n * constant(part, lanes=lanes), "r")
    return n, r


def _sine_series(r: tirx.Expr, lanes: int) -> tirx.Expr:
    square = r * r
    series = constant(-1 / math.factorial(11), lanes=lanes)
    for degree in (9, 7, 5, 3, 1):
        series = series * square + constant((2 - degree % 4) / math.factorial(degree), lanes=lanes)
    return series * r


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

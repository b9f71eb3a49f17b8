"""Short spectra of a sound, and the sound of short spectra. They have tens of numbers: sums are written out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tvm import tirx

from g2p_build.compiler.kernels.code import Code, Value, constant, load, ramp, tensor
from g2p_build.compiler.kernels.functions import angle, exp, sine

__all__ = ["istft", "stft"]


def _lanes(bins: int) -> int:
    """A vector that holds every frequency; targets with shorter ones split it."""
    return 1 << (bins - 1).bit_length()


def _window(size: int) -> list[float]:
    """Hann's, periodic."""
    return [0.5 - 0.5 * math.cos(2 * math.pi * n / size) for n in range(size)]


def _sum(terms: Sequence[tirx.Expr]) -> tirx.Expr:
    """A sum whose additions wait for each other as little as possible."""
    parts = list(terms)
    while len(parts) > 1:
        parts = [parts[i] + parts[i + 1] if i + 1 < len(parts) else parts[i] for i in range(0, len(parts), 2)]
    return parts[0]


def stft(size: int, hop: int) -> tirx.PrimFunc:
    """The kernel (samples [S], result [F, size + 2]): see `models.kokoro.ops.stft`.

    The loop nest::

        for frame:
          x[n] = window[n] * samples[hop * frame - size / 2 + n]       # mirrored where there is none
          real[b] = sum of x[n] cos(2 pi b n / size), imaginary[b] = -sum of x[n] sin(2 pi b n / size)
          result[frame] = sqrt(real ** 2 + imaginary ** 2), then the angle
    """
    code, bins = Code(), size // 2 + 1
    given, count = tirx.Var("given", "int32"), tirx.Var("count", "int32")
    samples, result = tensor("samples", (given,)), tensor("result", (count, 2 * bins))
    lanes = _lanes(bins)
    window = _window(size)
    real, imaginary, found = code.registers(lanes), code.registers(lanes), code.registers(lanes)
    for register in (real, imaginary):
        code.store(register, constant(0.0, lanes=lanes), ramp(0, lanes))
    with code.loop(count, "frame") as frame:
        heard = []
        for n, factor in enumerate(window):
            place = code.let(frame * hop + (n - size // 2), "place")
            place = tirx.Select(place < 0, constant(0) - place, place)
            place = tirx.Select(place >= given, (given - 1) * 2 - place, place)
            place = tirx.max(tirx.min(place, given - 1), constant(0))
            heard.append(code.let(load(samples, place) * constant(factor)))
        for b in range(bins):
            turn = 2 * math.pi * b / size
            cosines = [math.cos(turn * n) for n in range(size)]
            sines = [-math.sin(turn * n) for n in range(size)]
            code.store(real, _sum([x * constant(by) for x, by in zip(heard, cosines, strict=True)]), b)
            if 0 < b < bins - 1:  # the others are real
                code.store(imaginary, _sum([x * constant(by) for x, by in zip(heard, sines, strict=True)]), b)
        re, im = (code.let(load(register, ramp(0, lanes))) for register in (real, imaginary))
        for part, values in enumerate((tirx.sqrt(re * re + im * im), angle(code, re, im, lanes))):
            code.store(found, values, ramp(0, lanes))
            for b in range(bins):
                code.store(result, load(found, b), frame, part * bins + b)
    return code.kernel(f"stft_{size}_{hop}", [samples, result])


def istft(size: int, hop: int) -> tirx.PrimFunc:
    """The kernel (rows [F, size + 2], result [(F - 1) * hop]): see `models.kokoro.ops.istft`.

    The loop nest::

        result[:] = 0
        for frame:
          magnitude[b] = e ** rows[frame, b], angle[b] = sin rows[frame, bins + b]
          for n: result[hop * frame - size / 2 + n] += window[n] * the inverse transform at n
        for sample: result /= the sum of the squared windows that lie over it
    """
    code, bins = Code(), size // 2 + 1
    count, length = tirx.Var("count", "int32"), tirx.Var("length", "int32")
    rows, result = tensor("rows", (count, 2 * bins)), tensor("result", (length,))
    lanes = _lanes(bins)
    window = _window(size)
    magnitude, turned, real, imaginary = (code.registers(lanes) for _ in range(4))
    squares = code.registers(size)
    for n, factor in enumerate(window):
        code.store(squares, constant(factor * factor), n)
    for register in (magnitude, turned):
        code.store(register, constant(0.0, lanes=lanes), ramp(0, lanes))
    with code.loop(length, "sample") as sample:
        code.store(result, constant(0.0), sample)
    with code.loop(count, "frame") as frame:
        for b in range(bins):
            code.store(magnitude, load(rows, frame, b), b)
            code.store(turned, load(rows, frame, bins + b), b)
        loud = exp(code, load(magnitude, ramp(0, lanes)), lanes)
        phase = sine(code, load(turned, ramp(0, lanes)), lanes)
        code.store(real, loud * sine(code, phase + constant(math.pi / 2, lanes=lanes), lanes), ramp(0, lanes))
        code.store(imaginary, loud * sine(code, phase, lanes), ramp(0, lanes))
        parts = [(code.let(load(real, b)), code.let(load(imaginary, b))) for b in range(bins)]
        for n, factor in enumerate(window):
            terms = []
            for b, (re, im) in enumerate(parts):
                twice = (1.0 if b in (0, bins - 1) else 2.0) * factor / size
                turn = 2 * math.pi * b * n / size
                terms.append(re * constant(twice * math.cos(turn)))
                if 0 < b < bins - 1:
                    terms.append(im * constant(-twice * math.sin(turn)))
            place = code.let(frame * hop + (n - size // 2), "place")
            with code.when(tirx.all(place >= 0, place < length)):
                code.store(result, load(result, place) + _sum(terms), place)
    with code.loop(length, "sample") as sample:
        code.store(result, load(result, sample) / _envelope(sample, squares, size, hop, count), sample)
    return code.kernel(f"istft_{size}_{hop}", [rows, result])


def _envelope(sample: Value, squares: tirx.Buffer, size: int, hop: int, count: tirx.Expr) -> tirx.Expr:
    """The sum of the squared windows over a sample: fewer at the ends."""
    place = sample + size // 2
    last = tirx.floordiv(place, hop)
    within = tirx.floormod(place, hop)
    terms = []
    for back in range(size // hop):
        frame = last - back
        there = tirx.all(frame >= 0, frame < count)
        terms.append(tirx.Select(there, load(squares, within + back * hop), constant(0.0)))
    return _sum(terms)

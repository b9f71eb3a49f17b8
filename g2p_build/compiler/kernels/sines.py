"""The sound of the vocal folds."""

from __future__ import annotations

import math

from tvm import tirx

from g2p_build.compiler.kernels.code import Code, broadcast, constant, load, ramp, segments, tensor
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.compiler.kernels.functions import sine, tanh

__all__ = ["sine_source"]

_VOICED, _SINE, _BREATH, _SILENT = 10.0, 0.1, 0.003, 0.1 / 3  # hertz, and the shares of sines and noise


def sine_source(harmonics: int, samples: int, rate: int, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (f0 [F, 1], noise [H, F * S], weight [H + 1], result [F * S]).

    See `models.kokoro.ops.sine_source`. Phases are counted in turns, modulo 1, in float64. The loop nest::

        for frame:
          turns[h] = (f0[frame] * h / rate modulo 1) * S;  reached[h] += turns[h], modulo 1
          for half of the frame:                  # before its middle and behind it
            for vectors of samples:
              for h:
                phase = reached in the last middle + share * turns to the next one
                mixed += weight[h] * (sin(2 pi phase) or noise)
              result = tanh(mixed + bias)
    """
    code = Code()
    frames, count = tirx.Var("frames", "int32"), tirx.Var("count", "int32")
    f0, noise = tensor("f0", (frames, 1)), tensor("noise", (harmonics, count))
    weight, result = tensor("weight", (harmonics + 1,)), tensor("result", (count,))
    # What each harmonic has reached in this frame's middle and in the last one's, and its turns in this and the next.
    now, last, turns, following = (code.registers(harmonics, "float64") for _ in range(4))
    for register in (now, last, turns, following):
        for h in range(harmonics):
            code.store(register, constant(0.0, "float64"), h)
    half = samples // 2
    with code.loop(frames, "frame") as frame:
        pitch = code.let(load(f0, frame, 0), "pitch")
        then = code.let(load(f0, tirx.min(frame + 1, frames - 1), 0), "then")
        for h in range(harmonics):
            code.store(last, load(now, h), h)
            code.store(turns, _turns(code, pitch, h, samples, rate), h)
            code.store(now, _fraction(code, load(now, h) + load(turns, h)), h)
            code.store(following, _turns(code, then, h, samples, rate), h)
        voiced = code.let(pitch > constant(_VOICED), "voiced")
        loud = code.let(tirx.Select(voiced, constant(_SINE), constant(0.0)), "loud")
        breath = code.let(tirx.Select(voiced, constant(_BREATH), constant(_SILENT)), "breath")
        for later, (start, length) in enumerate(((0, half), (half, samples - half))):
            # Before the first middle and behind the last one, phases stand still.
            still = code.let(frame >= frames - 1 if later else frame < 1, "still")
            bases, steps = [], []
            for h in range(harmonics):
                base = load(now, h) if later else tirx.Select(still, load(now, h), load(last, h))
                step = load(following, h) if later else load(turns, h)
                bases.append(code.let(base, "base"))
                steps.append(code.let(tirx.Select(still, constant(0.0, "float64"), step), "step"))
            offset = 0.5 / samples + (0.5 if not later else -0.5)
            lanes = cpu.lanes
            whole = length // lanes * lanes
            with code.loop(whole // lanes, "j") as j:
                place = (start + j * lanes, lanes)
                _mix(code, noise, weight, result, frame, place, samples, offset, bases, steps, loud, breath)
            for first, fewer in segments(length - whole, lanes):
                place = (constant(start + whole + first), fewer)
                _mix(code, noise, weight, result, frame, place, samples, offset, bases, steps, loud, breath)
    return code.kernel(f"sine_source_{harmonics}_{samples}", [f0, noise, weight, result])


def _turns(code: Code, pitch: tirx.Expr, h: int, samples: int, rate: int) -> tirx.Expr:
    each = code.let(pitch * constant(float(h + 1)) / constant(float(rate)), "each")
    return (each - tirx.floor(each)).astype("float64") * constant(float(samples), "float64")


def _fraction(code: Code, x: tirx.Expr) -> tirx.Expr:
    x = code.let(x)
    return x - tirx.floor(x)


def _mix(
    code: Code,
    noise: tirx.Buffer,
    weight: tirx.Buffer,
    result: tirx.Buffer,
    frame: tirx.Expr,
    place: tuple[tirx.Expr, int],
    samples: int,
    offset: float,
    bases: list[tirx.Expr],
    steps: list[tirx.Expr],
    loud: tirx.Expr,
    breath: tirx.Expr,
) -> None:
    """Writes a vector of samples."""
    first, lanes = place
    double = "float64" if lanes == 1 else f"float64x{lanes}"
    single = double.replace("64", "32", 1)
    order = first if lanes == 1 else tirx.Ramp(first, constant(1), lanes)
    share = code.let(
        order.astype(double) * constant(1.0 / samples, "float64", lanes) + constant(offset, "float64", lanes), "share"
    )
    at = code.let(frame * samples + first, "at")
    mixed = broadcast(load(weight, len(bases)), lanes)
    for h, (base, step) in enumerate(zip(bases, steps, strict=True)):
        phase = _fraction(code, broadcast(base, lanes) + share * broadcast(step, lanes)).astype(single)
        wave = sine(code, phase * constant(2 * math.pi, lanes=lanes), lanes) * broadcast(loud, lanes)
        breathed = broadcast(breath, lanes) * load(noise, h, ramp(at, lanes))
        mixed = code.let(mixed + broadcast(load(weight, h), lanes) * (wave + breathed), "mixed")
    code.store(result, tanh(code, mixed, lanes), ramp(at, lanes))

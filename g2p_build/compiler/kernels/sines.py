"""The sound of the vocal folds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tvm import tirx

from g2p_build.compiler.kernels.code import Code, broadcast, constant, load, ramp, tensor
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
    now, last, turns, following, bases, steps = (code.registers(harmonics, "float64") for _ in range(6))
    overtones = code.registers(harmonics, "float64")  # TVM cannot bound a float that it is told is an integer
    for h in range(harmonics):
        code.store(now, constant(0.0, "float64"), h)
        code.store(overtones, constant(float(h + 1), "float64"), h)
    half = samples // 2
    with code.loop(frames, "frame") as frame:
        pitch = code.let(load(f0, frame, 0), "pitch")
        then = code.let(load(f0, tirx.min(frame + 1, frames - 1), 0), "then")
        with code.loop(harmonics, "h") as h:
            code.store(last, load(now, h), h)
            code.store(turns, _turns(code, pitch.astype("float64") * load(overtones, h), samples, rate), h)
            code.store(now, _fraction(code, load(now, h) + load(turns, h)), h)
            code.store(following, _turns(code, then.astype("float64") * load(overtones, h), samples, rate), h)
        voiced = code.let(pitch > constant(_VOICED), "voiced")
        loud = code.let(tirx.Select(voiced, constant(_SINE), constant(0.0)), "loud")
        breath = code.let(tirx.Select(voiced, constant(_BREATH), constant(_SILENT)), "breath")
        for later, (start, length) in enumerate(((0, half), (half, samples - half))):
            # Before the first middle and behind the last one, phases stand still.
            still = code.let(frame >= frames - 1 if later else frame < 1, "still")
            with code.loop(harmonics, "h") as h:
                base = load(now, h) if later else tirx.Select(still, load(now, h), load(last, h))
                step = load(following, h) if later else load(turns, h)
                code.store(bases, base, h)
                code.store(steps, tirx.Select(still, constant(0.0, "float64"), step), h)
            mix = _Mix(
                code, noise, weight, result, frame, samples, 0.5 / samples + (-0.5 if later else 0.5), bases, steps,
                loud, breath,
            )  # fmt: skip
            whole = length // cpu.lanes * cpu.lanes
            with code.loop(whole // cpu.lanes, "j") as j:
                mix.write(start + j * cpu.lanes, cpu.lanes)
            with code.loop(length - whole, "j") as j:
                mix.write(start + whole + j, 1)
    return code.kernel(f"sine_source_{harmonics}_{samples}", [f0, noise, weight, result])


def _turns(code: Code, pitch: tirx.Expr, samples: int, rate: int) -> tirx.Expr:
    each = code.let(pitch / constant(float(rate), "float64"), "each")
    return (each - tirx.floor(each)) * constant(float(samples), "float64")


def _fraction(code: Code, x: tirx.Expr) -> tirx.Expr:
    x = code.let(x)
    return x - tirx.floor(x)


@dataclass(frozen=True)
class _Mix:
    """Writes samples of half a frame."""

    code: Code
    noise: tirx.Buffer
    weight: tirx.Buffer
    result: tirx.Buffer
    frame: tirx.Expr
    samples: int
    offset: float  # from a sample's share of the frame to its share of the way between two middles
    bases: tirx.Buffer
    steps: tirx.Buffer
    loud: tirx.Expr
    breath: tirx.Expr

    def write(self, first: tirx.Expr, lanes: int) -> None:
        """Writes a vector of samples."""
        code = self.code
        harmonics = int(self.noise.shape[0])
        double = "float64" if lanes == 1 else f"float64x{lanes}"
        single = double.replace("64", "32", 1)
        order = first if lanes == 1 else tirx.Ramp(first, constant(1), lanes)
        part = order.astype(double) * constant(1.0 / self.samples, "float64", lanes)
        share = code.let(part + constant(self.offset, "float64", lanes), "share")
        at = code.let(self.frame * self.samples + first, "at")
        mixed = code.registers(lanes)
        code.store(mixed, broadcast(load(self.weight, harmonics), lanes), ramp(0, lanes))
        with code.loop(harmonics, "h") as h:
            turned = broadcast(load(self.bases, h), lanes) + share * broadcast(load(self.steps, h), lanes)
            phase = _fraction(code, turned).astype(single)
            wave = sine(code, phase * constant(2 * math.pi, lanes=lanes), lanes) * broadcast(self.loud, lanes)
            both = wave + broadcast(self.breath, lanes) * load(self.noise, h, ramp(at, lanes))
            total = load(mixed, ramp(0, lanes)) + broadcast(load(self.weight, h), lanes) * both
            code.store(mixed, total, ramp(0, lanes))
        code.store(self.result, tanh(code, load(mixed, ramp(0, lanes)), lanes), ramp(at, lanes))

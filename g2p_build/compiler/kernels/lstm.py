"""An LSTM in both directions."""

from __future__ import annotations

from tvm import tirx

from g2p_build.compiler.kernels.code import PART, PARTS, Code, broadcast, constant, load, ramp, tensor
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.compiler.kernels.functions import sigmoid, tanh
from g2p_build.models.layout import UNITS

__all__ = ["lstm"]

_GATES = 4


def lstm(units: int, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (gates [L, 8 * H], recurrent [2, H / 16, H, 64], part, result [L, 2 * H], cell [2, H]).

    All are float32. Products of the inputs are in the gates already, so each moment needs only those of the last
    output. The loop nest::

        for direction, if it is in the part:
          for moment, from the first or from the last:
            for vectors of units, a few at a time:
              sums[gate, units] = gates[moment]                      # in registers
              for k: sums[gate, units] += result[last moment, k] * recurrent[k, gate, units]
              cell = sigmoid(forget) * cell + sigmoid(input) * tanh(new)
              result[moment, units] = sigmoid(output) * tanh(cell)
    """
    code, count = Code(), tirx.Var("count", "int32")
    gates, result = tensor("gates", (count, 2 * _GATES * units)), tensor("result", (count, 2 * units))
    recurrent = tensor("recurrent", (2, units // UNITS, units, _GATES * UNITS))
    cell, part = tensor("cell", (2, units)), tensor(PART, (2,), "int32")
    lanes = min(cpu.lanes, UNITS)
    vectors = units // lanes
    at_once = max(
        size for size in (1, 2, 4) if size == 1 or (size * _GATES <= cpu.accumulators and vectors % size == 0)
    )
    per_block = UNITS // lanes
    with code.parts(part, 2) as direction, code.loop(count, "number") as number:
        moment = code.let(tirx.Select(direction < 1, number, count - 1 - number), "moment")
        last = code.let(tirx.Select(direction < 1, moment - 1, moment + 1), "last")
        with code.loop(vectors // at_once, "group") as group:
            sums = code.registers(at_once * _GATES * lanes)
            places = []  # of each vector: its block of units, and where it is in the block
            for v in range(at_once):
                vector = code.let(group * at_once + v, "vector")
                block = code.let(tirx.floordiv(vector, per_block), "block")
                within = code.let(tirx.floormod(vector, per_block) * lanes, "within")
                places.append((vector, block, within))
                for gate in range(_GATES):
                    column = direction * (_GATES * units) + block * (_GATES * UNITS) + gate * UNITS + within
                    given = load(gates, moment, ramp(column, lanes))
                    code.store(sums, given, ramp((v * _GATES + gate) * lanes, lanes))
            with code.when(number > 0), code.loop(units, "k") as k:
                x = code.let(broadcast(load(result, last, direction * units + k), lanes))
                for v, (_, block, within) in enumerate(places):
                    for gate in range(_GATES):
                        place = ramp((v * _GATES + gate) * lanes, lanes)
                        w = load(recurrent, direction, block, k, ramp(gate * UNITS + within, lanes))
                        code.store(sums, load(sums, place) + x * w, place)
            for v, (vector, _, _) in enumerate(places):
                taken, kept, new, shown = (
                    load(sums, ramp((v * _GATES + gate) * lanes, lanes)) for gate in range(_GATES)
                )
                place = ramp(vector * lanes, lanes)
                before = tirx.Select(
                    broadcast(number > 0, lanes), load(cell, direction, place), constant(0.0, lanes=lanes)
                )
                now = sigmoid(code, kept, lanes) * before + sigmoid(code, taken, lanes) * tanh(code, new, lanes)
                now = code.let(now)
                code.store(cell, now, direction, place)
                said = sigmoid(code, shown, lanes) * tanh(code, now, lanes)
                code.store(result, said, moment, ramp(direction * units + vector * lanes, lanes))
    kernel = code.kernel(f"lstm_{units}", [gates, recurrent, part, result, cell])
    return kernel.with_attr(PARTS, ["", 2])

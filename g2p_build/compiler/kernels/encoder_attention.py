"""The encoder's self-attention."""

from __future__ import annotations

from tvm import tirx

from g2p_build.compiler.kernels.attention import Head, attend
from g2p_build.compiler.kernels.code import Code, inputs, load, tensor
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.models.layout import POSITIONS

__all__ = ["encoder_attention", "queries"]


def queries(width: int, cpu: Cpu) -> int:
    """How many queries a tile has: a power of two, at most 4. Their sums of values fit the registers."""
    vectors = -(-width // cpu.lanes)
    return max(size for size in (1, 2, 4) if size == 1 or size * min(vectors, 4) <= cpu.accumulators)


def encoder_attention(heads: int, width: int, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel of a layer's attention, for a whole batch.

    It takes query_key_value [M, 3 * I], packed; bias [H, distances]; length int32 [B]; result [M, I]; and scratch
    memory, keys [dk, padded] and scores [`queries`, padded]. All but length are float32.

    The loop nest::

        for row of the batch, head:
          keys[d, j] = the head's keys, transposed
          for tile of the row's queries:            # `queries` of them; what is left over one by one
            `attend` over the row's length
    """
    code, inner = Code(), heads * width
    count, batch, distances, positions = (tirx.Var(name, "int32") for name in ("rows", "batch", "distances", "padded"))
    packed, length = tensor("query_key_value", (count, 3 * inner)), tensor("length", (batch,), "int32")
    bias, result = tensor("bias", (heads, distances)), tensor("result", (count, inner))
    tile = queries(width, cpu)
    keys, scores = tensor("keys", (width, positions)), tensor("scores", (tile, positions))
    nearest = code.let(tirx.floordiv(distances - POSITIONS, 2), "nearest")  # the distance 0
    with inputs(code, length, batch, count, nearest + 1) as (_, first, seen), code.loop(heads, "h") as h:
        column = code.let(h * width, "column")
        with code.loop(seen, "j") as j, code.loop(width, "d") as d:
            code.store(keys, load(packed, first + j, column + d + inner), d, j)
        head = Head(
            width,
            query=lambda i, d: (packed, [first + i, column + d]),
            key=lambda start, d: (keys, [d, start]),
            value=lambda j: (packed, [first + j], column + 2 * inner),
            bias=lambda i: (bias, [h], nearest - i),
            output=lambda i: (result, [first + i], column),
        )
        with code.loop(tirx.floordiv(seen, tile), "tile") as i:
            attend(code, cpu, head, [i * tile + number for number in range(tile)], seen, scores)
        if tile > 1:
            with code.loop(tirx.floormod(seen, tile), "i") as i:
                attend(code, cpu, head, [code.let(tirx.floordiv(seen, tile) * tile + i, "query")], seen, scores)
    return code.kernel(f"encoder_attention_{heads}_{width}", [packed, bias, length, result, keys, scores])

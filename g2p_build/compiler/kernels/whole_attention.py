"""Self-attention over all rows of one input."""

from __future__ import annotations

from tvm import tirx

from g2p_build.compiler.kernels.attention import Head, attend
from g2p_build.compiler.kernels.code import PART, PARTS, Code, load, tensor
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.compiler.kernels.encoder_attention import queries

__all__ = ["whole_attention"]


def whole_attention(heads: int, width: int, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (query_key_value [L, 3 * I], part, result [L, I], keys [I, L + 15], scores [H * tile, L + 15]).

    A tile has `queries`.
    All are float32. The loop nest::

        for head, if it is in the part:
          keys[d, j] = the head's keys, transposed
          for tile of queries:                      # `queries` of them; what is left over one by one
            `attend` over all rows
    """
    code, inner = Code(), heads * width
    count, positions = tirx.Var("count", "int32"), tirx.Var("positions", "int32")
    packed, result = tensor("query_key_value", (count, 3 * inner)), tensor("result", (count, inner))
    tile = queries(width, cpu)
    keys, scores = tensor("keys", (inner, positions)), tensor("scores", (heads * tile, positions))
    part = tensor(PART, (2,), "int32")
    with code.parts(part, heads) as h:
        column = code.let(h * width, "column")
        with code.loop(count, "j") as j, code.loop(width, "d") as d:
            code.store(keys, load(packed, j, column + d + inner), column + d, j)
        head = Head(
            width,
            query=lambda i, d: (packed, [i, column + d]),
            key=lambda start, d: (keys, [column + d, start]),
            value=lambda j: (packed, [j], column + 2 * inner),
            bias=None,
            output=lambda i: (result, [i], column),
        )
        with code.loop(tirx.floordiv(count, tile), "tile") as i:
            attend(code, cpu, head, [i * tile + number for number in range(tile)], count, scores, h * tile)
        if tile > 1:
            with code.loop(tirx.floormod(count, tile), "i") as i:
                attend(
                    code, cpu, head, [code.let(tirx.floordiv(count, tile) * tile + i, "query")], count, scores, h * tile
                )
    kernel = code.kernel(f"whole_attention_{heads}_{width}", [packed, part, result, keys, scores])
    return kernel.with_attr(PARTS, ["", heads])

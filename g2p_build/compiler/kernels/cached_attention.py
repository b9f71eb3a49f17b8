"""The decoder's attention, over cached keys and values. Tensors are float32 if nothing else is said."""

from __future__ import annotations

from tvm import tirx

from g2p_build.compiler.kernels.attention import Head, attend
from g2p_build.compiler.kernels.code import Code, Value, constant, inputs, load, ramp, segments, tensor
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.models.layout import POSITIONS

__all__ = ["cross_attention", "self_attention", "write_cross"]


def _keys(batch: Value, heads: int, blocks: Value, width: int) -> tirx.Buffer:
    return tensor("key", (batch, heads, blocks, width, POSITIONS))


def _place(position: Value, d: Value) -> list[Value]:
    """The last indices of a head's key. Positions are in blocks, so that all earlier keys lie together."""
    return [tirx.floordiv(position, POSITIONS), d, tirx.floormod(position, POSITIONS)]


def self_attention(heads: int, width: int, length: int, buckets: int, dtype: str, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel that writes new tokens' keys and values into a cache, and attends to the cache.

    It takes query_key_value [B * Q, 3 * I]; position int32 [B]; bucket int32 [T]; table [buckets, H] of `dtype`;
    key [B, H, T / 16, dk, 16]; value [B, H, T, dk]; result [B * Q, I]; and scratch memory [2, padded].

    The loop nest::

        for row of the batch, head:
          for new token inside the cache:
            key[position + token, :], value[position + token, :] = the token's own
          for new token:
            seen = position + token + 1
            bias[j] = table[bucket[seen - 1 - j], head] for j < seen
            `attend` over the first `seen` positions

    The caches are written in place. They are read up to the token's own position and no further.
    """
    code, inner = Code(), heads * width
    count, batch, blocks, padded = (tirx.Var(name, "int32") for name in ("rows", "batch", "blocks", "padded"))
    packed, position = tensor("query_key_value", (count, 3 * inner)), tensor("position", (batch,), "int32")
    bucket, table = tensor("bucket", (length,), "int32"), tensor("table", (buckets, heads), dtype)
    key, value = _keys(batch, heads, blocks, width), tensor("value", (batch, heads, length, width))
    result, scores = tensor("result", (count, inner)), tensor("scores", (2, padded))
    tokens = code.let(tirx.floordiv(count, batch), "tokens")
    with code.loop(batch, "b") as b:
        start, first = code.let(load(position, b), "start"), code.let(b * tokens, "first")
        with code.loop(heads, "h") as h:
            column = code.let(h * width, "column")
            with code.loop(tokens, "t") as t:
                at = code.let(start + t, "at")
                with code.when(tirx.all(at >= 0, at < length)):
                    with code.loop(width, "d") as d:
                        code.store(key, load(packed, first + t, column + d + inner), b, h, *_place(at, d))
                    for d, lanes in segments(width, cpu.lanes):
                        new = load(packed, first + t, ramp(column + d + 2 * inner, lanes))
                        code.store(value, new, b, h, at, ramp(d, lanes))
            head = Head(
                width,
                query=lambda i, d: (packed, [first + i, column + d]),
                key=lambda start, d: (key, [b, h, *_place(start, d)]),
                value=lambda j: (value, [b, h, j], 0),
                bias=lambda i: (scores, [1], 0),
                output=lambda i: (result, [first + i], column),
            )
            with code.loop(tokens, "t") as t:
                seen = code.let(tirx.max(tirx.min(start + t + 1, constant(length)), constant(1)), "seen")
                with code.loop(seen, "j") as j:
                    code.store(scores, load(table, load(bucket, seen - 1 - j), h), 1, j)
                attend(code, cpu, head, [t], seen, scores)
    params = [packed, position, bucket, table, key, value, result, scores]
    return code.kernel(f"self_attention_{heads}_{width}", params)


def cross_attention(heads: int, width: int, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel of cross-attention.

    It takes query [B * Q, I]; length int32 [B]; key [B, H, L / 16, dk, 16]; value [B, H, L, dk]; result [B * Q, I]; and
    scratch memory [1, padded].

    The loop nest::

        for row of the batch, head, token:
          `attend` over the row's length
    """
    code, inner = Code(), heads * width
    names = ("rows", "batch", "positions", "blocks", "padded")
    count, batch, positions, blocks, padded = (tirx.Var(name, "int32") for name in names)
    query, length = tensor("query", (count, inner)), tensor("length", (batch,), "int32")
    key, value = _keys(batch, heads, blocks, width), tensor("value", (batch, heads, positions, width))
    result, scores = tensor("result", (count, inner)), tensor("scores", (1, padded))
    tokens = code.let(tirx.floordiv(count, batch), "tokens")
    with code.loop(batch, "b") as b:
        seen = code.let(tirx.max(tirx.min(load(length, b), positions), constant(1)), "seen")
        first = code.let(b * tokens, "first")
        with code.loop(heads, "h") as h:
            column = code.let(h * width, "column")
            head = Head(
                width,
                query=lambda i, d: (query, [first + i, column + d]),
                key=lambda start, d: (key, [b, h, *_place(start, d)]),
                value=lambda j: (value, [b, h, j], 0),
                bias=None,
                output=lambda i: (result, [first + i], column),
            )
            with code.loop(tokens, "t") as t:
                attend(code, cpu, head, [t], seen, scores)
    return code.kernel(f"cross_attention_{heads}_{width}", [query, length, key, value, result, scores])


def write_cross(heads: int, width: int, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel that writes the encoder's keys and values into a cache.

    It takes key_value [M, 2 * I], packed; length int32 [B]; key [B, H, at least L / 16, dk, 16]; value [B, H, L, dk].

    The loop nest::

        for row of the batch, head, position of the row:
          key[row, head, position, :] = key_value[the row's first + position, head's keys]
          value[row, head, position, :] = key_value[the row's first + position, head's values]
    """
    code, inner = Code(), heads * width
    count, batch, positions, blocks = (tirx.Var(name, "int32") for name in ("rows", "batch", "positions", "blocks"))
    packed, length = tensor("key_value", (count, 2 * inner)), tensor("length", (batch,), "int32")
    key, value = _keys(batch, heads, blocks, width), tensor("value", (batch, heads, positions, width))
    with (
        inputs(code, length, batch, count, positions) as (b, first, seen),
        code.loop(heads, "h") as h,
        code.loop(seen, "position") as position,
    ):
        row, column = code.let(first + position, "row"), code.let(h * width, "column")
        with code.loop(width, "d") as d:
            code.store(key, load(packed, row, column + d), b, h, *_place(position, d))
        for d, lanes in segments(width, cpu.lanes):
            code.store(value, load(packed, row, ramp(column + inner + d, lanes)), b, h, position, ramp(d, lanes))
    return code.kernel(f"write_cross_{heads}_{width}", [packed, length, key, value])

"""Attention becomes one kernel a layer.

A functional update would copy a whole cache for every token. These kernels write new positions into the cache that they
are given, and that cache is their result. Their scratch memory is a result that nothing reads, so that it is planned
with all other memory.
"""

from __future__ import annotations

from tvm import relax

from g2p_build.compiler.kernels.cached_attention import cross_attention, self_attention, write_cross
from g2p_build.compiler.kernels.cpu import cpu_of
from g2p_build.compiler.kernels.encoder_attention import encoder_attention, queries
from g2p_build.compiler.rewrites.calls import Kernels, extents, float32, type_extents
from g2p_build.models.layout import POSITIONS, padded

__all__ = ["lower_attend_cross", "lower_attend_encoder", "lower_attend_self", "lower_write_cross"]


def lower_attend_encoder(kernels: Kernels, call: relax.Call) -> relax.Expr:
    """``attend_encoder(query_key_value, bias, length)``."""
    packed, bias, length = call.args[1]
    (_, columns), (heads, distances) = extents(packed), extents(bias)
    width, positions = columns // 3 // heads, padded((distances - POSITIONS) // 2 + 1)
    cpu = cpu_of(kernels.target)
    scratch = [float32(width, positions), float32(queries(width, cpu), positions)]
    called = kernels.call(
        lambda: encoder_attention(heads, width, cpu),
        ("attend_encoder", heads, width),
        [packed, bias, length],
        [call.ty, *scratch],
    )
    return relax.TupleGetItem(kernels.builder.emit(called), 0)


def lower_attend_self(kernels: Kernels, call: relax.Call) -> relax.Expr:
    """``attend_self(query_key_value, position, buckets, table[, key, value])``."""
    packed, position, bucket, table, *cache = call.args[1]
    attended, keys, value = call.ty.fields
    _, heads, length, width = type_extents(value)
    rows, dtype = extents(table)[0], str(table.ty.dtype)
    fresh = [attended, float32(2, padded(length))]
    called = kernels.call(
        lambda: self_attention(heads, width, length, rows, dtype, cpu_of(kernels.target)),
        ("attend_self", heads, width, length, rows, dtype),
        [packed, position, bucket, table, *cache],
        [*fresh, keys, value] if cache else [keys, value, *fresh],
        in_place=[4, 5] if cache else [],
    )
    results = kernels.builder.emit(called)
    return relax.Tuple([relax.TupleGetItem(results, index) for index in ((0, 2, 3) if cache else (2, 0, 1))])


def lower_attend_cross(kernels: Kernels, call: relax.Call) -> relax.Expr:
    """``attend_cross(query, length, key, value)``."""
    query, length, keys, value = call.args[1]
    _, heads, positions, width = extents(value)
    called = kernels.call(
        lambda: cross_attention(heads, width, cpu_of(kernels.target)),
        ("attend_cross", heads, width),
        [query, length, keys, value],
        [call.ty, float32(1, padded(positions))],
    )
    return relax.TupleGetItem(kernels.builder.emit(called), 0)


def lower_write_cross(kernels: Kernels, call: relax.Call) -> relax.Expr:
    """``write_cross(key_value, length, heads[, key, value])``."""
    packed, length, _, *cache = call.args[1]
    keys, value = call.ty.fields
    _, heads, _, width = type_extents(value)
    return kernels.call(
        lambda: write_cross(heads, width, cpu_of(kernels.target)),
        ("write_cross", heads, width),
        [packed, length, *cache],
        [keys, value],
        in_place=[2, 3] if cache else [],
    )

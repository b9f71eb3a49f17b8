"""Attention becomes one kernel a layer, which writes caches where they are."""

from __future__ import annotations

import tvm
from tvm import relax

from g2p_build.compiler.kernels.cached_attention import cross_attention, self_attention, write_cross
from g2p_build.compiler.kernels.encoder_attention import encoder_attention, queries
from g2p_build.compiler.passes.lowering import Kernels, extents, float32, lower, type_extents
from g2p_build.models.layout import POSITIONS, padded

__all__ = ["LowerAttention"]


@tvm.transform.module_pass(opt_level=0, name="LowerAttention")
class LowerAttention:
    """Replaces `attend_encoder`, `attend_self`, `attend_cross` and `write_cross` of `g2p_build.models.ops`.

    A functional update would copy a whole cache for every token; the kernels write new positions into the cache that
    they are given, and give it back as their result. Their scratch memory is a result that nothing reads, so that it is
    planned with all other memory.
    """

    def transform_module(self, module: tvm.IRModule, _: tvm.transform.PassContext) -> tvm.IRModule:
        rewrites = {
            "attend_encoder": _attend_encoder,
            "attend_self": _attend_self,
            "attend_cross": _attend_cross,
            "write_cross": _write_cross,
        }
        return lower(module, rewrites)


def _attend_encoder(kernels: Kernels, call: relax.Call) -> relax.Expr:
    packed, bias, length = call.args[1]
    (_, columns), (heads, distances) = extents(packed), extents(bias)
    width, positions = columns // 3 // heads, padded((distances - POSITIONS) // 2 + 1)
    scratch = [float32(width, positions), float32(queries(width, kernels.cpu), positions)]
    key = ("attend_encoder", heads, width)
    called = kernels.call(
        lambda: encoder_attention(heads, width, kernels.cpu), key, [packed, bias, length], [call.ty, *scratch]
    )
    return relax.TupleGetItem(kernels.builder.emit(called), 0)


def _attend_self(kernels: Kernels, call: relax.Call) -> relax.Expr:
    packed, position, bucket, table, *cache = call.args[1]
    attended, keys, value = call.ty.fields
    _, heads, length, width = type_extents(value)
    rows, dtype = extents(table)[0], str(table.ty.dtype)
    key = ("attend_self", heads, width, length, rows, dtype)
    fresh = [attended, float32(2, padded(length))]
    called = kernels.call(
        lambda: self_attention(heads, width, length, rows, dtype, kernels.cpu),
        key,
        [packed, position, bucket, table, *cache],
        [*fresh, keys, value] if cache else [keys, value, *fresh],
        in_place=[4, 5] if cache else [],
    )
    results = kernels.builder.emit(called)
    return relax.Tuple([relax.TupleGetItem(results, index) for index in ((0, 2, 3) if cache else (2, 0, 1))])


def _attend_cross(kernels: Kernels, call: relax.Call) -> relax.Expr:
    query, length, keys, value = call.args[1]
    _, heads, positions, width = extents(value)
    key = ("attend_cross", heads, width)
    called = kernels.call(
        lambda: cross_attention(heads, width, kernels.cpu),
        key,
        [query, length, keys, value],
        [call.ty, float32(1, padded(positions))],
    )
    return relax.TupleGetItem(kernels.builder.emit(called), 0)


def _write_cross(kernels: Kernels, call: relax.Call) -> relax.Expr:
    packed, length, _, *cache = call.args[1]
    keys, value = call.ty.fields
    _, heads, _, width = type_extents(value)
    key = ("write_cross", heads, width)
    return kernels.call(
        lambda: write_cross(heads, width, kernels.cpu),
        key,
        [packed, length, *cache],
        [keys, value],
        in_place=[2, 3] if cache else [],
    )

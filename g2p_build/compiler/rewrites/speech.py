"""The operations of `g2p_build.models.kokoro.ops` become kernels. Scratch memory is a result that nothing reads."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

import numpy as np
from tvm import relax, tirx

from g2p_build.compiler.kernels import column_norm, lstm, rows, sines, spectrum
from g2p_build.compiler.kernels.convolution import Convolution, convolution
from g2p_build.compiler.kernels.cpu import cpu_of
from g2p_build.compiler.kernels.encoder_attention import queries
from g2p_build.compiler.kernels.fast_convolution import MANY, FastConvolution, fast_convolution, fast_filter, fits
from g2p_build.compiler.kernels.whole_attention import whole_attention
from g2p_build.compiler.linear import linear
from g2p_build.compiler.rewrites.calls import Kernels, Rewrite, arguments, extents, float32, numbers
from g2p_build.models.layout import PANEL

__all__ = ["SPEECH"]


_RESIDUAL = 16  # its place among a convolution's arguments


def _convolve(kernels: Kernels, call: relax.Call) -> relax.Expr:
    (
        given,
        weight,
        bias,
        columns,
        taps,
        dilation,
        stride,
        before,
        after,
        read,
        slope,
        activation,
        repeat,
        factor,
        *more,
    ) = arguments(call)
    norm, alpha, residual, scale = (*more, None, None, None, None)[:4]
    (count, inner), cpu, dtype = extents(given), cpu_of(kernels.target), str(weight.ty.dtype)
    added = "" if residual is None else "apart"
    if residual is not None and repeat == 1 and _RESIDUAL in kernels.dying:
        added = "in place"
    spec = Convolution(
        inner, taps, dilation, stride, before, read, norm is not None, slope, activation, added, repeat, factor
    )
    # The rows stand for what there is not.
    matrices = [given if matrix is None else matrix for matrix in (norm, alpha, residual)]
    if any(each >= MANY for _, each in linear(count).each) and fits(spec, columns, after):
        fast = FastConvolution(inner, columns, taps, dilation, added)
        return _fast_convolve(kernels, call, fast, given, weight, scale, bias, matrices, residual)
    weights = [weight, bias] if scale is None else [weight, bias, scale]
    tensors = [given, *weights, *matrices, _everything(), numbers(*spec.numbers(cpu))]
    scratch = float32(spec.scratch_rows(cpu), inner)
    place = residual if added == "in place" else None
    return _into(kernels, lambda: convolution(dtype, cpu), ("convolution", dtype), tensors, call.ty, scratch, place)


def _fast_convolve(
    kernels: Kernels,
    call: relax.Call,
    spec: FastConvolution,
    given: relax.Expr,
    weight: relax.Expr,
    scale: relax.Expr | None,
    bias: relax.Expr,
    matrices: Sequence[relax.Expr],
    residual: relax.Expr | None,
) -> relax.Expr:
    """The calls of a fast convolution, for one share of the panels after the other.

    The sums of a filter are made in every call of a program, so that the weights' file stays small.
    """
    cpu, dtype, filters = cpu_of(kernels.target), str(weight.ty.dtype), [weight] if scale is None else [weight, scale]
    sums = float32(spec.columns // PANEL // spec.shares, spec.scheme.products * spec.inner, PANEL)
    place = residual if spec.added == "in place" else None
    for share in range(spec.shares):
        made = kernels.call(
            lambda: fast_filter(spec.taps, dtype, cpu),
            ("fast_filter", spec.taps, dtype),
            [*filters, _everything(), numbers(*spec.filter_numbers(share))],
            [sums],
        )
        told = numbers(*spec.numbers(cpu, share))
        tensors = [given, kernels.builder.emit(made), bias, *matrices, _everything(), told]
        scratch = float32(spec.scratch(cpu))
        made = _into(kernels, lambda: fast_convolution(cpu), "fast_convolution", tensors, call.ty, scratch, place)
        place = kernels.builder.emit(made)
    assert place is not None
    return place


def _into(
    kernels: Kernels,
    make: Callable[[], tirx.PrimFunc],
    key: Hashable,
    tensors: Sequence[relax.Expr],
    kind: relax.TensorType,
    scratch: relax.TensorType,
    place: relax.Expr | None,
) -> relax.Expr:
    """The result of a kernel with scratch memory: in the place of a tensor, or in memory of its own."""
    if place is None:
        return _first(kernels, kernels.call(make, key, tensors, [kind, scratch]))
    # What is written in place is not read besides.
    others = [tensors[0] if tensor.same_as(place) else tensor for tensor in tensors]
    made = kernels.call(make, key, [*others, place], [scratch, kind], [len(others)])
    return relax.TupleGetItem(kernels.builder.emit(made), 1)


def _channel_norm(kernels: Kernels, call: relax.Call) -> relax.Expr:
    given, affine, epsilon = arguments(call)
    cpu = cpu_of(kernels.target)
    return kernels.call(
        lambda: column_norm.channel_norm(epsilon, cpu),
        ("channel_norm", epsilon),
        [given, affine, _everything(), numbers(column_norm.columns_at_once(cpu))],
        [call.ty],
    )


def _affine_norm(kernels: Kernels, call: relax.Call) -> relax.Expr:
    given, affine, epsilon, slope, *residual = arguments(call)
    added = residual[0] if residual else None
    key = (extents(given)[1], epsilon, slope, added is not None)
    tensors = [tensor for tensor in (given, affine, added) if tensor is not None]
    return kernels.call(
        lambda: column_norm.affine_norm(*key, cpu_of(kernels.target)), ("affine_norm", *key), tensors, [call.ty]
    )


def _attend(kernels: Kernels, call: relax.Call) -> relax.Expr:
    packed, heads = arguments(call)
    count, columns = extents(packed)
    width, cpu = columns // 3 // heads, cpu_of(kernels.target)
    scratch = [float32(heads * width, count + 15), float32(heads * queries(width, cpu), count + 15)]
    made = kernels.call(
        lambda: whole_attention(heads, width, cpu),
        ("attend", heads, width),
        [packed, _everything()],
        [call.ty, *scratch],
    )
    return _first(kernels, made)


def _embed_places(kernels: Kernels, call: relax.Call) -> relax.Expr:
    ids, table, places = arguments(call)
    (vocabulary, width), most = extents(table), extents(places)[0]
    key = (vocabulary, width, most)
    return kernels.call(
        lambda: rows.embed_places(vocabulary, width, most, cpu_of(kernels.target)),
        ("embed_places", *key),
        [ids, table, places],
        [call.ty],
    )


def _gather(kernels: Kernels, call: relax.Call) -> relax.Expr:
    given, places = arguments(call)
    width = extents(given)[1]
    return kernels.call(
        lambda: rows.gather(width, cpu_of(kernels.target)), ("gather", width), [given, places], [call.ty]
    )


def _join(kernels: Kernels, call: relax.Call) -> relax.Expr:
    parts = [part for part in arguments(call) if part is not None]
    widths = tuple(extents(part)[1] for part in parts)
    single = tuple(isinstance(extents(part)[0], int) and extents(part)[0] == 1 for part in parts)
    return kernels.call(
        lambda: rows.join(widths, single, cpu_of(kernels.target)), ("join", widths, single), parts, [call.ty]
    )


def _lstm(kernels: Kernels, call: relax.Call) -> relax.Expr:
    gates, recurrent = arguments(call)
    units = extents(recurrent)[2]
    made = kernels.call(
        lambda: lstm.lstm(units, cpu_of(kernels.target)),
        ("lstm", units),
        [gates, recurrent, _everything()],
        [call.ty, float32(2, units)],
    )
    return _first(kernels, made)


def _add(kernels: Kernels, call: relax.Call) -> relax.Expr:
    first, second, factor = arguments(call)
    width, dies = extents(first)[1], 0 in kernels.dying
    return kernels.call(
        lambda: rows.add(width, factor, dies, cpu_of(kernels.target)),
        ("add", width, factor, dies),
        [first, second],
        [call.ty],
        [0] if dies else [],
    )


def _pool(kernels: Kernels, call: relax.Call) -> relax.Expr:
    given, norm, weight, bias, slope = arguments(call)
    key = (extents(given)[1], slope)
    return kernels.call(
        lambda: rows.pool(*key, cpu_of(kernels.target)), ("pool", *key), [given, norm, weight, bias], [call.ty]
    )


def _crop_add(kernels: Kernels, call: relax.Call) -> relax.Expr:
    given, added, first, reflected = arguments(call)
    width, dies = extents(given)[1], 1 in kernels.dying
    return kernels.call(
        lambda: rows.crop_add(width, first, reflected, dies, cpu_of(kernels.target)),
        ("crop_add", width, first, reflected, dies),
        [given, added],
        [call.ty],
        [1] if dies else [],
    )


def _sigmoid_sum(kernels: Kernels, call: relax.Call) -> relax.Expr:
    [given] = arguments(call)
    width = extents(given)[1]
    return kernels.call(
        lambda: column_norm.sigmoid_sum(width, cpu_of(kernels.target)), ("sigmoid_sum", width), [given], [call.ty]
    )


def _sine_source(kernels: Kernels, call: relax.Call) -> relax.Expr:
    f0, noise, weight, rate = arguments(call)
    harmonics, frames = extents(noise)[0], extents(f0)[0]
    samples = _times(extents(noise)[1], frames)
    return kernels.call(
        lambda: sines.sine_source(harmonics, samples, rate, cpu_of(kernels.target)),
        ("sine_source", harmonics, samples, rate),
        [f0, noise, weight],
        [call.ty],
    )


def _stft(kernels: Kernels, call: relax.Call) -> relax.Expr:
    samples, size, hop = arguments(call)
    return kernels.call(lambda: spectrum.stft(size, hop), ("stft", size, hop), [samples], [call.ty])


def _istft(kernels: Kernels, call: relax.Call) -> relax.Expr:
    given, size, hop = arguments(call)
    return kernels.call(lambda: spectrum.istft(size, hop), ("istft", size, hop), [given], [call.ty])


def _everything() -> relax.Expr:
    """All parts of a kernel's work. C that is written for threads passes others."""
    return relax.const(np.array([0, np.iinfo(np.int32).max], np.int32))


def _first(kernels: Kernels, call: relax.Call) -> relax.Expr:
    return relax.TupleGetItem(kernels.builder.emit(call), 0)


def _times(many: object, one: object) -> int:
    """How many times one extent is in another."""
    ours, theirs = linear(many), linear(one)
    if ours.each:
        return ours.each[0][1] // theirs.each[0][1]
    return ours.constant // theirs.constant


SPEECH: Mapping[str, Rewrite] = {
    "add": _add,
    "affine_norm": _affine_norm,
    "attend": _attend,
    "channel_norm": _channel_norm,
    "convolve": _convolve,
    "crop_add": _crop_add,
    "embed_places": _embed_places,
    "gather": _gather,
    "istft": _istft,
    "join": _join,
    "lstm": _lstm,
    "pool": _pool,
    "sigmoid_sum": _sigmoid_sum,
    "sine_source": _sine_source,
    "stft": _stft,
}

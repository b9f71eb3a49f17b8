"""The operations that Kokoro's programs are made of. The compiler has kernels for each.

The implementations here are plain torch. They say what the kernels compute, and only tests run them. Tensors are
float32 unless said otherwise. Sounds and features lie in rows, one for each moment: [M, C], and nothing has a batch.

A filter is a linear weight of `layout.pack_columns`: taps one after the other, each with its C input columns.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from g2p_build.models.layout import UNITS, unpack_columns

__all__ = [
    "add",
    "affine_norm",
    "attend",
    "channel_norm",
    "convolve",
    "crop_add",
    "embed_places",
    "gather",
    "istft",
    "join",
    "lstm",
    "pool",
    "sigmoid_sum",
    "sine_source",
    "stft",
]

SILENT = 10.0
"""Hertz. F0 up to this is of no voice."""


@torch.library.custom_op("g2p::convolve", mutates_args=())
def convolve(
    rows: Tensor,
    weight: Tensor,
    bias: Tensor,
    columns: int,
    taps: int,
    dilation: int,
    stride: int,
    before: int,
    after: int,
    read: str,
    slope: float,
    activation: str,
    repeat: int,
    factor: float,
    norm: Tensor | None = None,
    alpha: Tensor | None = None,
    residual: Tensor | None = None,
    scale: Tensor | None = None,
) -> Tensor:
    """``(activation(convolution of read(rows * norm[0] + norm[1])) + residual) * factor``.

    Args:
        rows: [M, C].
        weight: Panels [P, taps * C, 32], float32, float16, bfloat16, or int8 with a scale.
        bias: [N].
        columns: N, the columns of the result.
        taps: Of the filter. With one, this is a linear layer.
        dilation: Rows from one tap to the next.
        stride: Rows from one result to the next.
        before: Rows of zeros that stand before the first row, after it has been read.
        after: Those behind the last one.
        read: ``""``; ``"leaky"``, a leaky ReLU; ``"snake"``, x + sin(alpha x) ** 2 / alpha.
        slope: Of the leaky ReLU.
        activation: ``""`` or ``"gelu"`` (by tanh).
        repeat: How many results each row of the residual is added to.
        factor: The result is multiplied by it.
        norm: [2, C], or None for rows as they are.
        alpha: [2, C]: alpha and 1 / alpha; with ``"snake"``.
        residual: [M' / repeat, N], or None.
        scale: [N], which columns of an int8 weight are times, or None.

    Returns:
        [M', N], where M' = (M + before + after - dilation * (taps - 1) - 1) // stride + 1.
    """
    x = rows if norm is None else rows * norm[0] + norm[1]
    if read == "leaky":
        x = functional.leaky_relu(x, slope)
    elif read == "snake":
        assert alpha is not None
        x = x + alpha[1] * torch.sin(alpha[0] * x) ** 2
    if scale is not None:
        weight = weight.to(x.dtype) * functional.pad(scale, (0, weight.shape[0] * weight.shape[2] - columns)).view(
            -1, 1, weight.shape[2]
        )
    kernel = unpack_columns(weight.permute(1, 0, 2), columns).reshape(taps, rows.shape[1], columns).permute(2, 1, 0)
    padded = functional.pad(x.T[None], (before, after))
    y = functional.conv1d(padded, kernel.to(x.dtype), bias, stride, dilation=dilation)[0].T
    if activation == "gelu":
        y = functional.gelu(y, approximate="tanh")
    if residual is not None:
        y = y + residual.repeat_interleave(repeat, 0)
    return (y * factor).contiguous()


@convolve.register_fake
def _(
    rows: Tensor,
    weight: Tensor,
    bias: Tensor,
    columns: int,
    taps: int,
    dilation: int,
    stride: int,
    before: int,
    after: int,
    read: str,
    slope: float,
    activation: str,
    repeat: int,
    factor: float,
    norm: Tensor | None = None,
    alpha: Tensor | None = None,
    residual: Tensor | None = None,
    scale: Tensor | None = None,
) -> Tensor:
    assert weight.shape[1] == taps * rows.shape[1] and bias.shape == (columns,), (weight.shape, rows.shape, bias.shape)
    count = (rows.shape[0] + before + after - dilation * (taps - 1) - 1) // stride + 1
    assert residual is None or residual.shape == (count // repeat, columns)
    return rows.new_empty(count, columns)


@torch.library.custom_op("g2p::channel_norm", mutates_args=())
def channel_norm(rows: Tensor, affine: Tensor, epsilon: float) -> Tensor:
    """What normalises each column over all rows and then applies [2, C] factors and summands, as [2, C] of both.

    The column's mean and variance are over M rows. ``rows * result[0] + result[1]`` is the instance norm.
    """
    scale = affine[0] * torch.rsqrt(rows.var(0, unbiased=False) + epsilon)
    return torch.stack([scale, affine[1] - rows.mean(0) * scale])


@channel_norm.register_fake
def _(rows: Tensor, affine: Tensor, epsilon: float) -> Tensor:
    return affine.new_empty(affine.shape)


@torch.library.custom_op("g2p::affine_norm", mutates_args=())
def affine_norm(rows: Tensor, affine: Tensor, epsilon: float, slope: float, residual: Tensor | None = None) -> Tensor:
    """A layer norm of ``rows + residual``, [M, D], with factors and summands [2, D], then a leaky ReLU.

    With the slope 1 there is no ReLU.
    """
    x = rows if residual is None else rows + residual
    return functional.leaky_relu(functional.layer_norm(x, x.shape[1:], affine[0], affine[1], epsilon), slope)


@affine_norm.register_fake
def _(rows: Tensor, affine: Tensor, epsilon: float, slope: float, residual: Tensor | None = None) -> Tensor:
    return rows.new_empty(rows.shape)


@torch.library.custom_op("g2p::attend", mutates_args=())
def attend(query_key_value: Tensor, heads: int) -> Tensor:
    """Self-attention of [L, 3 * I] as [L, I]: every row attends to all rows. Scores are not scaled."""
    query, key, value = query_key_value.view(query_key_value.shape[0], 3, heads, -1).permute(1, 2, 0, 3)
    attended = torch.softmax(query @ key.transpose(1, 2), -1) @ value
    return attended.transpose(0, 1).flatten(1).contiguous()


@attend.register_fake
def _(query_key_value: Tensor, heads: int) -> Tensor:
    return query_key_value.new_empty(query_key_value.shape[0], query_key_value.shape[1] // 3)


@torch.library.custom_op("g2p::embed_places", mutates_args=())
def embed_places(ids: Tensor, table: Tensor, places: Tensor) -> Tensor:
    """int32 [L] ids to [L, D]: the id's row of a table [V, D], and the place's row of another [at least L, D].

    An id outside of the table gives the nearest row.
    """
    return functional.embedding(ids.clamp(0, table.shape[0] - 1), table) + places[: ids.shape[0]]


@embed_places.register_fake
def _(ids: Tensor, table: Tensor, places: Tensor) -> Tensor:
    return table.new_empty(ids.shape[0], table.shape[1])


@torch.library.custom_op("g2p::gather", mutates_args=())
def gather(rows: Tensor, places: Tensor) -> Tensor:
    """Rows [L, C] at int32 [T] places, as [T, C]. A place outside gives the nearest row."""
    return rows[places.clamp(0, rows.shape[0] - 1).long()]


@gather.register_fake
def _(rows: Tensor, places: Tensor) -> Tensor:
    return rows.new_empty(places.shape[0], rows.shape[1])


@torch.library.custom_op("g2p::join", mutates_args=())
def join(first: Tensor, second: Tensor, third: Tensor | None = None, fourth: Tensor | None = None) -> Tensor:
    """Columns beside each other: [M, A], [M, B] and so on as [M, A + B + ...]. One with a single row has it for all."""
    parts = [part for part in (first, second, third, fourth) if part is not None]
    return torch.cat([part.expand(first.shape[0], -1) for part in parts], 1)


@join.register_fake
def _(first: Tensor, second: Tensor, third: Tensor | None = None, fourth: Tensor | None = None) -> Tensor:
    parts = [part for part in (first, second, third, fourth) if part is not None]
    return first.new_empty(first.shape[0], sum(part.shape[1] for part in parts))


@torch.library.custom_op("g2p::lstm", mutates_args=())
def lstm(gates: Tensor, recurrent: Tensor) -> Tensor:
    """An LSTM in both directions, after the products of its inputs.

    Args:
        gates: [L, 2 * 4 * H]: what the inputs and the biases add to the gates; for each direction, for 16 units
            after the other, the input gate, the forget gate, the cell and the output gate of these units.
        recurrent: [2, H / 16, H, 4 * 16]: for each direction and 16 units, what each unit's last output adds to those.

    Returns:
        [L, 2 * H]: the outputs of the forward direction, then those of the backward one.
    """
    count, units = gates.shape[0], recurrent.shape[2]
    given = gates.view(count, 2, units // UNITS, 4, UNITS)
    result = gates.new_empty(count, 2, units)
    for direction in range(2):
        hidden, cell = gates.new_zeros(units), gates.new_zeros(units // UNITS, UNITS)
        for moment in range(count) if direction == 0 else reversed(range(count)):
            added = torch.einsum("k,bkg->bg", hidden, recurrent[direction]).view(-1, 4, UNITS)
            taken, kept, new, shown = (given[moment, direction] + added).unbind(1)
            cell = torch.sigmoid(kept) * cell + torch.sigmoid(taken) * torch.tanh(new)
            hidden = (torch.sigmoid(shown) * torch.tanh(cell)).view(-1)
            result[moment, direction] = hidden
    return result.view(count, -1)


@lstm.register_fake
def _(gates: Tensor, recurrent: Tensor) -> Tensor:
    return gates.new_empty(gates.shape[0], 2 * recurrent.shape[2])


@torch.library.custom_op("g2p::pool", mutates_args=())
def pool(rows: Tensor, norm: Tensor, weight: Tensor, bias: Tensor, slope: float) -> Tensor:
    """A transposed convolution of each column alone, with three taps and stride 2: [M, C] as [2 * M, C].

    Rows are read as `convolve` reads them, with [2, C] `norm` and a leaky ReLU. `weight` is [3, C], `bias` is [C].
    """
    x = functional.leaky_relu(rows * norm[0] + norm[1], slope)
    following = functional.pad(x[1:], (0, 0, 0, 1))
    return torch.stack([x * weight[1], x * weight[2] + following * weight[0]], 1).flatten(0, 1) + bias


@pool.register_fake
def _(rows: Tensor, norm: Tensor, weight: Tensor, bias: Tensor, slope: float) -> Tensor:
    return rows.new_empty(2 * rows.shape[0], rows.shape[1])


@torch.library.custom_op("g2p::crop_add", mutates_args=())
def crop_add(rows: Tensor, added: Tensor, first: int, reflected: int) -> Tensor:
    """Rows [R, C] from `first` on, as many as [M, C] `added` has, and those. R is at least first + M - reflected.

    With `reflected` 1, the row behind the first one stands before it too.
    """
    count = added.shape[0] - reflected
    kept = rows[first : first + count]
    return (torch.cat([kept[1:2], kept]) if reflected else kept) + added


@crop_add.register_fake
def _(rows: Tensor, added: Tensor, first: int, reflected: int) -> Tensor:
    return added.new_empty(added.shape)


@torch.library.custom_op("g2p::add", mutates_args=())
def add(first: Tensor, second: Tensor, factor: float) -> Tensor:
    """``(first + second) * factor``, of two tensors [M, C]."""
    return (first + second) * factor


@add.register_fake
def _(first: Tensor, second: Tensor, factor: float) -> Tensor:
    return first.new_empty(first.shape)


@torch.library.custom_op("g2p::sigmoid_sum", mutates_args=())
def sigmoid_sum(rows: Tensor) -> Tensor:
    """The sum of the sigmoids of each row, [M] of [M, C]."""
    return torch.sigmoid(rows).sum(1)


@sigmoid_sum.register_fake
def _(rows: Tensor) -> Tensor:
    return rows.new_empty(rows.shape[0])


@torch.library.custom_op("g2p::sine_source", mutates_args=())
def sine_source(f0: Tensor, noise: Tensor, weight: Tensor, rate: int) -> Tensor:
    """The sound of the vocal folds: sines of F0 and its overtones where there is a voice, else noise, mixed to one.

    A frame of F0 stands for S samples, and its sines' phases are counted in turns, modulo 1, in float64. Between the
    middles of two frames a phase is a straight line. It is what upstream's ``SourceModuleHnNSF`` computes of phases
    that grow without end (kokoro/istftnet.py), where float32 leaves 43 dB of them after half a minute.

    Args:
        f0: [F, 1], in hertz.
        noise: [H, F * S], of a normal distribution.
        weight: [H + 1]: what of each sine is in the mixture, then a bias.
        rate: Samples a second.

    Returns:
        [F * S].
    """
    frames, harmonics = f0.shape[0], noise.shape[0]
    samples = noise.shape[1] // frames
    # Upstream reduces each frame's turns a sample modulo 1, in float32.
    overtones = f0 * torch.arange(1, harmonics + 1, dtype=torch.float32)
    turns = torch.remainder(overtones / rate, 1.0).to(torch.float64) * samples
    reached = torch.remainder(torch.cumsum(turns, 0), 1.0)  # in the middle of each frame
    place = (torch.arange(frames * samples, dtype=torch.float64) + 0.5) / samples - 0.5
    place = place.clamp(0, frames - 1)
    before = place.floor().long()
    after = (before + 1).clamp(max=frames - 1)
    share = (place - before)[:, None]
    step = torch.where((after > before)[:, None], turns[after], torch.zeros_like(turns[after]))
    phase = torch.remainder(reached[before] + share * step, 1.0)
    voiced = (f0 > SILENT).to(torch.float32).repeat_interleave(samples, 0)
    sines = torch.sin(phase * (2 * math.pi)).to(torch.float32) * 0.1
    mixed = sines * voiced + (voiced * 0.003 + (1 - voiced) * (0.1 / 3)) * noise.T
    return torch.tanh(mixed @ weight[:-1] + weight[-1])


@sine_source.register_fake
def _(f0: Tensor, noise: Tensor, weight: Tensor, rate: int) -> Tensor:
    return noise.new_empty(noise.shape[1])


@torch.library.custom_op("g2p::stft", mutates_args=())
def stft(samples: Tensor, size: int, hop: int) -> Tensor:
    """The spectrum of [S] samples every `hop` of them, as [S / hop + 1, size + 2]: magnitudes, then angles.

    The window is Hann's, and the sound is mirrored at both ends. The lowest and the highest frequency have no imaginary
    part, so that their angle is 0 or pi.
    """
    window = torch.hann_window(size, dtype=samples.dtype)
    found = torch.stft(samples, size, hop, size, window, return_complex=True).T
    angle = torch.angle(found)
    angle[:, [0, -1]] = torch.where(found.real[:, [0, -1]] < 0, math.pi, 0.0).to(angle.dtype)
    return torch.cat([found.abs(), angle], 1)


@stft.register_fake
def _(samples: Tensor, size: int, hop: int) -> Tensor:
    return samples.new_empty(samples.shape[0] // hop + 1, size + 2)


@torch.library.custom_op("g2p::istft", mutates_args=())
def istft(rows: Tensor, size: int, hop: int) -> Tensor:
    """Sound of [F, size + 2] rows, as [(F - 1) * hop].

    The first half of a row are logarithms of magnitudes, and the sines of the second half are the angles.
    """
    half = size // 2 + 1
    spectrum = torch.exp(rows[:, :half]) * torch.exp(1j * torch.sin(rows[:, half:]))
    window = torch.hann_window(size, dtype=rows.dtype)
    return torch.istft(spectrum.T, size, hop, size, window)


@istft.register_fake
def _(rows: Tensor, size: int, hop: int) -> Tensor:
    return rows.new_empty((rows.shape[0] - 1) * hop)

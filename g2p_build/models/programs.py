"""The programs of a variant: torch modules, with a name for every tensor that goes in or comes out."""

from __future__ import annotations

from collections.abc import Sequence

from g2p_build.models import t5
from g2p_build.models.architecture import Architecture
from g2p_build.models.layout import POSITIONS, padded
from g2p_build.models.program import Program, TensorSpec
from g2p_build.models.weights import tensor_specs

__all__ = ["MOST_TOKENS", "TOKENS", "programs"]

TOKENS = (1, 4, 8, 16)
"""Where shapes are fixed, there is a step for each of these numbers of new tokens a row. Greedy decoding takes one."""

MOST_TOKENS = 32
"""Where they are not, one step takes any number of tokens up to this. With more a step costs in proportion to them."""


def programs(
    arch: Architecture,
    batch: Sequence[int],
    buckets: Sequence[int],
    output_len: int,
    dtype: str,
    kv_cache: bool,
    tokens: Sequence[int] = TOKENS,
) -> list[Program]:
    """The programs of a library, for every batch size in turn.

    Args:
        arch: The model's architecture.
        batch: Batch sizes. Each gets functions of its own.
        buckets: Input lengths, in tokens, ascending. Each gets an encoder.
        output_len: The longest output, in tokens, the start token included.
        dtype: The weights', ``"float32"`` or ``"float16"``.
        kv_cache: True: decode by `t5.Prefill` and `t5.Step`. False: by `t5.Decode`.
        tokens: Each of these numbers gets a step: how many new tokens it takes a row.
    """
    found = []
    for rows in batch:
        for bucket in buckets:
            found.append(_encode(arch, rows, bucket, dtype))
            if kv_cache:
                found.append(_prefill(arch, rows, bucket, buckets[-1], dtype))
            else:
                found.append(_decode(arch, rows, bucket, output_len, dtype))
        if kv_cache:
            # A step of several tokens checks a drafted pronunciation.
            found += [_step(arch, rows, buckets[-1], output_len, dtype, each) for each in tokens]
    return found


def _encode(arch: Architecture, rows: int, input_len: int, dtype: str) -> Program:
    arguments = (TensorSpec("input_ids", (rows * input_len,), "int32"), _length(rows))
    return Program(
        name=f"encode_b{rows}_i{input_len}",
        role="encode",
        batch=rows,
        input_len=input_len,
        output_len=None,
        tokens=None,
        module=t5.Encode(arch, input_len),
        inputs=_as("argument", *arguments) + _weights(arch, dtype, "encode"),
        outputs=(_hidden(arch, rows, input_len),),
        packed=("input_ids",),
    )


def _decode(arch: Architecture, rows: int, input_len: int, output_len: int, dtype: str) -> Program:
    arguments = (
        TensorSpec("decoder_ids", (rows, output_len), "int32"),
        _hidden(arch, rows, input_len),
        _length(rows),
    )
    return Program(
        name=f"decode_b{rows}_i{input_len}",
        role="decode",
        batch=rows,
        input_len=input_len,
        output_len=output_len,
        tokens=None,
        module=t5.Decode(arch, rows, output_len),
        inputs=_as("argument", *arguments) + _weights(arch, dtype, "decode"),
        outputs=_results(arch, rows, output_len),
        packed=("hidden",),
    )


def _prefill(arch: Architecture, rows: int, bucket: int, input_len: int, dtype: str) -> Program:
    cache, arguments = _cache(arch, "cross", rows, input_len), (_hidden(arch, rows, bucket), _length(rows))
    return Program(
        name=f"prefill_b{rows}_i{bucket}",
        role="prefill",
        batch=rows,
        input_len=bucket,
        output_len=None,
        tokens=None,
        module=t5.Prefill(arch),
        inputs=_as("argument", *arguments) + _as("state", *cache) + _weights(arch, dtype, "prefill"),
        outputs=cache,
        packed=("hidden",),
    )


def _step(arch: Architecture, rows: int, input_len: int, output_len: int, dtype: str, tokens: int) -> Program:
    arguments = (
        TensorSpec("token", (rows, tokens), "int32"),
        TensorSpec("position", (rows,), "int32"),
        _length(rows),
    )
    return Program(
        name=f"step_b{rows}_k{tokens}",
        role="step",
        batch=rows,
        input_len=input_len,
        output_len=output_len,
        tokens=tokens,
        module=t5.Step(arch, rows, output_len, tokens),
        inputs=(
            _as("argument", *arguments)
            + _as("state", *_cache(arch, "self", rows, output_len), *_cache(arch, "cross", rows, input_len))
            + _weights(arch, dtype, "step")
        ),
        outputs=_results(arch, rows, tokens),
    )


def _as(kind: str, *specs: TensorSpec) -> tuple[tuple[str, TensorSpec], ...]:
    return tuple((kind, spec) for spec in specs)


def _length(rows: int) -> TensorSpec:
    return TensorSpec("length", (rows,), "int32")


def _hidden(arch: Architecture, rows: int, input_len: int) -> TensorSpec:
    return TensorSpec("hidden", (rows * input_len, arch.d_model), "float32")


def _results(arch: Architecture, rows: int, tokens: int) -> tuple[TensorSpec, ...]:
    return (
        TensorSpec("ids", (rows, tokens), "int32"),
        TensorSpec("logits", (rows, tokens, arch.vocab_size), "float32"),
    )


def _cache(arch: Architecture, name: str, rows: int, length: int) -> tuple[TensorSpec, ...]:
    shapes = {
        "key": (rows, arch.num_heads, padded(length) // POSITIONS, arch.d_kv, POSITIONS),
        "value": (rows, arch.num_heads, length, arch.d_kv),
    }
    return tuple(
        TensorSpec(f"{name}_{part}_{block}", shape, "float32")
        for block in range(arch.num_decoder_layers)
        for part, shape in shapes.items()
    )


def _weights(arch: Architecture, dtype: str, role: str) -> tuple[tuple[str, TensorSpec], ...]:
    return _as("weight", *(spec for spec in tensor_specs(arch, dtype) if _reads(role, spec.name)))


def _reads(role: str, weight: str) -> bool:
    """Whether programs of this role read the weight."""
    if role == "encode":
        return weight == "embedding" or weight.startswith("encoder.")
    from_encoder = weight.endswith(".cross.key_value")
    if role == "prefill":
        return from_encoder
    return (weight in ("embedding", "lm_head") or weight.startswith("decoder.")) and not (
        role == "step" and from_encoder
    )

"""Greedy decoding with one batch's functions, and the choice of batches for a number of words."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from g2p_build.runtime.errors import InvalidManifest, InvalidWeights
from g2p_build.runtime.vm import aligned_zeros, array_of, tensor_of

__all__ = ["Bound", "bind", "generate", "plan"]

# A pass with b rows costs about as much as _OVERHEAD + b rows: reading the weights is most of it when rows are few.
_OVERHEAD = 3.5

_CALLED = ("encode", "prefill", "step", "decode")  # roles in the order of their first call

Function = Mapping[str, Any]  # an entry of the manifest's "functions"


@dataclass(frozen=True)
class Bound:
    """The functions of one batch and bucket, with the buffers that they read and write.

    The buffers are the caller's and are used again for every group of words: one thread at a time.
    """

    batch: int
    input_len: int
    output_len: int
    functions: dict[str, tuple[Function, Any]]  # by role: the manifest's entry and what to call
    arrays: dict[str, np.ndarray]  # arguments that the caller writes: input_ids, mask, token, position or decoder_ids
    tensors: dict[str, Any]  # the same memory, the state and the weights, as the functions take them


def bind(
    functions: Sequence[Function],
    library: Callable[[str], Any],
    weights: Mapping[str, np.ndarray],
    tensors: Mapping[str, Any],
    batch: int,
    input_len: int,
    output_len: int,
) -> Bound:
    """Looks up the functions of one batch and bucket and makes their buffers.

    Args:
        functions: the manifest's functions.
        library: from a function's name to what to call.
        weights: the mapped arrays, by tensor name.
        tensors: the same, as the functions take them.
        batch, input_len, output_len: which functions, and how many positions the decoder has.

    Raises:
        InvalidWeights: a weight that a function takes is missing or has another shape or dtype.
        InvalidManifest: a function takes an argument that nothing before it gives, or no function gives the logits.
        LibraryFailed: the library lacks a function.
    """
    chosen: dict[str, tuple[Function, Any]] = {}
    for function in sorted(functions, key=lambda function: _CALLED.index(function["role"])):
        if (function["batch"], function["input_len"]) == (batch, input_len):
            chosen.setdefault(function["role"], (function, library(function["name"])))
    shapes = {
        "input_ids": (batch, input_len),
        "mask": (batch, input_len),
        "decoder_ids": (batch, output_len),
        "token": (batch, 1),
        "position": (batch,),
    }
    arrays = {name: aligned_zeros(shape, "int32") for name, shape in shapes.items()}
    own = {name: tensor_of(array) for name, array in arrays.items()}
    given = {name: (shape, "int32") for name, shape in shapes.items()}  # what there is to pass as an argument
    for function, _ in chosen.values():
        for tensor in function["inputs"]:
            name, wanted = tensor["name"], (tuple(tensor["shape"]), tensor["dtype"])
            if tensor["kind"] == "weight":
                _check_weight(function["name"], name, wanted, weights.get(name))
                own[name] = tensors[name]
            elif tensor["kind"] == "state":
                own.setdefault(name, tensor_of(aligned_zeros(*wanted)))
            elif given.get(name) != wanted:
                raise InvalidManifest(f"function {function['name']} takes {_text(*wanted)} '{name}': nothing gives it")
        given |= {tensor["name"]: (tuple(tensor["shape"]), tensor["dtype"]) for tensor in function["outputs"]}
    positions = output_len if "decode" in chosen else 1
    if given.get("logits", ((), ""))[0][:2] != (batch, positions):
        raise InvalidManifest(f"no function gives logits of shape [{batch}, {positions}, ...]")
    return Bound(batch, input_len, output_len, chosen, arrays, own)


def _check_weight(function: str, name: str, wanted: tuple[tuple[int, ...], str], found: np.ndarray | None) -> None:
    if found is None:
        raise InvalidWeights(f"function {function} takes weight '{name}', which the weights file does not hold")
    if (found.shape, found.dtype.name) != wanted:
        has = _text(found.shape, found.dtype.name)
        raise InvalidWeights(f"function {function} takes {_text(*wanted)} '{name}', the weights file has {has}")


def _text(shape: tuple[int, ...], dtype: str) -> str:
    return f"{dtype}{list(shape)}"


def _call(bound: Bound, role: str, values: dict[str, Any]) -> None:
    """Calls the function of a role with tensors by name, and adds its outputs to them by name."""
    function, call = bound.functions[role]
    result = call(*[values[tensor["name"]] for tensor in function["inputs"]])
    names = [output["name"] for output in function["outputs"]]
    results = [result] if hasattr(result, "shape") else list(result)  # one tensor, or an array of them
    values.update(zip(names, results, strict=True))


def generate(bound: Bound, prompts: Sequence[Sequence[int]], model: Mapping[str, Any]) -> list[list[int]]:
    """Greedy decoding of at most ``bound.batch`` prompts, none longer than ``bound.input_len``.

    Every step takes the id with the greatest logit, the first where several are equal. A row ends with its end id or
    when it has ``output_len`` ids with the start id; the loop ends with the last row.

    Args:
        bound: the functions.
        prompts: input ids, a list for each row; rows beyond them repeat the last, so that no row is masked whole.
        model: the manifest's ``model`` object.

    Returns:
        For each prompt the ids after the start id, with the end id where it was produced.
    """
    arrays, values = bound.arrays, dict(bound.tensors)
    arrays["input_ids"][:] = model["pad_id"]
    arrays["mask"][:] = 0
    for row in range(bound.batch):
        prompt = prompts[min(row, len(prompts) - 1)]
        arrays["input_ids"][row, : len(prompt)] = prompt
        arrays["mask"][row, : len(prompt)] = 1
    arrays["decoder_ids"][:] = model["pad_id"]
    _call(bound, "encode", values)
    if "prefill" in bound.functions:
        _call(bound, "prefill", values)
    tokens = np.full(bound.batch, model["decoder_start_id"], np.int32)
    produced: list[list[int]] = [[] for _ in prompts]
    live = list(range(len(prompts)))
    for position in range(bound.output_len - 1):
        tokens = _logits(bound, values, tokens, position).argmax(-1)
        for row in live:
            produced[row].append(int(tokens[row]))
        live = [row for row in live if tokens[row] != model["eos_id"]]
        if not live:
            break
    return produced


def _logits(bound: Bound, values: dict[str, Any], tokens: np.ndarray, position: int) -> np.ndarray:
    """The logits, float32 [batch, vocabulary], that follow ``tokens`` at one position of every row."""
    if "decode" in bound.functions:
        bound.arrays["decoder_ids"][:, position] = tokens
        _call(bound, "decode", values)
        return array_of(values["logits"])[:, position]
    bound.arrays["token"][:, 0] = tokens
    bound.arrays["position"][:] = position
    _call(bound, "step", values)
    return array_of(values["logits"])[:, 0]


def plan(words: int, sizes: Sequence[int]) -> list[int]:
    """Batch sizes that hold this many words: full ones of the largest, then the cheapest that hold the rest.

    Args:
        words: how many.
        sizes: the batch sizes that the library has functions for.
    """
    largest = max(sizes)
    return [largest] * (words // largest) + list(_cheapest(words % largest, tuple(sorted(sizes)))[1])


@functools.cache
def _cheapest(words: int, sizes: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
    if words == 0:
        return 0.0, ()
    best = min(
        (_OVERHEAD + size + (rest := _cheapest(max(0, words - size), sizes))[0], (size, *rest[1])) for size in sizes
    )
    return best[0], tuple(sorted(best[1], reverse=True))

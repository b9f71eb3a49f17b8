"""Greedy decoding with the functions of one batch size, and the choice of batch sizes for a list of words."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from g2p_build.runtime.errors import InvalidManifest, InvalidWeights
from g2p_build.runtime.vm.library import aligned_zeros, array_of, tensor_of

__all__ = ["Bound", "States", "bind", "generate", "plan"]

# A pass over b rows takes about as long as the arithmetic of _OVERHEAD + b rows: it also reads the weights.
_OVERHEAD = 3.5

_CALLED = ("encode", "prefill", "step", "decode")  # roles in the order of their first call

Function = Mapping[str, Any]  # an entry of the manifest's "functions"

States = dict[tuple[int, str], tuple[tuple[tuple[int, ...], str], Any]]  # (batch, name) → ((shape, dtype), tensor)


@dataclass(frozen=True)
class Bound:
    """The functions of one batch and bucket, with the buffers that they read and write.

    Every group of words uses the same buffers, so only one thread may use them at a time.
    """

    batch: int
    input_len: int
    output_len: int
    functions: dict[str, tuple[Function, Any]]  # role → (the manifest's entry, the function)
    arrays: dict[str, np.ndarray]  # int32 arguments that the caller writes: input_ids, length, token, position, ...
    arguments: dict[str, list[Any]]  # role → the tensors to pass; None stands for an earlier function's output


def bind(
    functions: Sequence[Function],
    library: Callable[[str], Any],
    weights: Mapping[str, np.ndarray],
    tensors: Mapping[str, Any],
    batch: int,
    input_len: int,
    output_len: int,
    states: States,
) -> Bound:
    """Looks up the functions of one batch and bucket and makes their buffers.

    Args:
        functions: the manifest's functions.
        library: from a function's name to the function.
        weights: the mapped arrays, by tensor name.
        tensors: the same weights as tensors of TVM, which the functions take.
        batch: the rows of the functions.
        input_len: the bucket: the longest input, in ids.
        output_len: the positions of the decoder.
        states: the state tensors made so far. The buckets of a batch share them. New ones are added.

    Raises:
        InvalidWeights: a weight that a function takes is missing, or has another shape or dtype.
        InvalidManifest: no earlier function gives an argument, functions disagree about a state, or no function gives
            ids.
        LibraryFailed: the library lacks a function.
    """
    chosen: dict[str, tuple[Function, Any]] = {}
    for function in sorted(functions, key=lambda function: _CALLED.index(function["role"])):
        fits = function["tokens"] == 1 if function["role"] == "step" else function["input_len"] == input_len
        if function["batch"] == batch and fits:
            chosen.setdefault(function["role"], (function, library(function["name"])))
    shapes = {
        "input_ids": (batch * input_len,),
        "length": (batch,),
        "decoder_ids": (batch, output_len),
        "token": (batch, 1),
        "position": (batch,),
    }
    arrays = {name: aligned_zeros(shape, "int32") for name, shape in shapes.items()}
    own = {name: tensor_of(array) for name, array in arrays.items()}
    arguments: dict[str, list[Any]] = {}
    given = {name: (shape, "int32") for name, shape in shapes.items()}  # the arguments that exist so far
    for role, (function, _) in chosen.items():
        passed: list[Any] = []
        for entry in function["inputs"]:
            name, wanted = entry["name"], (tuple(entry["shape"]), entry["dtype"])
            if entry["kind"] == "weight":
                _check_weight(function["name"], name, wanted, weights.get(name))
                passed.append(tensors[name])
            elif entry["kind"] == "state":
                if (batch, name) not in states:
                    states[batch, name] = wanted, tensor_of(aligned_zeros(*wanted))
                made, tensor = states[batch, name]
                if made != wanted:
                    takes = f"function {function['name']} takes {_text(*wanted)} '{name}'"
                    raise InvalidManifest(f"{takes}, another takes {_text(*made)}")
                passed.append(tensor)
            elif given.get(name) != wanted:
                raise InvalidManifest(f"function {function['name']} takes {_text(*wanted)} '{name}': nothing gives it")
            else:
                passed.append(own.get(name))
        arguments[role] = passed
        given |= {tensor["name"]: (tuple(tensor["shape"]), tensor["dtype"]) for tensor in function["outputs"]}
    positions = output_len if "decode" in chosen else 1
    if given.get("ids") != ((batch, positions), "int32"):
        raise InvalidManifest(f"no function gives {_text((batch, positions), 'int32')} 'ids'")
    return Bound(batch, input_len, output_len, chosen, arrays, arguments)


def _check_weight(function: str, name: str, wanted: tuple[tuple[int, ...], str], found: np.ndarray | None) -> None:
    if found is None:
        raise InvalidWeights(f"function {function} takes weight '{name}', which the weights file does not hold")
    if (found.shape, found.dtype.name) != wanted:
        has = _text(found.shape, found.dtype.name)
        raise InvalidWeights(f"function {function} takes {_text(*wanted)} '{name}', the weights file has {has}")


def _text(shape: tuple[int, ...], dtype: str) -> str:
    return f"{dtype}{list(shape)}"


def _call(bound: Bound, role: str, values: dict[str, Any]) -> None:
    """Calls the function of a role. Takes earlier outputs from `values` by name, and adds its own outputs there."""
    function, call = bound.functions[role]
    arguments = bound.arguments[role]
    if None in arguments:
        names = [tensor["name"] for tensor in function["inputs"]]
        arguments = [values[name] if given is None else given for name, given in zip(names, arguments, strict=True)]
    result = call(*arguments)
    results = [result] if hasattr(result, "shape") else result  # one tensor, or an array of them
    for output, tensor in zip(function["outputs"], results, strict=True):
        values[output["name"]] = tensor


def generate(
    bound: Bound, prompts: Sequence[Sequence[int]], model: Mapping[str, Any], scores: list[float] | None = None
) -> list[list[int]]:
    """Decodes at most ``bound.batch`` prompts greedily. None is longer than ``bound.input_len``.

    Every step takes the id with the greatest logit, or the first of several. A row ends with its end id, or when it has
    ``output_len`` ids with the start id. The loop ends with the last row.

    Args:
        bound: the functions.
        prompts: input ids, a list for each row. Further rows repeat the last prompt, so that no row is empty.
        model: the manifest's ``model`` object.
        scores: a list that gets, for each prompt, the mean natural log-probability of its ids; or None.

    Returns:
        For each prompt the ids after the start id. They end with the end id, unless the row reached its bound.
    """
    arrays, values = bound.arrays, dict[str, Any]()
    rows = [prompts[min(row, len(prompts) - 1)] for row in range(bound.batch)]
    packed = [token for prompt in rows for token in prompt]
    arrays["input_ids"][: len(packed)] = packed
    arrays["length"][:] = [len(prompt) for prompt in rows]
    arrays["decoder_ids"][:] = model["pad_id"]
    _call(bound, "encode", values)
    if "prefill" in bound.functions:
        _call(bound, "prefill", values)
    tokens = np.full(bound.batch, model["decoder_start_id"], np.int32)
    produced: list[list[int]] = [[] for _ in prompts]
    probable = np.zeros(len(prompts))
    live = list(range(len(prompts)))
    for position in range(bound.output_len - 1):
        tokens = _next(bound, values, tokens, position)
        chosen = tokens.tolist()
        for row in live:
            produced[row].append(chosen[row])
        if scores is not None:
            probable[live] += _log_probabilities(bound, values, position)[live]
        live = [row for row in live if chosen[row] != model["eos_id"]]
        if not live:
            break
    if scores is not None:
        scores += (total / max(len(ids), 1) for total, ids in zip(probable.tolist(), produced, strict=True))
    return produced


def _log_probabilities(bound: Bound, values: dict[str, Any], position: int) -> np.ndarray:
    """The natural log-probability, float64 [batch], of the ids that were last chosen: those of the greatest logits."""
    logits = array_of(values["logits"])[:, position if "decode" in bound.functions else 0].astype(np.float64)
    found: np.ndarray = -np.log(np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1))
    return found


def _next(bound: Bound, values: dict[str, Any], tokens: np.ndarray, position: int) -> np.ndarray:
    """The next ids, int32 [batch], when ``tokens``, int32 [batch], stand at one position of every row."""
    if "decode" in bound.functions:
        bound.arrays["decoder_ids"][:, position] = tokens
        _call(bound, "decode", values)
        return array_of(values["ids"])[:, position]
    bound.arrays["token"][:, 0] = tokens
    bound.arrays["position"][:] = position
    _call(bound, "step", values)
    return array_of(values["ids"])[:, 0]


def plan(words: int, sizes: Sequence[int]) -> list[int]:
    """Chooses batch sizes for a number of words: full batches of the largest size, then the cheapest for the rest.

    Args:
        words: how many words there are.
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

"""This project's own runtime on TVM's virtual machine. Each thread has a machine and pronounces batches of its own."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from bench.common.spread import spread
from bench.pronounce.engines.ours import model_files
from bench.pronounce.setup import Batch, Pronounce, Setup, independent

__all__ = ["DISTRIBUTIONS", "IMPORTS", "LIBRARIES", "function_times", "model_files", "open_model"]

IMPORTS = ("g2p_build.runtime.vm.engine",)
DISTRIBUTIONS = ("apache-tvm-ffi",)
LIBRARIES = ("/tvm_ffi/", "/libtvm_runtime.", "/model.so")

_ROUNDS = 15
_SECONDS = 0.01  # of calls that one timing is made of
_POSITION = 12  # of the first new token in a step


def open_model(setup: Setup) -> Pronounce:
    """Loads the manifest that `setup.folder` is, once for each thread."""
    return independent([_worker(setup) for _ in range(setup.threads)])


def _worker(setup: Setup) -> Callable[[Batch], list[list[int]]]:
    from g2p_build.runtime import load

    g2p = load(setup.folder)
    machine: Any = g2p._engine
    if setup.forced_tokens:
        # No id ends a word; the bound of the output does.
        model = g2p.manifest["model"] | {"eos_id": -1, "max_output_len": setup.forced_tokens + 1}
        machine._data = g2p.manifest | {"model": model}
        machine._bound.clear()
    return lambda batch: g2p.tokens([word.text for word in batch], batch[0].language)


def function_times(setup: Setup) -> list[dict[str, Any]]:
    """Times every function of the library by itself, interleaved: role, sizes, microseconds a call with quartiles."""
    from g2p_build.runtime import load

    g2p = load(setup.folder)
    calls = {function["name"]: _call(g2p._engine, function) for function in g2p.manifest["functions"]}
    times: dict[str, list[float]] = {name: [] for name in calls}
    counts = {name: max(1, int(_SECONDS / min(_seconds(call, 1) for _ in range(3)))) for name, call in calls.items()}
    for _ in range(_ROUNDS):
        for name, call in calls.items():
            times[name].append(1e6 * _seconds(call, counts[name]) / counts[name])
    return [
        {
            "function": function["name"],
            "role": function["role"],
            "batch": function["batch"],
            "input_len": function["input_len"],
            "tokens": _new_tokens(function),
            "us": spread(times[function["name"]]),
        }
        for function in g2p.manifest["functions"]
    ]


def _seconds(call: Callable[[], object], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - started


def _call(machine: Any, function: Mapping[str, Any]) -> Callable[[], object]:
    """A call of one function with buffers of its own, as in the middle of a word."""
    from g2p_build.runtime.vm import library

    filled = {"position": _POSITION, "length": function["input_len"]}
    arguments = []
    for tensor in function["inputs"]:
        if tensor["kind"] == "weight":
            arguments.append(machine._tensors[tensor["name"]])
        else:
            array = library.aligned_zeros(tuple(tensor["shape"]), tensor["dtype"])
            array[...] = filled.get(tensor["name"], 0)
            arguments.append(library.tensor_of(array))
    called = machine._library(function["name"])
    return lambda: called(*arguments)


def _new_tokens(function: Mapping[str, Any]) -> int | None:
    """How many tokens a row a step takes; None for anything but a step."""
    shapes = {tensor["name"]: tensor["shape"] for tensor in function["inputs"]}
    return shapes["token"][1] if function["role"] == "step" else None

"""TVM as it comes: the default pipeline for a CPU, which has no schedule for a matrix product there.

One thread whatever the setup says, for its kernels are not parallel.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.pronounce.setup import Batch, Pronounce, Setup, greedy, in_turn, padded

__all__ = ["DISTRIBUTIONS", "IMPORTS", "LIBRARIES", "model_files", "open_model", "prepare"]

IMPORTS = ("tvm",)
DISTRIBUTIONS = ("apache-tvm",)
LIBRARIES = ("/tvm_ffi/", "/libtvm_runtime.")


def prepare(setup: Setup, checkpoint: Path, out: Path) -> None:
    """Compiles the same modules that the other graph libraries get, for this machine's CPU."""
    import torch
    import tvm
    from tvm import relax
    from tvm.relax.frontend.torch import from_exported_program

    from bench.pronounce import plain

    arch, state = plain.read(checkpoint)
    length, output_len = setup.buckets[-1], setup.tokens
    target = tvm.target.Target({"kind": "llvm", "mcpu": tvm.target.codegen.llvm_get_system_cpu()})
    for rows in setup.batches:
        masked = torch.ones(rows, length)
        ids = torch.full((rows, length), 5)
        several = range(2 * arch.num_decoder_layers)
        cross = [torch.zeros(plain.cache_shape(arch, rows, length)) for _ in several]
        caches = [torch.zeros(plain.cache_shape(arch, rows, output_len)) for _ in several]
        position = torch.zeros(1, dtype=torch.int64)
        modules: dict[str, tuple[Any, tuple[Any, ...]]] = {
            "encode": (plain.Encode(arch, state, length), (ids, masked)),
            "step": (
                plain.FilledStep(arch, state, output_len),
                (torch.full((rows, 1), 5), position, masked, caches, cross),
            ),
        }
        for role, (module, inputs) in modules.items():
            with torch.no_grad():
                imported = from_exported_program(torch.export.export(module, inputs))
            relax.build(imported, target).export_library(str(out / f"{role}_b{rows}.so"))


def model_files(setup: Setup) -> list[Path]:
    """The libraries that the smallest batch needs, with their weights."""
    return [Path(setup.folder, f"{role}_b{setup.batches[0]}.so") for role in ("encode", "step")]


def open_model(setup: Setup) -> Pronounce:
    """Loads the libraries into virtual machines as they are needed."""
    import numpy as np
    import tvm
    from tvm import relax

    machines: dict[str, Any] = {}

    def machine(name: str) -> Any:
        if name not in machines:
            machines[name] = relax.VirtualMachine(tvm.runtime.load_module(f"{setup.folder}/{name}.so"), tvm.cpu())
        return machines[name]["main"]

    def pronounce(batch: Batch) -> list[list[int]]:
        rows, tensor = len(batch), tvm.runtime.tensor
        ids, mask = padded(setup, batch, setup.buckets[-1])
        masked = tensor(np.array(mask, np.float32))
        cross = list(machine(f"encode_b{rows}")(tensor(np.array(ids, np.int64)), masked))
        width = setup.tokens
        heads, _, depth = cross[0].shape[1:]
        caches: list[Any] = [tensor(np.zeros((rows, heads, width, depth), np.float32)) for _ in cross]

        def next_ids(tokens: Sequence[int], position: int) -> Sequence[int]:
            token = tensor(np.array(tokens, np.int64)[:, None])
            here = tensor(np.array([position], np.int64))
            logits, *caches[:] = machine(f"step_b{rows}")(token, here, masked, *caches, *cross)
            found: list[int] = logits.numpy().argmax(-1).tolist()
            return found

        return greedy(setup, rows, next_ids)

    return in_turn(pronounce)

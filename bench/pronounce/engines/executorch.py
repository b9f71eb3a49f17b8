"""ExecuTorch with XNNPACK: a program of static shape for the encoder at each input length, and one for the step.

Threads share each program's work (XNNPACK's thread pool).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.pronounce.setup import Batch, Pronounce, Setup, greedy, in_turn, padded

__all__ = ["DISTRIBUTIONS", "IMPORTS", "LIBRARIES", "model_files", "open_model", "prepare"]

IMPORTS = ("torch", "executorch.extension.pybindings.portable_lib")
DISTRIBUTIONS = ("executorch", "torch")
LIBRARIES = ("/executorch/",)  # torch, which its Python bindings need, is none of an app's


def prepare(setup: Setup, checkpoint: Path, out: Path) -> None:
    """Exports the programs; int8 by PT2E's dynamic quantization, a scale a channel."""
    import torch

    from bench.pronounce import plain

    arch, state = plain.read(checkpoint)
    output_len = setup.tokens
    longest = setup.buckets[-1]
    for rows in setup.batches:
        for length in setup.buckets:
            encode = plain.Encode(arch, state, length, longest - length)
            inputs: tuple[Any, ...] = (torch.full((rows, length), 5), torch.ones(rows, length))
            _write(setup, encode, inputs, out / f"encode_b{rows}_i{length}.pte")
        cross = [torch.rand(plain.cache_shape(arch, rows, longest)) for _ in range(2 * arch.num_decoder_layers)]
        step = plain.CachedStep(arch, state, rows, output_len)
        inputs = (torch.full((rows, 1), 5), torch.zeros(1, dtype=torch.int64), torch.ones(rows, longest), *cross)
        _write(setup, step, inputs, out / f"step_b{rows}.pte")


def _write(setup: Setup, module: Any, inputs: tuple[Any, ...], path: Path) -> None:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import (
        XnnpackDynamicallyQuantizedPartitioner,
        XnnpackPartitioner,
    )
    from executorch.exir import ExecutorchBackendConfig, to_edge_transform_and_lower
    from executorch.exir.passes import MemoryPlanningPass

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        partitioners: list[Any] = [XnnpackPartitioner()]
        if setup.dtype == "int8":
            from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
                XNNPACKQuantizer,
                get_symmetric_quantization_config,
            )
            from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

            config = get_symmetric_quantization_config(is_per_channel=True, is_dynamic=True)
            prepared = prepare_pt2e(torch.export.export(module, inputs).module(), XNNPACKQuantizer().set_global(config))
            prepared(*inputs)
            module = convert_pt2e(prepared)
            partitioners.insert(0, XnnpackDynamicallyQuantizedPartitioner())
        exported = torch.export.export(module, inputs)
        edge = to_edge_transform_and_lower(exported, partitioner=partitioners)
        # Inputs are the caller's own memory: nothing is copied into the program for every token.
        planning = MemoryPlanningPass(alloc_graph_input=False)
        path.write_bytes(edge.to_executorch(ExecutorchBackendConfig(memory_planning_pass=planning)).buffer)


def model_files(setup: Setup) -> list[Path]:
    """The programs that the smallest batch needs, each with its weights."""
    rows, folder = setup.batches[0], Path(setup.folder)
    return [folder / f"step_b{rows}.pte", *sorted(folder.glob(f"encode_b{rows}_*.pte"))]


def open_model(setup: Setup) -> Pronounce:
    """Opens the programs as they are needed."""
    import torch
    from executorch.extension.pybindings import portable_lib

    portable_lib._unsafe_reset_threadpool(setup.threads)
    torch.set_num_threads(setup.threads)
    opened: dict[str, Any] = {}

    def program(name: str) -> Any:
        if name not in opened:
            opened[name] = portable_lib._load_for_executorch(str(Path(setup.folder, f"{name}.pte")))
        return opened[name]

    def pronounce(batch: Batch) -> list[list[int]]:
        rows, length = len(batch), min(n for n in setup.buckets if n >= max(len(word.ids) for word in batch))
        ids, mask = padded(setup, batch, length)
        masked = torch.tensor(mask, dtype=torch.float32)
        cross = program(f"encode_b{rows}_i{length}").run_method("forward", (torch.tensor(ids), masked))
        masked = torch.nn.functional.pad(masked, (0, setup.buckets[-1] - length))
        step = program(f"step_b{rows}")

        def next_ids(tokens: Sequence[int], position: int) -> Sequence[int]:
            inputs = (torch.tensor(tokens).unsqueeze(1), torch.tensor([position]), masked, *cross)
            [logits] = step.run_method("forward", inputs)
            found: list[int] = logits.argmax(-1).tolist()
            return found

        return greedy(setup, rows, next_ids)

    return in_turn(pronounce)

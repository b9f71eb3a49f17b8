"""ONNX Runtime with three graphs, as public ports of ByT5 models have them: encoder, decoder, decoder with past.

Threads share each graph's work (`intra_op_num_threads`).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.pronounce.setup import Batch, Pronounce, Setup, greedy, in_turn, padded

__all__ = ["DISTRIBUTIONS", "IMPORTS", "LIBRARIES", "model_files", "open_model", "prepare"]

IMPORTS = ("numpy", "onnxruntime")
DISTRIBUTIONS = ("onnxruntime",)
LIBRARIES = ("/onnxruntime/",)

_GRAPHS = ("encoder", "decoder", "decoder_with_past")


def prepare(setup: Setup, checkpoint: Path, out: Path) -> None:
    """Exports the graphs, for any batch and lengths; int8 by ONNX Runtime's dynamic quantization per channel."""
    import torch
    from torch.export import Dim

    from bench.pronounce import plain

    arch, state = plain.read(checkpoint)
    rows, length, past = Dim("rows", min=1), Dim("length", min=2, max=setup.max_input), Dim("past", max=1023)
    ids, mask = torch.ones(2, 8, dtype=torch.int64), torch.ones(2, 8)
    token = torch.ones(2, 1, dtype=torch.int64)
    cross = [torch.zeros(plain.cache_shape(arch, 2, 8)) for _ in range(2 * arch.num_decoder_layers)]
    cache = [torch.zeros(plain.cache_shape(arch, 2, 5)) for _ in cross]
    whole, each = {0: rows, 1: length}, [{0: rows, 2: length} for _ in cross]
    longer = [{0: rows, 2: past} for _ in cross]
    step = plain.PastStep(arch, state, setup.max_tokens)
    names = [f"{part}_{block}" for block in range(arch.num_decoder_layers) for part in ("key", "value")]
    crossed, old, new = ([f"{kind}_{name}" for name in names] for kind in ("cross", "past", "present"))
    encoder = plain.Encode(arch, state, setup.max_input)
    settings: dict[str, Any] = {"dynamo": True, "external_data": False, "verbose": False, "optimize": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            encoder,
            (ids, mask),
            out / "encoder.onnx",
            input_names=["ids", "mask"],
            output_names=crossed,
            dynamic_shapes=(whole, whole),
            **settings,
        )
        torch.onnx.export(
            step,
            (token, mask, [], cross),
            out / "decoder.onnx",
            input_names=["token", "mask", *crossed],
            output_names=["logits", *new],
            dynamic_shapes=({0: rows}, whole, [], each),
            **settings,
        )
        torch.onnx.export(
            step,
            (token, mask, cache, cross),
            out / "decoder_with_past.onnx",
            input_names=["token", "mask", *old, *crossed],
            output_names=["logits", *new],
            dynamic_shapes=({0: rows}, whole, longer, each),
            **settings,
        )
    if setup.dtype == "int8":
        from onnxruntime.quantization import QuantType, quantize_dynamic

        for graph in _GRAPHS:
            path = out / f"{graph}.onnx"
            quantize_dynamic(path, path, weight_type=QuantType.QInt8, per_channel=True)


def model_files(setup: Setup) -> list[Path]:
    """The three graphs, each with its weights."""
    return [Path(setup.folder, f"{graph}.onnx") for graph in _GRAPHS]


def open_model(setup: Setup) -> Pronounce:
    """Opens the three graphs."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = setup.threads, 1
    encoder, first, following = (
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]) for path in model_files(setup)
    )
    crossed = [output.name for output in encoder.get_outputs()]
    new = [output.name for output in first.get_outputs()[1:]]
    old = [name.replace("present", "past") for name in new]

    def pronounce(batch: Batch) -> list[list[int]]:
        ids, mask = padded(setup, batch, max(len(word.ids) for word in batch))
        feed: dict[str, Any] = {"mask": np.array(mask, np.float32)}
        cross = encoder.run(None, feed | {"ids": np.array(ids, np.int64)})
        feed |= dict(zip(crossed, cross, strict=True))

        def next_ids(tokens: Sequence[int], position: int) -> Sequence[int]:
            feed["token"] = np.array(tokens, np.int64)[:, None]
            logits, *present = (following if position else first).run(None, feed)
            feed.update(zip(old, present, strict=True))
            found: list[int] = logits.argmax(-1).tolist()
            return found

        return greedy(setup, len(batch), next_ids)

    return in_turn(pronounce)

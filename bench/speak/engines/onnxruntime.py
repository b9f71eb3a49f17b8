"""ONNX Runtime, as kokoro-onnx calls it: one graph from ids to sound. Threads share its work (`intra_op_num_threads`).

float32 is exported from upstream's model, as kokoro-onnx's file was. int8 is kokoro-onnx's own file, out of the
packages that the checkpoint `kokoro_packaged` is read from.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from bench.speak.setup import Setup, Speak, Utterance

__all__ = ["DISTRIBUTIONS", "IMPORTS", "LIBRARIES", "model_files", "open_model", "prepare"]

IMPORTS = ("numpy", "onnxruntime", "safetensors.numpy")
DISTRIBUTIONS = ("onnxruntime",)
LIBRARIES = ("/onnxruntime/",)

_GRAPH = "model.onnx"
_OPSET = 17  # upstream's script has it


def prepare(setup: Setup, checkpoint: Path, out: Path, utterances: Sequence[Utterance]) -> None:
    """Exports the graph, for any number of tokens; fetches the one of int8."""
    if setup.dtype == "int8":
        from g2p_build.checkpoints.kokoro.packages import model_file

        (out / _GRAPH).write_bytes(model_file())
        return
    import torch

    from bench.speak import upstream

    model = upstream.loaded(checkpoint, onnx=True)  # past the package's own imports: what comes next relies on it
    from kokoro.model import KModelForONNX

    ids, style = torch.tensor([utterances[0].ids]), upstream.row(setup, utterances[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            KModelForONNX(model).eval(),
            (ids, style, torch.tensor([1.0])),
            out / _GRAPH,
            input_names=["tokens", "style", "speed"],
            output_names=["audio", "durations"],
            dynamic_axes={"tokens": {1: "length"}, "audio": {0: "samples"}, "durations": {0: "length"}},
            opset_version=_OPSET,
            dynamo=False,
        )


def model_files(setup: Setup) -> list[Path]:
    """The graph, with its weights."""
    return [Path(setup.folder, _GRAPH)]


def open_model(setup: Setup) -> Speak:
    """Opens the graph."""
    import numpy as np
    import onnxruntime
    from safetensors.numpy import load_file

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = setup.threads, 1
    [path] = model_files(setup)
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    voice = load_file(setup.voices)[setup.voice]
    names = [given.name for given in session.get_inputs()]
    sound = session.get_outputs()[0].name

    def speak(utterance: Utterance) -> int:
        style = voice[len(utterance.ids) - 3][None]
        given = (np.array([utterance.ids], np.int64), style, np.array([1.0], np.float32))
        [found] = session.run([sound], dict(zip(names, given, strict=True)))
        return int(found.size)

    return speak

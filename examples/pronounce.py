"""Pronounces words from a manifest and its two archives with nothing but tvm_ffi and numpy.

    python examples/pronounce.py manifests/embedded-host-b1-i64-o128-float32-kv.json eng-us knight

A reading companion to docs/manifest.md for whoever writes a loader in another language: no error handling beyond the
digests, one word at a time.
"""

import ctypes
import hashlib
import json
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import tvm_ffi


def unpack(manifest: dict, folder: Path, into: Path) -> None:
    """Checks both archives against the manifest, then unpacks them."""
    for archive in manifest["archives"].values():
        path = next(
            place / archive["file"] for place in (folder, folder.parent / "dist") if (place / archive["file"]).exists()
        )
        assert hashlib.sha256(path.read_bytes()).hexdigest() == archive["sha256"], (
            f"{path.name} is not what it should be"
        )
        with tarfile.open(path) as tar:
            tar.extractall(into, filter="data")


def map_weights(path: Path) -> dict[str, np.ndarray]:
    """Maps a safetensors file: 8 bytes of header length, a JSON header, the tensors."""
    data = np.memmap(path, np.uint8, mode="c")  # copy-on-write: TVM asks for writable memory and never writes
    header_bytes = int(data[:8].view(np.uint64)[0])
    header = json.loads(bytes(data[8 : 8 + header_bytes]))
    header.pop("__metadata__", None)
    dtypes = {"F32": np.float32, "F16": np.float16}
    start = 8 + header_bytes
    return {
        name: data[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]]
        .view(dtypes[entry["dtype"]])
        .reshape(entry["shape"])
        for name, entry in header.items()
    }


def aligned(values: object, dtype: str, shape: tuple[int, ...]) -> object:
    """A tensor at a multiple of 64 bytes, which kernels rely on (those in the weights file are at one)."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    array = memory[start : start + size].view(dtype).reshape(shape)
    array[...] = values
    return tvm_ffi.from_dlpack(array)


def pronounce(manifest: dict, folder: Path, language: str, word: str) -> str:
    """One word through encode, prefill and a step a token, at batch size 1."""
    model, files = manifest["model"], manifest["files"]
    ctypes.CDLL(str(folder / files["runtime"]), ctypes.RTLD_GLOBAL)  # before the library, which needs it
    vm = tvm_ffi.load_module(str(folder / files["library"][0]))["vm_load_executable"]()
    vm["vm_initialization"](manifest["target"]["device_type"], 0, 2)
    weights = {name: tvm_ffi.from_dlpack(array) for name, array in map_weights(folder / files["weights"]).items()}
    functions = {(f["role"], f["input_len"], f["tokens"]): f for f in manifest["functions"] if f["batch"] == 1}
    values: dict[str, object] = {}

    def call(role: str, length: int, tokens: int | None = None) -> None:
        function = functions[role, length, tokens]
        arguments = []
        for tensor in function["inputs"]:
            if tensor["kind"] == "state" and tensor["name"] not in values:
                values[tensor["name"]] = aligned(0, tensor["dtype"], tensor["shape"])
            arguments.append(weights[tensor["name"]] if tensor["kind"] == "weight" else values[tensor["name"]])
        results = vm[function["name"]](*arguments)
        outputs = function["outputs"]
        values.update(zip((o["name"] for o in outputs), [results] if len(outputs) == 1 else results, strict=True))

    ids = [byte + model["byte_offset"] for byte in model["prompt"].format(lang=language, word=word).encode()]
    ids += [model["eos_id"]] * model["append_eos"]
    bucket = min(length for length in model["input_buckets"] if length >= len(ids))
    values["input_ids"] = aligned([ids + [model["pad_id"]] * (bucket - len(ids))], "int32", (1, bucket))
    values["length"] = aligned(len(ids), "int32", (1,))
    call("encode", bucket)
    call("prefill", bucket)
    token, made = model["decoder_start_id"], []
    for position in range(model["max_output_len"] - 1):
        values["token"] = aligned(token, "int32", (1, 1))
        values["position"] = aligned(position, "int32", (1,))
        call("step", model["max_input_len"], 1)
        token = int(np.from_dlpack(values["ids"])[0, 0])
        if token == model["eos_id"]:
            break
        made.append(token)
    offset = model["byte_offset"]
    return bytes(i - offset for i in made if offset <= i < offset + 256).decode("utf-8", "ignore")


if __name__ == "__main__":
    path = Path(sys.argv[1])
    manifest = json.loads(path.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        unpack(manifest, path.parent, Path(folder))
        for word in sys.argv[3:]:
            print(word, pronounce(manifest, Path(folder), sys.argv[2], word), sep="\t")

"""Builds a variant that echoes its prompt, from hand-made Relax functions: archives, manifest, index.

Run as ``python toy.py FOLDER kv|nokv BATCH...``. It compiles in a process of its own, not in a test's. The functions
have the names, roles, shapes and in-place state of a real variant's. Their results are known without a reference:
output id t is input id t (``value - key`` of the cross-attention tensors), and the end id follows the last one. Every
id is off by the first token in the state, so a state that is lost, or starts wrong, shows. There are two input buckets.
"""

import hashlib
import io
import json
import struct
import sys
import tarfile
from pathlib import Path

import numpy as np
import tvm
from tvm import relax, te
from tvm.script import tirx as T

from g2p_build.runtime import cpu, manifest
from g2p_build.runtime.g2p_manifest import SECTION

BUCKETS, OUTPUT_LEN, VOCAB = [24, 40], 32, 384


def var(name: str, shape: tuple[int, ...], dtype: str = "float32") -> relax.Var:
    return relax.Var(name, relax.TensorType(shape, dtype))


def tensors(names: str, shapes: list[tuple[int, ...]], kind: str) -> list[dict]:
    whole = {"input_ids", "length", "token", "position", "decoder_ids", "ids"}
    return [
        {"name": name, "kind": kind, "shape": list(shape), "dtype": "int32" if name in whole else "float32"}
        for name, shape in zip(names.split(), shapes, strict=True)
    ]


def writer(batch: int):
    @T.prim_func(private=True, s_tir=True)
    def write(
        token: T.Buffer((batch, 1), "int32"),
        position: T.Buffer((batch,), "int32"),
        state: T.Buffer((batch, 1, OUTPUT_LEN, 1), "float32"),
    ):
        for row in range(batch):
            with T.sblock("write"):
                r = T.axis.remap("S", [row])
                state[r, 0, position[r], 0] = T.cast(token[r, 0], "float32")

    return write


def distance(want, vocab_id, bias):
    return bias[vocab_id] - te.abs(want - vocab_id.astype("float32"))


def encoder(batch: int, length: int):
    @T.prim_func(private=True, s_tir=True)
    def encode(
        ids: T.Buffer((batch * length,), "int32"),
        count: T.Buffer((batch,), "int32"),
        table: T.Buffer((VOCAB,), "float32"),
        hidden: T.Buffer((batch * length, 1), "float32"),
    ):
        for at in range(batch * length):
            with T.sblock("look_up"):
                p = T.axis.remap("S", [at])
                hidden[p, 0] = table[ids[p]]

    return encode


def add_encode(bb: relax.BlockBuilder, b: int, length: int) -> dict:
    name = f"encode_b{b}_i{length}"
    ids, count, table = var("input_ids", (b * length,), "int32"), var("length", (b,), "int32"), var("table", (VOCAB,))
    out = relax.TensorType((b * length, 1), "float32")
    with bb.function(name, [ids, count, table]):
        encode = bb.add_func(encoder(b, length), f"k_{name}")
        bb.emit_func_output(bb.emit(relax.op.call_tir(encode, [ids, count, table], out_ty=out)))
    inputs = tensors("input_ids length", [(b * length,), (b,)], "argument") + tensors("table", [(VOCAB,)], "weight")
    return entry(name, "encode", b, length, None, inputs, tensors("hidden", [(b * length, 1)], ""))


def spreader(batch: int, length: int, factor: float):
    @T.prim_func(private=True, s_tir=True)
    def spread(
        hidden: T.Buffer((batch * length, 1), "float32"),
        count: T.Buffer((batch,), "int32"),
        state: T.Buffer((batch, 1, BUCKETS[-1], 1), "float32"),
    ):
        first = T.sblock_alloc_buffer((1,), "int32")
        first[0] = 0
        for row in range(batch):
            for position in range(count[row]):
                state[row, 0, position, 0] = hidden[first[0] + position, 0] * T.float32(factor)
            first[0] = first[0] + count[row]

    return spread


def add_prefill(bb: relax.BlockBuilder, b: int, length: int) -> dict:
    name, shape = f"prefill_b{b}_i{length}", (b, 1, BUCKETS[-1], 1)
    hidden, count = var("hidden", (b * length, 1)), var("length", (b,), "int32")
    states = [var("cross_key_0", shape), var("cross_value_0", shape)]
    with bb.function(name, [hidden, count, *states]):
        made = []
        for factor, state in zip((1.0, 2.0), states, strict=True):
            spread = bb.add_func(spreader(b, length, factor), f"k_spread_{name}")
            out = relax.TensorType(shape, "float32")
            made.append(bb.emit(relax.op.call_tir_inplace(spread, [hidden, count, state], [2], out)))
        bb.emit_func_output(relax.Tuple(made))
    inputs = tensors("hidden length", [(b * length, 1), (b,)], "argument")
    inputs += tensors("cross_key_0 cross_value_0", [shape] * 2, "state")
    return entry(name, "prefill", b, length, None, inputs, tensors("cross_key_0 cross_value_0", [shape] * 2, ""))


def greatest(logits):
    b, t, _ = logits.shape
    v = te.reduce_axis((0, VOCAB), "v")

    def combine(x, y):
        first = tvm.tirx.any(x[1] > y[1], tvm.tirx.all(x[1] == y[1], x[0] < y[0]))
        return tvm.tirx.Select(first, x[0], y[0]), tvm.tirx.Select(first, x[1], y[1])

    def identity(_, dtype):
        return tvm.tirx.const(VOCAB, "int32"), tvm.tirx.min_value(dtype)

    argmax = te.comm_reducer(combine, identity, name="argmax")
    return te.compute((b, t), lambda r, p: argmax((v.var, logits[r, p, v]), axis=v), name="greatest")[0]


def add_step(bb: relax.BlockBuilder, b: int) -> dict:
    length = BUCKETS[-1]
    name, cross, state = f"step_b{b}_k1", (b, 1, length, 1), (b, 1, OUTPUT_LEN, 1)
    token, position, count = (
        var("token", (b, 1), "int32"),
        var("position", (b,), "int32"),
        var("length", (b,), "int32"),
    )
    cache, key, value, bias = (
        var("self_key_0", state),
        var("cross_key_0", cross),
        var("cross_value_0", cross),
        var("bias", (VOCAB,)),
    )
    write = bb.add_func(writer(b), f"k_write_{name}")

    def logits(position, count, cache, key, value, bias):
        def want(r):
            at = te.min(position[r], count[r] - 1)
            found = te.if_then_else(
                position[r] < count[r], value[r, 0, at, 0] - key[r, 0, at, 0], tvm.tirx.const(1.0, "float32")
            )
            return found + cache[r, 0, 0, 0]

        return te.compute((b, 1, VOCAB), lambda r, _, v: distance(want(r), v, bias))

    with bb.function(name, [token, position, count, cache, key, value, bias]):
        cached = bb.emit(
            relax.op.call_tir_inplace(write, [token, position, cache], [2], relax.TensorType(state, "float32"))
        )
        scores = bb.emit_te(logits, position, count, cached, key, value, bias, primfunc_name_hint=f"k_{name}")
        ids = bb.emit_te(greatest, scores, primfunc_name_hint=f"k_ids_{name}")
        bb.emit_func_output(relax.Tuple([ids, scores]))
    inputs = tensors("token position length", [(b, 1), (b,), (b,)], "argument") + tensors(
        "self_key_0 cross_key_0 cross_value_0", [state, cross, cross], "state"
    )
    inputs += tensors("bias", [(VOCAB,)], "weight")
    outputs = tensors("ids logits", [(b, 1), (b, 1, VOCAB)], "")
    return entry(name, "step", b, length, OUTPUT_LEN, inputs, outputs, tokens=1)


def add_decode(bb: relax.BlockBuilder, b: int, length: int) -> dict:
    name = f"decode_b{b}_i{length}"
    ids, hidden = var("decoder_ids", (b, OUTPUT_LEN), "int32"), var("hidden", (b * length, 1))
    count, bias = var("length", (b,), "int32"), var("bias", (VOCAB,))

    def logits(ids, hidden, count, bias):
        def want(r, t):
            first = sum(te.if_then_else(before < r, count[before], 0) for before in range(b))
            end = tvm.tirx.const(1.0, "float32")
            found = te.if_then_else(t < count[r], hidden[first + te.min(t, count[r] - 1), 0], end)
            return found + ids[r, 0].astype("float32")

        return te.compute((b, OUTPUT_LEN, VOCAB), lambda r, t, v: distance(want(r, t), v, bias))

    with bb.function(name, [ids, hidden, count, bias]):
        scores = bb.emit_te(logits, ids, hidden, count, bias, primfunc_name_hint=f"k_{name}")
        chosen = bb.emit_te(greatest, scores, primfunc_name_hint=f"k_ids_{name}")
        bb.emit_func_output(relax.Tuple([chosen, scores]))
    inputs = tensors("decoder_ids hidden length", [(b, OUTPUT_LEN), (b * length, 1), (b,)], "argument")
    inputs += tensors("bias", [(VOCAB,)], "weight")
    outputs = tensors("ids logits", [(b, OUTPUT_LEN), (b, OUTPUT_LEN, VOCAB)], "")
    return entry(name, "decode", b, length, OUTPUT_LEN, inputs, outputs)


def entry(
    name: str,
    role: str,
    b: int,
    length: int,
    output_len: int | None,
    inputs: list[dict],
    outputs: list[dict],
    tokens: int | None = None,
) -> dict:
    for output in outputs:
        del output["kind"]
    return {
        "name": name, "role": role, "batch": b, "input_len": length, "output_len": output_len,
        "tokens": tokens, "workspace_bytes": 0, "inputs": inputs, "outputs": outputs,
    }  # fmt: skip


def tar(path: Path, members: dict[str, bytes]) -> dict:
    with tarfile.open(path, "w") as archive:
        for name, data in sorted(members.items()):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "size": path.stat().st_size}


def safetensors(arrays: dict[str, np.ndarray]) -> bytes:
    header, body = {}, b""
    for name, array in arrays.items():
        header[name] = {
            "dtype": "F32",
            "shape": list(array.shape),
            "data_offsets": [len(body), len(body) + array.nbytes],
        }
        body += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    return struct.pack("<Q", len(text)) + text + body


def main(folder: Path, kv_cache: bool, sizes: list[int]) -> None:
    bb = relax.BlockBuilder()
    added = (add_encode, add_prefill) if kv_cache else (add_encode, add_decode)
    functions = [add(bb, b, length) for b in sizes for length in BUCKETS for add in added]
    functions += [add_step(bb, b) for b in sizes if kv_cache]
    target = {"kind": "llvm", "mtriple": cpu.host_triple(), "mcpu": cpu.host_cpu()}
    name = f"toy-host-{'kv' if kv_cache else 'nokv'}"
    for part in ("manifests", "dist"):
        (folder / part).mkdir(parents=True)
    shared = folder / "model.so"
    tvm.compile(bb.finalize(), tvm.target.Target(target)).export_library(str(shared))
    model = {
        "prompt": "<{lang}>: {word}", "byte_offset": 3, "vocab_size": VOCAB, "pad_id": 0, "eos_id": 1, "unk_id": 2,
        "decoder_start_id": 0, "append_eos": False, "text": None, "languages": ["eng-us", "fin", "vie-n"],
        "max_input_len": BUCKETS[-1], "max_output_len": OUTPUT_LEN,
    }  # fmt: skip
    runtime = next(Path(tvm.__file__).parent.glob("lib/libtvm_runtime.*")).read_bytes()
    members = {
        "model.so": shared.read_bytes(),
        "libtvm_runtime.so": runtime,
        "tokenizer.json": json.dumps(model).encode(),
    }
    weights = {"table": np.arange(VOCAB, dtype=np.float32), "bias": np.zeros(VOCAB, np.float32)}
    data = {
        "schema_version": 2,
        "family": "g2p",
        "name": name,
        "variant": {
            "checkpoint": "toy", "target": "host", "batch": sizes,
            "max_lens": {"input": BUCKETS[-1], "output": OUTPUT_LEN}, "dtype": "float32", "kv_cache": kv_cache,
        },
        "archives": {
            "library": tar(folder / "dist" / f"{name}.tar", members),
            "weights": tar(folder / "dist" / "toy-weights.tar", {"weights.safetensors": safetensors(weights)}),
        },
        "files": {
            "library": ["model.so"], "runtime": "libtvm_runtime.so", "header": None, "static": None, "sizes": None,
            "notices": [],
            "weights": "weights.safetensors", "lexicon": None, "model": "tokenizer.json",
        },
        "model": model,
        "functions": functions,
        "target": {
            "name": "host", "kind": "llvm", "triple": cpu.host_triple(), "cpu": cpu.host_cpu(),
            "features": list(cpu.CPU_FEATURES[cpu.host_cpu()]), "device_type": 1, "engine": "vm", "package": "shared",
        },
        "toolchain": {"apache-tvm": tvm.__version__},
        "checkpoint": {"name": "toy", "source": "random", "repo": None, "revision": None, "digest": "0" * 64},
        "lexicon": None,
        "verification": None,
    }  # fmt: skip
    data["digest"] = manifest.digest(data)
    manifest.validate(data, SECTION)
    (folder / "manifests" / f"{name}.json").write_bytes(manifest.canonical(data))
    listed = {key: value for key, value in data["variant"].items() if key != "target"}
    index = {
        "schema_version": 2,
        "default": name,
        "manifests": [
            {"name": name, "file": f"{name}.json", "digest": data["digest"], **listed, "target": data["target"],
             "size": sum(archive["size"] for archive in data["archives"].values())}
        ],
    }  # fmt: skip
    manifest.validate_index(index)
    (folder / "manifests" / "index.json").write_bytes(manifest.canonical(index))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "kv", [int(size) for size in sys.argv[3:]])

"""Writes a small ONNX file as Kokoro's int8 export is: rounded matrices with names of the exporter's."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from g2p_build.models.kokoro.architecture import Architecture, expected

State = dict[str, torch.Tensor]

DTYPES = {torch.float32: 1, torch.uint8: 2, torch.int8: 3, torch.int32: 6, torch.int64: 7}


def number(value: int) -> bytes:
    """A number of seven bits a byte."""
    found = b""
    while value > 127:
        found, value = found + bytes([value & 127 | 128]), value >> 7
    return found + bytes([value])


def field(index: int, content: bytes | int) -> bytes:
    """A field of a message."""
    if isinstance(content, int):
        return number(index << 3) + number(content)
    return number(index << 3 | 2) + number(len(content)) + content


def tensor(name: str, value: torch.Tensor) -> bytes:
    """A message TensorProto. Small whole numbers are in its list of numbers, as exporters write zeros."""
    said = b"".join(field(1, size) for size in value.shape) + field(2, DTYPES[value.dtype]) + field(8, name.encode())
    if value.dtype in (torch.int8, torch.uint8) and value.dim() < 2:
        numbers = b"".join(number(int(each) % (1 << 64)) for each in value.reshape(-1))
        return said + field(5, numbers)
    return said + field(9, value.contiguous().view(-1).view(torch.uint8).numpy().tobytes())


def node(kind: str, name: str, inputs: Iterable[str]) -> bytes:
    """A message NodeProto."""
    return b"".join(field(1, each.encode()) for each in inputs) + field(3, name.encode()) + field(4, kind.encode())


def exported(architecture: Architecture, state: State) -> tuple[bytes, State]:
    """The file, and the tensors that it stands for: the matrices as they are after rounding."""
    values: State = {}
    nodes: list[bytes] = []
    rounded: State = {}
    lstms: dict[str, State] = {}
    for name in expected(architecture):
        if ".norm." in name:
            rounded[name] = state[name]
            continue
        module, _, part = name.rpartition(".")
        side = "decoder" if name.startswith("decoder.") else "encoder"
        if "_l0" in part:
            lstms.setdefault(module, {})[part] = state[name]
        elif name.endswith(("embeddings.weight", "embedding.weight")):
            whole, scale, zero = rounding(state[name], torch.int8, None)
            values |= {f"{side}.{name}_quantized": whole, f"{side}.{name}_scale": scale, f"{side}.zero": zero}
            path = f"/{side}/{module.replace('.', '/')}/Gather_quant_DequantizeLinear"
            nodes.append(node("DequantizeLinear", path, ["rows", f"{side}.{name}_scale", f"{side}.zero"]))
            rounded[name] = (whole.float() - zero.float()) * scale
        elif state[name].dim() < 2 or "alpha" in name or part != "weight":
            values[f"{side}.{name}"] = state[name]
            rounded[name] = state[name]
        elif ".ups." in name or "pool" in name or "conv_post" in name:
            values[f"/{name}"] = state[name]
            nodes.append(
                node("Conv" if "post" in name else "ConvTranspose", f"{path_of(side, module)}/Conv", ["x", f"/{name}"])
            )
            rounded[name] = state[name]
        elif "l_linear" in name:
            values[f"/{name}"] = state[name].T
            nodes.append(node("MatMul", f"{path_of(side, module)}/MatMul", ["x", f"/{name}"]))
            rounded[name] = state[name]
        else:
            flat = state[name].dim() == 2
            matrix = state[name].T if flat else state[name]
            whole, scale, zero = rounding(matrix, torch.int8 if flat else torch.uint8, 0 if flat else None)
            values |= {f"/{name}_quantized": whole, f"/{name}_scale": scale, f"/{name}_zero": zero}
            kind = "MatMulInteger" if flat else "ConvInteger"
            inputs = ["x", f"/{name}_quantized", "zero", f"/{name}_zero"]
            nodes.append(node(kind, f"{path_of(side, module)}/MatMul_quant", inputs))
            nodes.append(node(kind, f"{path_of(side, module)}_1/MatMul_quant", ["x", "elsewhere", "zero", "zero"]))
            back = (whole.float() - zero.float()) * scale
            rounded[name] = back.T if flat else back
    for module, parts in lstms.items():
        inputs = []
        for part in ("ih", "hh"):
            both = torch.stack([gates(parts[f"weight_{part}_l0{each}"]).T for each in ("", "_reverse")])
            scale = both.abs().amax((1, 2)) / 127
            whole = (both / scale[:, None, None]).round().to(torch.int8)
            values |= {f"{module}_{part}_quantized": whole, f"{module}_{part}_scale": scale}
            values[f"{module}_zero"] = torch.zeros(2, dtype=torch.int8)
            inputs.append((f"{module}_{part}_quantized", f"{module}_{part}_scale"))
            for direction, each in enumerate(("", "_reverse")):
                back = whole[direction].float() * scale[direction]
                rounded[f"{module}.weight_{part}_l0{each}"] = gates(back.T, back=True)
                rounded[f"{module}.bias_{part}_l0{each}"] = parts[f"bias_{part}_l0{each}"]
        values[f"{module}_biases"] = torch.stack(
            [torch.cat([gates(parts[f"bias_{part}_l0{each}"]) for part in ("ih", "hh")]) for each in ("", "_reverse")]
        )
        (first, first_scale), (second, second_scale) = inputs
        zero = f"{module}_zero"
        taken = ["x", first, second, f"{module}_biases", "", "", "", "", first_scale, zero, second_scale, zero]
        nodes.append(node("DynamicQuantizeLSTM", f"{path_of('encoder', module)}/LSTM_quant", taken))
    graph = b"".join(field(1, each) for each in nodes)
    graph += b"".join(field(5, tensor(name, value)) for name, value in values.items())
    return field(1, 8) + field(7, graph), {name: rounded[name] for name in expected(architecture)}


def path_of(side: str, module: str) -> str:
    """The name of a module's node. The predictor's blocks are named without it, and a list's number with the list's."""
    parts = module.split(".")
    if parts[0] == "predictor" and parts[1] in ("F0", "N", "F0_proj", "N_proj", "shared"):
        parts = parts[1:]
    found: list[str] = []
    for part in parts:
        if part.isdigit() and found:
            listed = f"{found[-1]}.{part}"
            found = [*found, listed] if found[-1] == "cnn" or "." in found[-1] else [*found[:-1], listed]
        else:
            found.append(part)
    return f"/{side}/{'/'.join(found)}"


def rounding(
    matrix: torch.Tensor, dtype: torch.dtype, axis: int | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A matrix in eight bits, with its scale and its zero: one, or one for each column."""
    most = matrix.abs().max() if axis is None else matrix.abs().amax(axis)
    scale = most / 127
    zero = torch.zeros_like(scale, dtype=torch.int8)
    if dtype == torch.uint8:
        zero = torch.full_like(scale, 128).to(torch.uint8)
    return ((matrix / scale).round() + zero.float()).to(dtype), scale, zero


def gates(rows: torch.Tensor, back: bool = False) -> torch.Tensor:
    """Torch's order of an LSTM's gates (input, forget, cell, output) to ONNX's (input, output, forget, cell)."""
    first, second, third, fourth = rows.chunk(4)
    return torch.cat([first, third, fourth, second] if back else [first, fourth, second, third])

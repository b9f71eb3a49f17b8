"""Reads a checkpoint's files: its architecture, and its tensors in one canonical form."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from g2p_build.checkpoints.files import CONFIG, read_config
from g2p_build.errors import BuildError
from g2p_build.models.architecture import EMBEDDINGS, Architecture, architecture_of, checkpoint_tensors

__all__ = ["Reader", "finite_float32", "open_tensors", "read_checkpoint", "unpickled"]

_FLOATS = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


def read_checkpoint(files: Mapping[str, Path]) -> tuple[Architecture, dict[str, torch.Tensor]]:
    """Reads a transformers checkpoint, and checks everything that would make the compiled model wrong.

    Args:
        files: name → path, as from `files.find_files`.

    Returns:
        The architecture, and the tensors that `checkpoint_tensors` lists for it. Each is float32, contiguous, with
        memory of its own. The token embedding appears once, as `shared.weight`.

    Raises:
        BuildError: the checkpoint is not a T5 with ByT5's vocabulary; or one of its files is damaged or holds code; or
            tensors are missing, do not fit the config, or hold values that are not finite floats.
    """
    config = read_config(files[CONFIG])
    with ExitStack() as stack:
        readers: dict[str, Reader] = {}
        for name, path in sorted(files.items()):
            if name.endswith(".json"):
                continue
            for tensor, reader in open_tensors(name, path, stack):
                if tensor in readers:
                    raise BuildError(f"the tensor {tensor} is in both {readers[tensor].file} and {name}")
                readers[tensor] = reader
        readers = _without_wrappers(readers)
        architecture = architecture_of(config, {name: reader.shape for name, reader in readers.items()})
        state = {name: _read(name, readers) for name in checkpoint_tensors(architecture)}
    return architecture, state


def _without_wrappers(readers: dict[str, Reader]) -> dict[str, Reader]:
    """The tensors by their own names, where a trainer has put a wrapper's name before each of them."""
    for prefix in ("_orig_mod.", "module.", "model."):  # torch.compile, DataParallel, Lightning
        if readers and all(name.startswith(prefix) for name in readers):
            return _without_wrappers({name.removeprefix(prefix): reader for name, reader in readers.items()})
    return readers


class Reader:
    """A tensor that can be read later. It lies in a mapped safetensors file, or in memory (from a pickle)."""

    def __init__(self, file: str, source: safe_open | torch.Tensor, name: str) -> None:
        self.file = file
        self._source = source
        self._name = name
        if isinstance(source, torch.Tensor):
            self.shape, self.dtype = tuple(source.shape), _FLOATS.get(source.dtype, str(source.dtype))
            if source.layout != torch.strided or source.is_meta:
                self.dtype = "without values" if source.is_meta else str(source.layout)
        else:
            view = source.get_slice(name)
            self.shape, self.dtype = tuple(view.get_shape()), view.get_dtype()

    def tensor(self) -> torch.Tensor:
        """The values, as they are stored."""
        return self._source if isinstance(self._source, torch.Tensor) else self._source.get_tensor(self._name)


def open_tensors(name: str, path: Path, stack: ExitStack) -> Iterator[tuple[str, Reader]]:
    """The tensors of a safetensors file, which `stack` keeps open, or of a pickle.

    Raises:
        BuildError: the file, called `name`, is damaged, holds code, or is no table of tensors by name.
    """
    if name.endswith(".safetensors"):
        try:
            file = stack.enter_context(safe_open(path, framework="pt"))
        except (SafetensorError, OSError) as error:
            raise BuildError(
                f"{name} is truncated or not a safetensors file ({_one_line(error)}): fetch it again"
            ) from None
        yield from ((tensor, Reader(name, file, tensor)) for tensor in file.keys())  # noqa: SIM118 (not a dict)
        return
    state = unpickled(name, path)
    if not isinstance(state, dict) or not all(
        isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in state.items()
    ):
        raise BuildError(f"{name} is not a table of tensors by name")
    yield from ((tensor, Reader(name, value, tensor)) for tensor, value in state.items())


def unpickled(name: str, path: Path) -> object:
    """What a file of torch.save holds: tensors, and tables and lists of them.

    Raises:
        BuildError: the file, called `name`, is damaged, or holds anything else.
    """
    try:
        found: object = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        # Torch's own message advises to load the file unsafely, so we do not show it.
        raise BuildError(
            f"{name} holds more than weights and could run code, or is damaged: "
            "convert it to model.safetensors where you trust it"
        ) from None
    except Exception as error:  # on damaged bytes, torch raises exceptions of many kinds
        raise BuildError(f"{name} is truncated or not a file of weights ({_one_line(error)}): fetch it again") from None
    return found


def _read(name: str, readers: Mapping[str, Reader]) -> torch.Tensor:
    names = [alias for alias in EMBEDDINGS if alias in readers] if name == EMBEDDINGS[0] else [name]
    tensor = finite_float32(names[0], readers[names[0]])
    for alias in names[1:]:
        if not torch.equal(tensor, finite_float32(alias, readers[alias])):
            raise BuildError(f"the checkpoint's {alias} differs from its {names[0]}: T5 has one token embedding")
    return tensor


def finite_float32(name: str, reader: Reader) -> torch.Tensor:
    """A tensor's values, contiguous and in memory of their own.

    Raises:
        BuildError: they are not floats, or some are NaN or infinite.
    """
    if reader.dtype not in _FLOATS.values():
        raise BuildError(
            f"the tensor {name} in {reader.file} is {reader.dtype}: only float32, float16 and bfloat16 "
            "weights are taken"
        )
    tensor = reader.tensor().to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    if not torch.isfinite(tensor).all():
        raise BuildError(
            f"the tensor {name} in {reader.file} has values that are NaN or infinite: the checkpoint is broken"
        )
    return tensor


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__

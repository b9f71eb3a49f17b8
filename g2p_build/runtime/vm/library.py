"""Opens a library for the Relax virtual machine with ``tvm_ffi`` and ``libtvm_runtime``. It loads no compiler."""

import ctypes
import filecmp
import importlib.util
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from g2p_build.runtime.errors import LibraryFailed

__all__ = ["aligned_zeros", "array_of", "open_library", "tensor_of"]

_POOLED_ALLOCATOR = 2
_PROBE = "ffi.Module.load_from_bytes.relax.VMExecutable"  # registered by libtvm_runtime when it loads
_loading = threading.Lock()


class _WithoutTorch:
    """Hides torch from one thread's imports. Otherwise ``import tvm_ffi`` loads torch, which takes a second."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "torch" and threading.get_ident() == self.thread:
            raise ModuleNotFoundError("torch is not needed by the runtime", name=name)


def _tvm_ffi() -> Any:
    """Imports ``tvm_ffi``, without loading torch if the process has not loaded it."""
    if "tvm_ffi" not in sys.modules:
        os.environ.setdefault("TVM_FFI_DISABLE_TORCH_C_DLPACK", "1")
        hider = _WithoutTorch()
        if "torch" not in sys.modules:
            sys.meta_path.insert(0, hider)
        try:
            import tvm_ffi
        except (ImportError, OSError, RuntimeError) as error:
            raise LibraryFailed(f"tvm_ffi does not load: {_one_line(error)}: reinstall apache-tvm-ffi") from None
        finally:
            if hider in sys.meta_path:
                sys.meta_path.remove(hider)
        return tvm_ffi
    return sys.modules["tvm_ffi"]


def open_library(library: Path, runtime: Path | None, device_type: int) -> Callable[[str], Any]:
    """Loads a library and starts its virtual machine.

    Args:
        library: the shared library, from the library archive.
        runtime: ``libtvm_runtime`` from the same archive. It is loaded once, and only if the process does not have
            TVM's runtime already.
        device_type: DLPack's number; 1 is the CPU.

    Returns:
        A function from a name to the library's function of that name. The library's functions take and return tensors,
        and release the interpreter lock while they run. For an unknown name it raises LibraryFailed.

    Raises:
        LibraryFailed: one of the libraries does not load.
    """
    with _loading:
        ffi = _tvm_ffi()
        if ffi.get_global_func(_PROBE, allow_missing=True) is None:
            if runtime is None:
                raise LibraryFailed(f"{library.name}: needs TVM's runtime, which its archive does not hold")
            _load_runtime(runtime)
        try:
            machine = ffi.load_module(str(library))["vm_load_executable"]()
            machine["vm_initialization"](device_type, 0, _POOLED_ALLOCATOR)
        except Exception as error:  # tvm_ffi raises many kinds
            raise LibraryFailed(f"{library.name}: does not load: {_one_line(error)}") from None

    def function(name: str) -> Any:
        try:
            return machine[name]
        except AttributeError:
            raise LibraryFailed(f"{library.name}: has no function '{name}', which its manifest names") from None

    return function


def _load_runtime(runtime: Path) -> None:
    """Loads libtvm_runtime with global symbols, because the model's library looks up symbols in it.

    A second copy aborts the process. So if the installed ``tvm`` package has a file with the same bytes, that file is
    loaded instead: a later ``import tvm`` then finds it loaded.
    """
    spec = importlib.util.find_spec("tvm")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        installed = Path(folder, "lib", runtime.name)
        if installed.is_file() and filecmp.cmp(installed, runtime, shallow=False):
            runtime = installed
    try:
        ctypes.CDLL(str(runtime), ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise LibraryFailed(
            f"{runtime.name}: does not load: {_one_line(error)}: is apache-tvm-ffi the version in the manifest?"
        ) from None


def tensor_of(array: np.ndarray) -> Any:
    """A tensor that uses the array's own memory. The array must be writable and aligned to 64 bytes."""
    return _tvm_ffi().from_dlpack(array, require_alignment=64, require_contiguous=True)


def array_of(tensor: Any) -> np.ndarray:
    """An array that uses the tensor's own memory."""
    return np.from_dlpack(tensor)


def aligned_zeros(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """An array of zeros whose address is a multiple of 64 bytes. The kernels assume that."""
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)


def _one_line(error: BaseException) -> str:
    line = " ".join(str(error).split())
    return line if len(line) <= 200 else f"{line[:200]}..."

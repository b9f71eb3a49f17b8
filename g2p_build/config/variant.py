"""A variant: one point of the matrix of what can be built, resolved and checked."""

from dataclasses import asdict, dataclass, replace
from typing import Any

__all__ = ["Checkpoint", "MaxLens", "Target", "Variant", "as_json", "on_virtual_machine"]


@dataclass(frozen=True)
class Checkpoint:
    """Where the weights come from; a family adds what it must know of its own checkpoints."""

    name: str  # one name, one checkpoint, within a command
    family: str
    source: str  # "embedded", "hub", "path" or "random"
    repo: str | None  # hub: "owner/name"
    revision: str | None  # hub: a commit's 40 hex digits
    path: str | None  # path: a directory that exists
    seed: int  # random; 0 elsewhere


@dataclass(frozen=True)
class MaxLens:
    """Upper bounds in tokens, the end token included."""

    input: int
    output: int

    @property
    def label(self) -> str:
        """Part of a name: "i64-o128"."""
        return f"i{self.input}-o{self.output}"


@dataclass(frozen=True)
class Target:
    """The machine that runs the code."""

    name: str
    kind: str  # TVM's target kind: "llvm"
    triple: str  # concrete: never "host"
    cpu: str  # concrete: never "host"
    features: tuple[str, ...]  # what the CPU must have, names as in runtime/cpu.py
    engine: str  # "standalone": a plain C library; "vm": run by TVM's virtual machine
    package: str  # "shared": linked, can be loaded; "objects": for the app's own linker; "module": WebAssembly


@dataclass(frozen=True)
class Variant:
    """One build: a library for one target, the weights that go with it, and the manifest of both."""

    checkpoint: Checkpoint
    target: Target
    batch: tuple[int, ...]  # sizes in one library: positive, ascending, unique
    max_lens: MaxLens
    dtype: str  # of the weights: "float32" or "float16"
    kv_cache: bool

    @property
    def name(self) -> str:
        """Also a file name: "embedded-host-b1.8-i64-o128-float32-kv"."""
        return f"{self.checkpoint.name}-{self.target.name}-{self._label(self.batch)}"

    @property
    def compiled_batch(self) -> tuple[int, ...]:
        """The sizes that functions are made for: a standalone library's take any number of rows up to the greatest."""
        return self.batch[-1:] if self.target.engine == "standalone" else self.batch

    @property
    def program_label(self) -> str:
        """Tells programs of one checkpoint apart: "b8-i64-o128-float32-kv"."""
        return self._label(self.compiled_batch) + (
            "" if self.target.engine == "standalone" else f"-{self.target.engine}"
        )

    @property
    def code_label(self) -> str:
        """Tells the code of programs apart: "embedded-host-b8-i64-o128-float32-kv"."""
        return f"{self.checkpoint.name}-{self.target.name}-{self.program_label}"

    def _label(self, batch: tuple[int, ...]) -> str:
        cache = "kv" if self.kv_cache else "nokv"
        return f"b{'.'.join(map(str, batch))}-{self.max_lens.label}-{self.dtype}-{cache}"


def on_virtual_machine(variant: Variant) -> Variant:
    """The variant with the same kernels in a library for TVM's virtual machine, which can call each of them alone."""
    return replace(variant, target=replace(variant.target, engine="vm", name=f"{variant.target.name}+vm"))


def as_json(variant: Variant) -> dict[str, Any]:
    """A variant as plain JSON data: its name and its six fields in full."""
    return {"name": variant.name} | _plain(asdict(variant))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value

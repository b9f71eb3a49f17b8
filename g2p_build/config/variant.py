"""A variant: one point of the matrix of what can be built, resolved and checked."""

from dataclasses import asdict, dataclass, replace
from typing import Any

__all__ = ["Checkpoint", "Draft", "Lexicon", "MaxLens", "Target", "Variant", "as_json", "on_virtual_machine"]


@dataclass(frozen=True)
class Checkpoint:
    """Where the weights come from. A family adds the fields that only its checkpoints have."""

    name: str  # unique within a command
    family: str
    source: str  # "embedded", "hub", "path" or "random"
    repo: str | None  # hub: "owner/name"
    revision: str | None  # hub: a commit's 40 hex digits
    path: str | None  # path: a directory that exists
    seed: int  # random; 0 elsewhere


@dataclass(frozen=True)
class MaxLens:
    """Upper bounds in tokens. They include the end token."""

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
    features: tuple[str, ...]  # what the CPU must have, named as in runtime/cpu.py
    engine: str  # "standalone": a plain C library; "vm": run by TVM's virtual machine
    package: str  # "shared": a library ready to load; "objects": for the app's own linker; "module": WebAssembly


@dataclass(frozen=True)
class Lexicon:
    """Words that are not left to the model, and where they come from."""

    files: tuple[
        str, ...
    ] = ()  # "embedded", or paths that exist: LANG.tsv, a folder of them, a table; the first counts
    exceptions: str | None = None  # a folder of dictionaries; the words that the model gets wrong come after the files
    use: str | None = None  # a folder of lists of how much words are used
    max_bytes: int = 0  # of the exceptions' table; 0 without exceptions
    label: str = ""  # part of the variant's name; empty for what the checkpoint has by default

    @property
    def is_off(self) -> bool:
        """Whether all words are left to the model."""
        return not self.files and self.exceptions is None


@dataclass(frozen=True)
class Draft:
    """The table that pronunciations are guessed by before the model checks them, and what it is made from."""

    path: str | None = None  # "embedded", or one that exists: a table, LANG.tsv or a folder of them
    words: str | None = None  # a file or folder of words that the model itself pronounces
    max_bytes: int = 0  # of a language's part of a table that is made here
    label: str = ""  # part of the variant's name; empty for what the checkpoint has by default

    @property
    def is_off(self) -> bool:
        """Whether nothing is guessed."""
        return self.path is None and self.words is None


@dataclass(frozen=True)
class Variant:
    """One build: a library for one target, the weights that go with it, and the manifest of both."""

    checkpoint: Checkpoint
    target: Target
    batch: tuple[int, ...]  # batch sizes that the library has: positive, ascending, unique
    max_lens: MaxLens
    dtype: str  # of the weights: "float32", "float16", "bfloat16" or "int8"
    kv_cache: bool
    lexicon: Lexicon = Lexicon()
    draft: Draft = Draft()

    @property
    def name(self) -> str:
        """The variant's name, also used for files: "embedded-host-b1.8-i64-o128-float32-kv"."""
        labels = filter(None, [self.lexicon.label, self.draft.label])
        return "-".join([self.checkpoint.name, self.target.name, self._label(self.batch), *labels])

    @property
    def compiled_batch(self) -> tuple[int, ...]:
        """The batch sizes that get functions. A standalone library needs only the greatest: it takes fewer rows too."""
        return self.batch[-1:] if self.target.engine == "standalone" else self.batch

    @property
    def program_label(self) -> str:
        """Distinguishes the programs of one checkpoint: "b8-i64-o128-float32-kv"."""
        return self._label(self.compiled_batch) + (
            "" if self.target.engine == "standalone" else f"-{self.target.engine}"
        )

    @property
    def code_label(self) -> str:
        """Distinguishes the code made from programs: "embedded-host-b8-i64-o128-float32-kv"."""
        return f"{self.checkpoint.name}-{self.target.name}-{self.program_label}"

    def _label(self, batch: tuple[int, ...]) -> str:
        cache = "kv" if self.kv_cache else "nokv"
        return f"b{'.'.join(map(str, batch))}-{self.max_lens.label}-{self.dtype}-{cache}"


def on_virtual_machine(variant: Variant) -> Variant:
    """The same variant for TVM's virtual machine, which can call each kernel by itself."""
    return replace(variant, target=replace(variant.target, engine="vm", name=f"{variant.target.name}+vm"))


def as_json(variant: Variant) -> dict[str, Any]:
    """A variant as plain JSON data: its name and its eight fields."""
    return {"name": variant.name} | _plain(asdict(variant))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value

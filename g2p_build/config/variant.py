"""A variant: one point of the matrix of what can be built, resolved and checked."""

from dataclasses import asdict, dataclass, replace
from typing import Any

__all__ = ["Checkpoint", "MaxLens", "Shape", "Target", "Variant", "as_json", "on_virtual_machine"]


@dataclass(frozen=True)
class Shape:
    """The shape of a T5 with random weights; the fields are transformers' T5Config's, sizes in elements."""

    d_model: int
    d_kv: int
    d_ff: int
    num_heads: int
    num_layers: int  # of the encoder
    num_decoder_layers: int
    feed_forward_proj: str
    tie_word_embeddings: bool
    relative_attention_num_buckets: int
    relative_attention_max_distance: int
    vocab_size: int
    layer_norm_epsilon: float


@dataclass(frozen=True)
class Checkpoint:
    """Where the weights come from, and how the model is prompted."""

    name: str  # one name, one checkpoint, within a command
    source: str  # "embedded", "hub", "path" or "random"
    repo: str | None  # hub: "owner/name"
    revision: str | None  # hub: a commit's 40 hex digits
    path: str | None  # path: a directory that exists
    shape: Shape | None  # random
    seed: int  # random; 0 elsewhere
    prompt: str  # a template with {lang}, {space} and {word}
    space_after_colon: bool
    append_eos: bool
    byte_offset: int = 3  # the id of byte 0
    pad_id: int = 0
    eos_id: int = 1
    unk_id: int = 2
    decoder_start_id: int = 0
    languages: tuple[str, ...] | None = None  # None: not known, so no language is refused

    @property
    def resolved_prompt(self) -> str:
        """The template with the space decided: "<{lang}>: {word}"."""
        return self.prompt.replace("{space}", " " if self.space_after_colon else "")


@dataclass(frozen=True)
class MaxLens:
    """Upper bounds in tokens, the end token included."""

    input: int
    output: int


@dataclass(frozen=True)
class Target:
    """The machine that runs the code."""

    name: str
    kind: str  # TVM's target kind: "llvm"
    triple: str  # concrete: never "host"
    cpu: str  # concrete: never "host"
    features: tuple[str, ...]  # what the CPU must have, names as in runtime/cpu.py
    link: str  # "standalone": a plain C library; "vm": run by TVM's virtual machine
    library: str  # "shared": linked, can be loaded; "objects": for the app's own linker; "module": WebAssembly


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
        batch = ".".join(map(str, self.batch))
        cache = "kv" if self.kv_cache else "nokv"
        lens = f"i{self.max_lens.input}-o{self.max_lens.output}"
        return f"{self.checkpoint.name}-{self.target.name}-b{batch}-{lens}-{self.dtype}-{cache}"


def on_virtual_machine(variant: Variant) -> Variant:
    """The variant with the same kernels in a library for TVM's virtual machine, which can call each of them alone."""
    return replace(variant, target=replace(variant.target, link="vm", name=f"{variant.target.name}+vm"))


def as_json(variant: Variant) -> dict[str, Any]:
    """A variant as plain JSON data: its name and its six fields in full."""
    return {"name": variant.name} | _plain(asdict(variant))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value

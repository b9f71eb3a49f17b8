"""Who is compared: our variants, and what else speaks with the same weights."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.common.named import OURS
from g2p_build.config.variant import Variant

__all__ = ["PEERS", "Contender", "ours"]


@dataclass(frozen=True)
class Contender:
    """One library at one precision."""

    name: str
    engine: str  # the module in bench.speak.engines
    dtype: str
    says: str  # what it is, for the report
    packages: str | None = None  # the list in peers/ that it needs; None: the build's own environment has it
    made_for: tuple[str, ...] | None = None  # fields of the setup that its own files are made for; None: it has none
    source: str | None = None  # of the checkpoint that its files are made of; None: of any
    asked: bool = False  # it takes part only where it is named
    variant: Variant | None = None  # ours


PEERS = (
    Contender("eager", "eager", "float32", "upstream's own code in PyTorch", "kokoro"),
    Contender(
        "compile",
        "compiled",
        "float32",
        "the same under `torch.compile`",
        "kokoro",
        made_for=("threads",),
        asked=True,
    ),
    Contender(
        "onnxruntime-float32",
        "onnxruntime",
        "float32",
        "ONNX Runtime, upstream's export",
        "onnxruntime",
        made_for=("dtype",),
    ),
    Contender(
        "onnxruntime-int8",
        "onnxruntime",
        "int8",
        "ONNX Runtime, kokoro-onnx's int8 file",
        "onnxruntime",
        made_for=("dtype",),
        source="packages",
    ),
)


def ours(variants: Sequence[Variant]) -> list[Contender]:
    """Our variants: "ours-float32", or with the whole name where several would be called that."""
    dtypes = [variant.dtype for variant in variants]
    return [
        Contender(
            f"{OURS}-{variant.dtype if dtypes.count(variant.dtype) == 1 else variant.name}",
            "ours",
            variant.dtype,
            "this project's runtime",
            variant=variant,
        )
        for variant in variants
    ]

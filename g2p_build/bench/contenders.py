"""Who is compared: our variants, and what their users would pick instead."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from g2p_build.errors import BuildError
from g2p_build.variant import Variant

__all__ = ["OURS", "PEERS", "TRUTH", "Contender", "chosen", "ours"]

OURS = "ours"
TRUTH = "eager"
"""Whose ids the others' are compared with, where it takes part."""


@dataclass(frozen=True)
class Contender:
    """One library at one precision."""

    name: str
    engine: str  # the module in g2p_build.bench.engines
    dtype: str
    says: str  # what it is, for the report
    packages: str | None = None  # the list in peers/ that it needs; None: the build's own environment has it
    prepared: bool = True  # it wants files of its own, made from the checkpoint
    prepared_for_threads: bool = False  # and they depend on how many threads there are
    variant: Variant | None = None  # ours
    only_batch: int | None = None  # too slow for more
    only_threads: int | None = None
    rounds: int | None = None


PEERS = (
    Contender("eager", "eager", "float32", "transformers `generate`", prepared=False),
    Contender("compile", "compiled", "float32", "the same under `torch.compile`", prepared_for_threads=True),
    Contender("ctranslate2-float32", "ctranslate2", "float32", "CTranslate2", "ctranslate2"),
    Contender("ctranslate2-int8", "ctranslate2", "int8", "CTranslate2", "ctranslate2"),
    Contender("executorch-float32", "executorch", "float32", "ExecuTorch with XNNPACK", "executorch"),
    Contender("executorch-int8", "executorch", "int8", "ExecuTorch with XNNPACK", "executorch"),
    Contender("onnxruntime-float32", "onnxruntime", "float32", "ONNX Runtime, three graphs", "onnxruntime"),
    Contender("onnxruntime-int8", "onnxruntime", "int8", "ONNX Runtime, three graphs", "onnxruntime"),
    Contender(
        "stock-tvm",
        "stock_tvm",
        "float32",
        "TVM's default pipeline (batch 1, one thread, one round)",
        only_batch=1,
        only_threads=1,
        rounds=1,
    ),
)


def ours(variants: Sequence[Variant]) -> list[Contender]:
    """Our variants: "ours-float32", or with the whole name where several have one dtype."""
    dtypes = [variant.dtype for variant in variants]
    return [
        Contender(
            f"{OURS}-{variant.dtype if dtypes.count(variant.dtype) == 1 else variant.name}",
            "ours",
            variant.dtype,
            "this project's runtime",
            prepared=False,
            variant=variant,
        )
        for variant in variants
    ]


def chosen(names: Iterable[str]) -> list[Contender]:
    """The peers of some names; a library's name alone means all its precisions. Our own always take part.

    Raises:
        BuildError: there is no such contender.
    """
    found: list[Contender] = []
    known = list(dict.fromkeys([OURS, *(name for peer in PEERS for name in (peer.name.split("-")[0], peer.name))]))
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise BuildError(
                f"unknown contender {name!r}: " + (f"did you mean {near[0]}?" if near else ", ".join(known))
            )
        found += [peer for peer in PEERS if name in (peer.name, peer.name.split("-")[0]) and peer not in found]
    return found

"""Who is compared: our variants, and what their users would pick instead."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.common.named import OURS
from bench.pronounce.setup import Setup
from g2p_build.config.variant import Variant
from g2p_build.families.g2p.checkpoint import g2p_checkpoint

__all__ = ["PEERS", "TRUTH", "Contender", "ours"]

TRUTH = "eager"
"""The contender whose ids the others' are compared with, where it takes part."""


@dataclass(frozen=True)
class Contender:
    """One library at one precision."""

    name: str
    engine: str  # the module in bench.pronounce.engines
    dtype: str
    says: str  # what it is, for the report
    packages: str | None = None  # the list in peers/ that it needs; None: the build's own environment has it
    made_for: tuple[str, ...] | None = None  # fields of the setup that its own files are made for; None: it has none
    variant: Variant | None = None  # ours
    only_batch: int | None = None  # the one batch size that it takes part with: it is too slow for others
    only_threads: int | None = None
    rounds: int | None = None  # it has at most so many turns
    loads: int | None = None  # it is opened at most so often
    lists: tuple[int, ...] = ()  # batch sizes to try on a whole list (0: its own choice); empty: it takes no lists

    def setup(
        self,
        variant: Variant,
        threads: int,
        folder: Path,
        batches: tuple[int, ...],
        buckets: tuple[int, ...] = (),
        forced_tokens: int | None = None,
    ) -> Setup:
        """How it is opened for a variant's checkpoint and bounds; the arguments are `Setup`'s fields."""
        checkpoint = g2p_checkpoint(variant)
        return Setup(
            engine=self.engine,
            dtype=self.dtype,
            threads=threads,
            folder=str(folder),
            batches=batches,
            buckets=buckets,
            max_input=variant.max_lens.input,
            max_tokens=variant.max_lens.output - 1,
            forced_tokens=forced_tokens,
            pad_id=checkpoint.pad_id,
            eos_id=checkpoint.eos_id,
            decoder_start_id=checkpoint.decoder_start_id,
        )


_ANY = ("dtype", "max_input", "max_tokens")
_STATIC = ("dtype", "batches", "buckets", "tokens")
_TWO = ("float32", "int8")
_LISTS = (8, 16, 32, 64, 128)

PEERS = (
    Contender("eager", "eager", "float32", "transformers `generate`"),
    Contender(
        "compile",
        "compiled",
        "float32",
        "the same under `torch.compile`",
        made_for=(*_STATIC, "threads"),
        loads=1,
    ),
    *(
        Contender(f"ctranslate2-{d}", "ctranslate2", d, "CTranslate2", "ctranslate2", ("dtype",), lists=_LISTS)
        for d in _TWO
    ),
    *(Contender(f"executorch-{d}", "executorch", d, "ExecuTorch with XNNPACK", "executorch", _STATIC) for d in _TWO),
    *(Contender(f"onnxruntime-{d}", "onnxruntime", d, "ONNX Runtime", "onnxruntime", _ANY) for d in _TWO),
    Contender(
        "stock-tvm",
        "stock_tvm",
        "float32",
        "TVM's default pipeline (batch 1, one thread, one round)",
        made_for=_STATIC,
        only_batch=1,
        only_threads=1,
        rounds=1,
        loads=1,
    ),
)


def ours(variants: Sequence[Variant]) -> list[Contender]:
    """Our variants: "ours-float32", "ours-vm-float32", or with the whole name where several would be called that."""
    short = [("vm-" if variant.target.engine == "vm" else "") + variant.dtype for variant in variants]
    names = [name if short.count(name) == 1 else variant.name for variant, name in zip(variants, short, strict=True)]
    return [_ours(variant, name) for variant, name in zip(variants, names, strict=True)]


def _ours(variant: Variant, name: str) -> Contender:
    name = f"{OURS}-{name}"
    if variant.target.engine == "vm":
        return Contender(name, "ours_vm", variant.dtype, "this project's, on TVM's virtual machine", variant=variant)
    return Contender(name, "ours", variant.dtype, "this project's runtime", variant=variant, lists=(0,))

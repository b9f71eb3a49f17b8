"""transformers' `generate` with four beams on our checkpoint: what a better search than the greedy one would give."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench.accuracy.contender import CannotRun, Opened, Say
from bench.accuracy.words import Language
from bench.common.parts import library_bytes
from bench.pronounce.engines import eager
from g2p_build import graph
from g2p_build.config.variant import Variant
from g2p_build.engine.build import Build
from g2p_build.families.g2p.checkpoint import g2p_checkpoint

__all__ = ["BEAMS", "opened"]

BEAMS = 4


def opened(build: Build, variant: Variant, language: Language, say: Say) -> Opened:
    """Loads the files that the variant's checkpoint stage made.

    Args:
        build: the command's; the variant is built.
        variant: whose checkpoint.
        language: whose words it will be asked for.
        say: unused; loading takes seconds.

    Raises:
        CannotRun: the checkpoint does not know the language.
    """
    import torch

    from g2p_build.reference.generate import Reference

    checkpoint = g2p_checkpoint(variant)
    if checkpoint.languages is not None and language.code not in checkpoint.languages:
        raise CannotRun(f"the checkpoint does not know {language.code}")
    torch.set_num_threads(1)
    made = build.files(graph.nodes(variant)["checkpoint"])
    reference = Reference(checkpoint, made["architecture.json"], made["model.safetensors"])

    def said(words: Sequence[str]) -> list[str]:
        ids = reference.tokens(words, language.code, variant.max_lens.output, beams=BEAMS)
        return [reference.text(row) for row in ids]

    def ms(words: Sequence[str]) -> float:
        started = time.perf_counter()
        for word in words:
            said([word])
        return (time.perf_counter() - started) / len(words) * 1e3

    said(language.timed[:1])
    return Opened(said, ms, made["model.safetensors"].stat().st_size, library_bytes(eager.LIBRARIES))

"""Who is compared: our variants, and what their users would pick instead. The table is the whole list."""

import difflib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bench.accuracy.contender import Contender
from bench.accuracy.engines import beam, espeak, ours, phonetisaurus
from bench.pronounce import contenders
from g2p_build.config.variant import Variant
from g2p_build.engine.build import Build
from g2p_build.errors import BuildError

__all__ = ["all_of", "chosen"]

_OURS = "Apache-2.0"


def all_of(build: Build, variants: Sequence[Variant]) -> list[Contender]:
    """The table.

    Args:
        build: the command's; the variants are published in its tree.
        variants: ours. The first one's checkpoint is also run in transformers.
    """
    mine = [
        each
        for named in contenders.ours(variants)
        if named.variant
        for each in _ours(named.name, build.workspace.tree / "manifests" / f"{named.variant.name}.json")
    ]
    return [
        *mine,
        Contender(
            f"beam-{beam.BEAMS}",
            "the same checkpoint in transformers, the best of four beams",
            "Apache-2.0, BSD-3-Clause (PyTorch)",
            partial(beam.opened, build, variants[0]),
        ),
        *(
            Contender(
                f"phonetisaurus-{order}",
                f"Phonetisaurus, {order}-grams of the same words",
                "BSD-3-Clause",
                partial(phonetisaurus.opened, build.cache, order),
            )
            for order in (8, 4)
        ),
        Contender(
            "espeak-ng",
            "rules and exceptions written by hand",
            "GPL-3.0-or-later",
            espeak.opened,
            dictionary_notation=False,
        ),
    ]


def _ours(name: str, manifest: Path) -> list[Contender]:
    """The model alone, and with the lexicon of a variant that has one."""
    alone = Contender(name, "this project's runtime, the model alone", _OURS, partial(ours.opened, manifest, False))
    if not ours.has_lexicon(manifest):
        return [alone]
    both = partial(ours.opened, manifest, True)
    return [alone, Contender(f"{name}+lexicon", "the same with its lexicon", _OURS, both)]


def chosen(table: Sequence[Contender], names: Sequence[str]) -> list[Contender]:
    """Contenders by name, in the order of the table. A name also means those that go on with "-" or "+" after it.

    Args:
        table: `all_of`'s.
        names: none means all.

    Raises:
        BuildError: there is no such contender.
    """
    for name in names:
        if not any(_means(name, contender) for contender in table):
            known = [contender.name for contender in table]
            near = difflib.get_close_matches(name, known, 1)
            why = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise BuildError(f"unknown contender {name!r}: {why}")
    return [each for each in table if not names or any(_means(name, each) for name in names)]


def _means(name: str, contender: Contender) -> bool:
    return contender.name == name or contender.name.startswith((f"{name}-", f"{name}+"))

"""This project's own runtime: a published variant, the model alone or with the lexicon that it was built with."""

from __future__ import annotations

import contextlib
import json
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.accuracy.contender import CannotRun, Opened, Say
from bench.accuracy.words import Language
from bench.common.parts import library_bytes
from g2p_build.runtime import G2PError, archive, load

__all__ = ["has_lexicon", "opened"]


def has_lexicon(manifest: Path) -> bool:
    """Whether a variant was built with a lexicon."""
    return bool(json.loads(manifest.read_bytes())["files"].get("lexicon"))


def opened(manifest: Path, lexicon: bool, language: Language, say: Say) -> Opened:
    """Loads a variant.

    Args:
        manifest: of a published variant.
        lexicon: whether words that its lexicon has are looked up.
        language: whose words it will be asked for.
        say: unused; nothing here takes long.

    Raises:
        CannotRun: it cannot be loaded here, or does not know the language.
    """
    try:
        g2p = load(manifest, threads=1, lexicon=lexicon)
    except G2PError as error:
        raise CannotRun(str(error)) from None
    if g2p.languages is not None and language.code not in g2p.languages:
        raise CannotRun(f"the checkpoint does not know {language.code}")

    def pronounce(words: Sequence[str]) -> list[str]:
        return [result.phonemes for result in g2p.results(words, language.code)]

    def ms(words: Sequence[str]) -> float:
        started = time.perf_counter()
        for word in words:
            with contextlib.suppress(G2PError):  # a word that it refuses
                g2p([word], language.code)
        return (time.perf_counter() - started) / len(words) * 1e3

    pronounce(language.timed[:1])  # so that the library is mapped
    return Opened(pronounce, ms, _data_bytes(manifest, lexicon), library_bytes(("/libg2p.",)))


def _data_bytes(manifest: Path, lexicon: bool) -> int:
    """The size of the weights, and of the lexicon if it takes part."""
    data = json.loads(manifest.read_bytes())
    names = [data["files"]["weights"], *([data["files"]["lexicon"]] if lexicon else [])]
    with tarfile.open(archive.find(manifest, data["archives"]["weights"]["file"])) as tar:
        return sum(tar.getmember(name).size for name in names)

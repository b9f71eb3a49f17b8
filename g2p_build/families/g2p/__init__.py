"""Grapheme to phoneme: a ByT5 encoder and decoder that spell a word's pronunciation, byte by byte."""

from g2p_build.config.family import Family, Native, Reference
from g2p_build.families.g2p.checkpoint import G2PCheckpointConf, check, checkpoint
from g2p_build.families.g2p.draft import draft
from g2p_build.families.g2p.lexicon import lexicon
from g2p_build.families.g2p.model import model
from g2p_build.native.files import ANDROID, CORE, G2P, KOTLIN, SWIFT, WEB
from g2p_build.runtime.g2p_manifest import SECTION

__all__ = ["FAMILY"]

FAMILY = Family(
    name="g2p",
    conf=G2PCheckpointConf,
    checkpoint=checkpoint,
    check=check,
    model=model,
    native=Native(
        "g2p",
        (CORE, G2P),
        (WEB, WEB / "g2p"),
        (SWIFT, SWIFT / "g2p"),
        (ANDROID, ANDROID / "g2p"),
        KOTLIN / "g2p",
    ),
    lexicon=lexicon,
    draft=draft,
    section=SECTION,
    reference=Reference(golden="g2p_build.reference.golden", verify="g2p_build.reference.verify"),
    usual="embedded",
)

"""Letters: a second family of models, in these files alone. Two layers give each byte of a text a class."""

from pathlib import Path

from g2p_build.families.letters.checkpoint import LettersConf, check, checkpoint
from g2p_build.families.letters.model import model
from g2p_build.families.letters.section import SECTION

from g2p_build.config.family import Family, Native
from g2p_build.native.files import CORE

__all__ = ["FAMILY"]

NATIVE = Path(__file__).with_name("native")

FAMILY = Family(
    name="letters",
    conf=LettersConf,
    checkpoint=checkpoint,
    check=check,
    model=model,
    native=Native("letters", (CORE, NATIVE), (NATIVE,)),
    section=SECTION,
)

"""Kokoro: phonemes to sound. StyleTTS 2 with an iSTFTNet generator."""

from g2p_build.config.family import Family, Native
from g2p_build.families.kokoro.checkpoint import KokoroCheckpointConf, check, checkpoint
from g2p_build.families.kokoro.model import model
from g2p_build.native.files import ANDROID, CORE, KOTLIN, SWIFT, TTS, WEB
from g2p_build.runtime.kokoro_manifest import SECTION

__all__ = ["FAMILY"]

FAMILY = Family(
    name="kokoro",
    conf=KokoroCheckpointConf,
    checkpoint=checkpoint,
    check=check,
    model=model,
    native=Native(
        "tts",
        (CORE, TTS),
        (WEB, WEB / "tts"),
        (SWIFT, SWIFT / "tts"),
        (ANDROID, ANDROID / "tts"),
        KOTLIN / "tts",
    ),
    section=SECTION,
    usual="kokoro_packaged",
)

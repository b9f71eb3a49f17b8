"""espeak-ng's own command, as its user has it: rules and a list of exceptions for each language."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.accuracy.contender import CannotRun, Opened, Say
from bench.accuracy.engines.program import ask
from bench.accuracy.words import Language

__all__ = ["VOICES", "opened"]

VOICES = {"eng-us": "en-us", "fin": "fi", "spa-latin": "es-419", "swa": "sw"}
"""Languages whose notation can be compared (`notation`), and what espeak-ng calls them."""

_SHARED = ("phondata", "phonindex", "phontab", "intonations")
_SWITCH = re.compile(r"\([a-z-]+\)")  # marks words that it takes for another language's


def opened(language: Language, say: Say) -> Opened:
    """Looks where it is installed.

    Args:
        language: whose words it will be asked for.
        say: unused; nothing here takes long.

    Raises:
        CannotRun: it is not installed, or the language is not one of `VOICES`.
    """
    voice = VOICES.get(language.code)
    if voice is None:
        raise CannotRun(f"its notation of {language.code} is another one: see the page on accuracy")
    program = shutil.which("espeak-ng")
    if program is None:
        raise CannotRun("not installed: it is the Debian package espeak-ng")
    command = [program, "-q", "--ipa", "-b", "1", "-v", voice]

    def pronounce(words: Sequence[str]) -> list[str]:
        lines = ask(command, words).lines
        if len(lines) != len(words):
            raise CannotRun(f"espeak-ng wrote {len(lines)} lines for {len(words)} words")
        return [_SWITCH.sub("", line).replace(" ", "") for line in lines]

    def ms(words: Sequence[str]) -> float:
        return ask(command, words).ms

    libraries = ask(command, language.timed, ["/libespeak-ng."]).library_bytes
    data = _data_folder(program)
    known = [data / name for name in (*_SHARED, f"{voice.partition('-')[0]}_dict")]
    sizes = sum(path.stat().st_size for path in known if path.is_file())
    return Opened(pronounce, ms, sizes, Path(program).stat().st_size + libraries)


def _data_folder(program: str) -> Path:
    printed = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    return Path(printed.rpartition("Data at:")[2].strip())

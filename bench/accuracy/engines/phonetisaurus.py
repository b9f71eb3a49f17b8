"""Phonetisaurus: a joint n-gram of letters and phonemes, trained on the words that our checkpoint learns from.

Its programs come with the Python package `phonetisaurus`, in the extra `accuracy`. A model is trained once and kept in
the cache, under a digest of the words and the settings.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from filelock import FileLock

from bench.accuracy.contender import CannotRun, Opened, Say
from bench.accuracy.engines.program import ask
from bench.accuracy.words import Language
from bench.common.process import last_line
from g2p_build.reference.scores import Entry
from g2p_build.store.digests import digest_of
from g2p_build.store.scratch import scratch

__all__ = ["opened", "phonemes", "spelled"]

PACKAGE = "phonetisaurus"

LETTERS = 2
"""The most letters that are aligned with one group of phonemes."""

PHONEMES = {"tha": 3}
"""The most phonemes in such a group, where it is not 2."""

_SPACE, _RESERVED = "␣", "_|}"
_TONES = "˥˦˧˨˩"
_MODIFIERS = "ːʰʷʲˀ"
_TIE = "͡"


def opened(cache: Path, order: int, language: Language, say: Say) -> Opened:
    """Trains a model where there is none yet.

    Args:
        cache: the build's.
        order: how many groups of letters and phonemes an n-gram has.
        language: whose words it learns and will be asked for.
        say: told how far training is.

    Raises:
        CannotRun: its programs are not installed, or one failed.
    """
    programs = _Programs()
    model = _model(programs, cache, order, language, say)
    command = [programs.path("phonetisaurus-g2pfst"), f"--model={model}", "--wordlist=/dev/stdin"]

    def answer(words: Sequence[str]) -> list[str]:
        """What it says; "" for words that it says nothing of."""
        lines = ask(command, [spelled(word) for word in words], (), programs.environment).lines
        found = {word: said.replace(" ", "") for word, _, said in (line.split("\t") for line in lines)}
        return [found.get(spelled(word), "") for word in words]

    def ms(words: Sequence[str]) -> float:
        return ask(command, [spelled(word) for word in words], (), programs.environment).ms

    libraries = ask(
        command, [spelled(word) for word in language.timed], [f"/{PACKAGE}/"], programs.environment
    ).library_bytes
    program = Path(command[0]).stat().st_size
    return Opened(answer, ms, model.stat().st_size, program + libraries)


class _Programs:
    """The programs of the package, for this machine."""

    def __init__(self) -> None:
        found = importlib.util.find_spec(PACKAGE)
        if found is None or found.origin is None:
            raise CannotRun("not installed: pip install 'g2p-build[accuracy]'")
        folder, machine = Path(found.origin).parent, platform.machine()
        self.version = importlib.metadata.version(PACKAGE)
        self.environment = {**os.environ, "LD_LIBRARY_PATH": str(folder / "lib" / machine), "LC_ALL": "C.UTF-8"}
        self._folder = folder / "bin" / machine
        if not self._folder.is_dir():
            raise CannotRun(f"the package {PACKAGE} has no programs for {platform.system()} on {machine}")

    def path(self, name: str) -> str:
        return str(self._folder / name)

    def run(self, name: str, arguments: Iterable[str], folder: Path, hear: Callable[[str], None]) -> None:
        """Runs a program in a folder, and passes on the lines that it prints."""
        printed = ""
        with subprocess.Popen(
            [self.path(name), *arguments],
            cwd=folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process:
            assert process.stderr
            for line in process.stderr:
                printed = line.strip() or printed
                hear(line)
        if process.returncode:
            raise CannotRun(f"{name} failed: {last_line(printed)}")


def _model(programs: _Programs, cache: Path, order: int, language: Language, say: Say) -> Path:
    """The trained model; made if it is not there."""
    lexicon, most = _lexicon(language.taught), PHONEMES.get(language.code, 2)
    made_of = [programs.version, lexicon, LETTERS, most]

    def align(folder: Path) -> None:
        (folder / "lexicon").write_text(lexicon, encoding="utf-8")
        bounds = [f"--seq1_max={LETTERS}", f"--seq2_max={most}", "--seq1_del=false", "--seq2_del=true", "--grow=false"]

        def hear(line: str) -> None:
            if found := re.match(r"Iteration: (\d+)", line):
                say(f"{language.code}: phonetisaurus: aligning letters and phonemes, round {found[1]} of 11")

        programs.run("phonetisaurus-align", ["--input=lexicon", "--ofile=corpus", *bounds], folder, hear)

    def train(folder: Path) -> None:
        say(f"{language.code}: phonetisaurus: counting {order}-grams")
        counted = ["-o", str(order), "-t", str(corpus), "-wl", "arpa"]
        programs.run("estimate-ngram", counted, folder, lambda line: None)
        programs.run("phonetisaurus-arpa2wfst", ["--lm=arpa", "--ofile=model.fst"], folder, lambda line: None)
        (folder / "arpa").unlink()

    corpus = _kept(cache, f"{PACKAGE}-aligned", made_of, align) / "corpus"
    return _kept(cache, f"{PACKAGE}-{order}", [*made_of, order], train) / "model.fst"


def _kept(cache: Path, name: str, made_of: object, make: Callable[[Path], None]) -> Path:
    """A folder of the cache. `make` fills it if it is not there."""
    folder = cache / "bench" / f"{name}-{digest_of(made_of)[:16]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            out = scratch(cache) / folder.name
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            make(out)
            out.replace(folder)
    return folder


def _lexicon(entries: Iterable[Entry]) -> str:
    """Words and phonemes as its aligner reads them. Words with characters that it reserves are left out."""
    return "".join(
        f"{spelled(word)}\t{' '.join(phonemes(said))}\n"
        for word, known in entries
        for said in known
        if not any(character in word + said for character in _RESERVED)
    )


def spelled(word: str) -> str:
    """A word as its programs take it: spaces separate letters there."""
    return word.replace(" ", _SPACE)


def phonemes(said: str) -> list[str]:
    """The phonemes of a pronunciation: each with its modifiers, both parts of what is tied, a tone as a whole."""
    found: list[str] = []
    tied = False
    for character in said:
        toned = bool(found) and found[-1][-1] in _TONES + "ˀ"
        joins = unicodedata.combining(character) or character in _MODIFIERS or (toned and character in _TONES + "ʔ")
        if found and (tied or joins):
            found[-1] += character
        else:
            found.append(character)
        tied = character == _TIE
    return found

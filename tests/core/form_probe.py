"""Calls the core's code for forms of text. It is compiled with sanitizers and runs in a process of its own."""

import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from core_probe import compile_with_sanitizers

from g2p_build.runtime.form import CASES, Form

PARTS = ("segment.c",)  # beside what all probes have
TOO_LONG = 0xFFFFFFFF


@dataclass(frozen=True)
class Formed:
    """A word in a form (None: it is too long), and its first foreign character, if any: its byte, its code."""

    text: str | None
    foreign: tuple[int, int] | None = None


class FormProbe:
    """A running ``probe_form.c``."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __call__(
        self, form: Form, words: Sequence[str], alphabet: Sequence[tuple[int, int]] = (), capacity: int = 4096
    ) -> list[Formed]:
        """Brings words into a form. They may hold halves of surrogate pairs, which are not UTF-8."""
        found = []
        for _ in self._ask(b"F", form, [word.encode("utf-8", "surrogatepass") for word in words], alphabet, capacity):
            size = self._number()
            if size == TOO_LONG:
                found.append(Formed(None))
                continue
            text = self._read(size).decode()
            at, code = self._number(), self._number()
            found.append(Formed(text, None if at == TOO_LONG else (at, code)))
        return found

    def texts(self, form: Form, words: Sequence[str]) -> list[str | None]:
        """The words in a form."""
        return [formed.text for formed in self(form, words)]

    def kinds(self, texts: Sequence[str]) -> list[tuple[bytes, str]]:
        """For each text, the kinds of its characters, and the name of its last character's code point."""
        asked = self._ask(b"K", Form(), [text.encode() for text in texts], (), 0)
        return [(self._read(self._number()), self._read(self._number()).decode()) for _ in asked]

    def segments(self, texts: Sequence[str], whole: bool = True) -> list[list[str]]:
        """The segments of each text. Without `whole`, as Unicode's standard has them."""
        asked = self._ask(b"S" if whole else b"T", Form(), [text.encode() for text in texts], (), 0)
        found = []
        for number in asked:
            ends = [self._number() for _ in range(self._number())]
            data = texts[number].encode()
            found.append([data[start:end].decode() for start, end in zip([0, *ends], ends, strict=False)])
        return found

    def _ask(
        self, letter: bytes, form: Form, words: Sequence[bytes], alphabet: Sequence[tuple[int, int]], capacity: int
    ) -> range:
        flags = (form.nfc, form.visible, form.narrow, form.strip, CASES.index(form.case))
        pairs = sorted((ord(source), ord(target) if target else 0) for source, target in form.pairs.items())
        numbers = [*flags, len(pairs), *sum(pairs, ()), len(alphabet), *sum(alphabet, ()), capacity, len(words)]
        data = [letter, struct.pack(f"={len(numbers)}I", *numbers)]
        for word in words:
            data += [struct.pack("=I", len(word)), word]
        assert self.process.stdin
        self.process.stdin.write(b"".join(data))
        self.process.stdin.flush()
        return range(len(words))

    def _read(self, size: int) -> bytes:
        assert self.process.stdout and self.process.stderr
        data = self.process.stdout.read(size)
        if len(data) < size:
            raise AssertionError(self.process.stderr.read().decode(errors="replace"))
        return data

    def _number(self) -> int:
        return int.from_bytes(self._read(4), "little")

    def close(self) -> None:
        """Ends it. Raises if a sanitizer found something, such as a leak."""
        _, errors = self.process.communicate()
        assert self.process.returncode == 0, errors.decode(errors="replace")


@pytest.fixture(scope="session")
def compiled_form_probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_with_sanitizers(tmp_path_factory.mktemp("form") / "probe", ["probe_form.c"], PARTS)


@pytest.fixture(scope="module")
def formed(compiled_form_probe: Path) -> Iterator[FormProbe]:
    running = FormProbe(compiled_form_probe)
    yield running
    running.close()

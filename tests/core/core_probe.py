"""The core's inner functions, compiled with sanitizers and called through a process of their own."""

import shutil
import struct
import subprocess
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CORE, FAMILY = (Path(__file__).parents[2] / "g2p_build" / "native" / name for name in ("core", "g2p"))
UNICODE = ("utf8.c", "form.c", "unicode.c", "unicode_tables.c")
PLAIN = ("error.c", "memory.c", "json.c", "sha256.c", "cpu.c", "files.c", *UNICODE)
OWN = ("text.c", "language.c", "language_tags.c", "lexicon.c", "draft.c")
SHARED = (*(CORE / name for name in PLAIN), *(FAMILY / name for name in OWN))
INCLUDES = (f"-I{CORE}", f"-I{FAMILY}", f"-I{HERE}")
FLAGS = ("-std=c11", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", *INCLUDES)

OK, INVALID_ARGUMENT, EMPTY_WORD, INVALID_WORD, WORD_TOO_LONG, UNKNOWN_LANGUAGE = 0, 3, 4, 5, 6, 7
NO_FILE, INVALID_WEIGHTS, INVALID_MANIFEST, NEWER_MANIFEST = 9, 10, 11, 12


def compile_with_sanitizers(out: Path, own: Sequence[str], parts: Sequence[str]) -> Path:
    """Compiles files of this folder (``own``) with parts of the core; skips the test where it cannot."""
    if not shutil.which("gcc"):
        pytest.skip("no gcc here")
    sources = [*(HERE / name for name in own), HERE / "made.c", *SHARED, *(CORE / name for name in parts)]
    done = subprocess.run(["gcc", *FLAGS, *map(str, sources), "-o", str(out)], capture_output=True, text=True)
    if "cannot find" in done.stderr:
        pytest.skip("gcc has no sanitizers here")
    assert done.returncode == 0, done.stderr
    return out


class Probe:
    """A running ``probe.c``. A letter names each of its requests."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def ask(self, command: str, *fields: bytes) -> tuple[int, bytes]:
        """Sends a request. Returns its status, and its result or the error's message."""
        assert self.process.stdin and self.process.stdout and self.process.stderr
        data = b"".join(struct.pack("=I", len(field)) + field for field in fields)
        self.process.stdin.write(command.encode() + struct.pack("=I", len(fields)) + data)
        self.process.stdin.flush()
        head = self.process.stdout.read(8)
        if len(head) < 8:
            raise AssertionError(self.process.stderr.read().decode(errors="replace"))
        status, size = struct.unpack("=2I", head)
        return status, self.process.stdout.read(size)

    def refusal(self, command: str, *fields: bytes) -> tuple[int, str]:
        """Sends a request that must fail. Returns its status and its message of one line."""
        status, message = self.ask(command, *fields)
        text = message.decode()
        assert status and text and not any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in text)
        return status, text

    def close(self) -> None:
        """Ends it. Raises if a sanitizer found something, such as a leak."""
        _, errors = self.process.communicate()
        assert self.process.returncode == 0, errors.decode(errors="replace")


@pytest.fixture(scope="session")
def compiled_probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parts = ("weights.c", "manifest.c")
    return compile_with_sanitizers(tmp_path_factory.mktemp("probe") / "probe", ["probe.c"], parts)


@pytest.fixture(scope="module")
def probe(compiled_probe: Path) -> Iterator[Probe]:
    running = Probe(compiled_probe)
    yield running
    running.close()

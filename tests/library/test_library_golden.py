"""The golden words through the C library, built with sanitizers. Every way to call gives the same text and bits."""

import json
import struct
import subprocess
from pathlib import Path

import pytest
from conftest import CACHED, CACHELESS, DEFAULT, ROOT, Tree
from forms import FORMS
from kits import WORDS, archives, driver, gcc, run

VOCABULARY = 384
GOLDEN = json.loads((ROOT / "g2p_build" / "reference" / "golden" / "embedded.json").read_text(encoding="utf-8"))[
    "words"
]


def texts(data: bytes) -> list[tuple[list[int], str]]:
    """Ids and phonemes from the output of golden.c."""
    found, at = [], 0
    while at < len(data):
        ids, size = struct.unpack_from("=2I", data, at)
        at += 8
        text = data[at + 4 * ids : at + 4 * ids + size].decode()
        found.append((list(struct.unpack_from(f"={ids}i", data, at)), text))
        at += 4 * ids + size + 4 * ids * VOCABULARY
    return found


@pytest.fixture(scope="module")
def reference(built: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the library with one row, one word a call, without a sanitizer."""
    out = tmp_path_factory.mktemp("golden") / DEFAULT
    bytes_used = int(
        run(driver(built, "golden.c", DEFAULT, "none"), archives(built, DEFAULT).weights, WORDS, out, 1, 0)
    )
    assert bytes_used <= 4_000_000  # beyond the weights, which are mapped
    return out


def test_golden_words(reference: Path) -> None:
    assert texts(reference.read_bytes()) == [(row["ids"], row["ipa"]) for row in GOLDEN]


def test_however_a_word_is_typed_it_is_the_same_word(built: Tree, tmp_path: Path) -> None:
    found = archives(built, CACHED, "shared")
    gcc(f"-I{found.folder}", ROOT / "tests" / "words.c", found.folder / "libg2p.a", "-lm", "-o", tmp_path / "words")
    rows = [(lang, word, form) for lang, forms in FORMS.items() for word, form in forms]
    lines = "".join(f"{lang}\t{form}\n" for lang, _, form in rows)
    made = subprocess.run([tmp_path / "words", found.weights], input=lines, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    said = {(*row[:2], phonemes) for row, phonemes in zip(rows, made.stdout.splitlines(), strict=True)}
    assert len(said) == len({row[:2] for row in rows}), sorted(said)


@pytest.mark.parametrize(("threads", "seed"), [(1, 0), (1, 1), (2, 2), (8, 3)])
def test_bits_depend_on_nothing_but_the_word(
    built: Tree, reference: Path, tmp_path: Path, threads: int, seed: int
) -> None:
    """Eight rows, any number of threads, any order (seed 0: one word a call). The sanitizers check every access."""
    run(driver(built, "golden.c"), archives(built, CACHED).weights, WORDS, tmp_path / "out", threads, seed)
    assert (tmp_path / "out").read_bytes() == reference.read_bytes()


@pytest.mark.parametrize(("variant", "threads", "seed"), [(DEFAULT, 1, 0), (CACHED, 1, 0), (CACHED, 2, 3)])
def test_guesses_change_no_bit(
    built: Tree, reference: Path, tmp_path: Path, variant: str, threads: int, seed: int
) -> None:
    """The archive has a draft table beside the weights; the reference was made without."""
    manifest = built.root / "manifests" / f"{variant}.json"
    weights = built.root / "dist" / json.loads(manifest.read_bytes())["archives"]["weights"]["file"]
    run(driver(built, "golden.c", variant), weights, WORDS, tmp_path / "out", threads, seed)
    assert (tmp_path / "out").read_bytes() == reference.read_bytes()


def test_words_without_caches(built: Tree, tmp_path: Path) -> None:
    """The words of a group end at different steps. A word that has ended stays as it is."""
    some = WORDS.read_text(encoding="utf-8").splitlines()[::5]
    (tmp_path / "words").write_text("\n".join(some), encoding="utf-8")
    run(
        driver(built, "golden.c", CACHELESS, "none"),
        archives(built, CACHELESS).weights,
        tmp_path / "words",
        tmp_path / "out",
        2,
        1,
    )
    assert texts((tmp_path / "out").read_bytes()) == [(row["ids"], row["ipa"]) for row in GOLDEN[::5]]

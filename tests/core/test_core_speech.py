"""Noise that is the same everywhere, and where a long utterance is split."""

from __future__ import annotations

import ctypes
import subprocess
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist, fmean, pstdev

import pytest
from core_probe import CORE
from hypothesis import given
from hypothesis import strategies as st

from g2p_build.native import noise_table
from g2p_build.native.files import TTS

HERE = Path(__file__).parent
UNKNOWN, NOT_UTF8 = 19, 5  # statuses


class Error(ctypes.Structure):
    _fields_ = (("status", ctypes.c_int), ("word", ctypes.c_size_t), ("message", ctypes.c_char * 240))


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    library = tmp_path_factory.mktemp("speech") / "probe.so"
    sources = [*sorted(CORE.glob("*.c")), *sorted(TTS.glob("*.c")), HERE / "probe_speech.c"]
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", f"-I{CORE}", f"-I{TTS}"]
    subprocess.run(["gcc", *flags, *map(str, sources), "-lpthread", "-o", str(library)], check=True)
    found = ctypes.CDLL(str(library))
    found.probe_pieces.restype = ctypes.c_int64
    return found


def noise(probe: ctypes.CDLL, count: int, seed: int = 0, stream: int = 0, harmonic: int = 0) -> list[float]:
    numbers = (ctypes.c_float * count)()
    probe.probe_noise(ctypes.c_uint64(seed), stream, harmonic, numbers, ctypes.c_size_t(count))
    return list(numbers)


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> list[int]:
    """Philox 4x32 with 10 rounds, from its paper."""
    (a, b, c, d), (k0, k1) = counter, key
    for _ in range(10):
        first, second = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = second >> 32 ^ b ^ k0, second & 0xFFFFFFFF, first >> 32 ^ d ^ k1, first & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return [a, b, c, d]


def test_the_reference_gives_the_published_numbers() -> None:
    assert philox((0, 0, 0, 0), (0, 0)) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    ones = 0xFFFFFFFF
    assert philox((ones,) * 4, (ones,) * 2) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


@given(seed=st.integers(0, 2**64 - 1), stream=st.integers(0, 9), harmonic=st.integers(0, 8))
def test_noise_is_philox_made_normal(probe: ctypes.CDLL, seed: int, stream: int, harmonic: int) -> None:
    found = noise(probe, 10, seed, stream, harmonic)
    bits = [
        word for block in range(3) for word in philox((block, 0, stream, harmonic), (seed & 0xFFFFFFFF, seed >> 32))
    ]
    for number, word in zip(found, bits, strict=False):
        share = ((word >> 1) + 0.5) / 2**31
        quantile = NormalDist().inv_cdf(1 - share / 2) * (-1 if word & 1 else 1)
        assert number == pytest.approx(quantile, abs=2e-3)


def test_noise_is_normal_and_independent(probe: ctypes.CDLL) -> None:
    numbers = noise(probe, 100_000, seed=7)
    assert abs(fmean(numbers)) < 0.01
    assert abs(pstdev(numbers) - 1) < 0.01
    assert 0.0020 < sum(abs(number) > 3 for number in numbers) / len(numbers) < 0.0034
    assert abs(fmean(a * b for a, b in pairwise(numbers))) < 0.01
    others = noise(probe, 100_000, seed=7, harmonic=1)
    assert abs(fmean(a * b for a, b in zip(numbers, others, strict=True))) < 0.01


def test_the_table_is_the_one_that_its_command_writes() -> None:
    assert (TTS / "noise_table.c").read_text(encoding="utf-8") == noise_table.text()


def pieces(probe: ctypes.CDLL, phonemes: str | bytes, skip: bool = False, early: bool = False) -> list[str]:
    data = phonemes.encode() if isinstance(phonemes, str) else phonemes
    ends, error = (ctypes.c_size_t * (len(data) + 1))(), Error()
    count = probe.probe_pieces(data, ctypes.c_size_t(len(data)), int(skip), int(early), ends, ctypes.byref(error))
    if count < 0:
        raise ValueError(-count, error.word, error.message.decode())
    return [data[start:end].decode() for start, end in pairwise([0, *ends[:count]])]


def test_a_short_utterance_is_one_piece(probe: ctypes.CDLL) -> None:
    assert pieces(probe, "aˈb, ab. ab!") == ["aˈb, ab. ab!"]
    assert pieces(probe, "") == []


def test_pieces_end_behind_full_stops(probe: ctypes.CDLL) -> None:
    first, second = "ab " * 12 + "ab.", " ba" * 20 + "?"
    assert pieces(probe, first + second) == [first, second]


def test_a_full_stop_inside_a_word_ends_nothing(probe: ctypes.CDLL) -> None:
    assert len(pieces(probe, "ab " * 12 + "a.b" + " ab" * 12)) == 1


def test_long_sentences_end_behind_commas_and_longer_ones_at_spaces(probe: ctypes.CDLL) -> None:
    clause = "ab " * 55 + "ab,"
    assert pieces(probe, clause + " ab" * 60 + ".")[0] == clause
    assert [len(piece) for piece in pieces(probe, "ab " * 400)] == [300, 300, 300, 300]


def test_what_has_no_space_is_split_at_the_bound(probe: ctypes.CDLL) -> None:
    assert [len(piece) for piece in pieces(probe, "a" * 1200)] == [510, 510, 180]


def test_spaces_at_the_end_are_no_piece_of_their_own(probe: ctypes.CDLL) -> None:
    sentence = "ab " * 12 + "ab."
    assert pieces(probe, sentence + "  ") == [sentence + "  "]


def test_the_first_piece_may_be_early(probe: ctypes.CDLL) -> None:
    text = "ab ab ab, ab ab ab ab ab, ab ab ab."
    assert pieces(probe, text) == [text]
    assert pieces(probe, text, early=True)[0] == "ab ab ab,"


@given(st.text(" ,.!?;abˈ…", max_size=3000), st.booleans())
def test_nothing_is_lost_and_no_piece_is_too_long(probe: ctypes.CDLL, phonemes: str, early: bool) -> None:
    found = pieces(probe, phonemes, early=early)
    assert "".join(found) == phonemes
    assert all(1 <= len(piece) <= 510 for piece in found)


def test_an_unknown_character_is_told_with_its_place(probe: ctypes.CDLL) -> None:
    with pytest.raises(ValueError, match="no symbol for '🙂', at byte 4") as caught:
        pieces(probe, "aˈb🙂")
    assert caught.value.args[:2] == (UNKNOWN, 4)
    assert pieces(probe, "aˈ🙂b", skip=True) == ["aˈ🙂b"]


def test_bytes_that_are_no_text_are_refused_even_where_characters_are_skipped(probe: ctypes.CDLL) -> None:
    with pytest.raises(ValueError, match="not UTF-8 at byte 1") as caught:
        pieces(probe, b"a\xff", skip=True)
    assert caught.value.args[:2] == (NOT_UTF8, 1)


def crew(probe: ctypes.CDLL, parts: list[int], stepping: bool) -> tuple[list[tuple[int, int]], int]:
    """What a function with pieces of work of some parts does, in order, and in how many runs."""
    done, runs = ((ctypes.c_int32 * 2) * 100)(), ctypes.c_size_t()
    given = (ctypes.c_int32 * (len(parts) + 1))(*parts, -1)
    count = probe.probe_crew(given, int(stepping), done, ctypes.c_size_t(100), ctypes.byref(runs))
    return [(piece, part) for piece, part in done[:count]], runs.value


@given(parts=st.lists(st.integers(0, 5), max_size=9))
def test_work_in_steps_is_the_same_work_one_part_a_run(probe: ctypes.CDLL, parts: list[int]) -> None:
    whole, runs = crew(probe, parts, stepping=False)
    assert runs == 1 and len(whole) == sum(max(1, count) for count in parts)
    assert crew(probe, parts, stepping=True) == (whole, max(1, len(whole)))

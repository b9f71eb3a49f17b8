"""The noise of `g2p_build/native/tts/noise.c`, for code that is not ours."""

from __future__ import annotations

from typing import Any

import numpy as np

from g2p_build.native.noise_table import STEPS, table

__all__ = ["Samples", "noise"]

Samples = np.ndarray[Any, np.dtype[np.float64]]

_WORD = 0xFFFFFFFF
_STEP_BITS = STEPS.bit_length() - 1


def noise(seed: int, stream: int, harmonics: int, count: int) -> Samples:
    """Numbers of a normal distribution, [harmonics, count]: the same bits as the library's, as float64.

    Args:
        seed: the utterance's.
        stream: the number of its piece.
        harmonics: sines of the source.
        count: samples of the piece.
    """
    return np.stack([_normal(_words(seed, stream, harmonic, count)) for harmonic in range(harmonics)])


def _words(seed: int, stream: int, harmonic: int, count: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Philox 4x32 with 10 rounds: `count` words of 32 bits."""
    blocks = np.arange((count + 3) // 4, dtype=np.uint64)
    a, b = blocks & np.uint64(_WORD), blocks >> np.uint64(32)
    c, d = (np.full_like(blocks, number) for number in (stream, harmonic))
    key0, key1 = seed & _WORD, seed >> 32
    for _ in range(10):
        first, second = np.uint64(0xD2511F53) * a, np.uint64(0xCD9E8D57) * c
        a, b = second >> np.uint64(32) ^ b ^ np.uint64(key0), second & np.uint64(_WORD)
        c, d = first >> np.uint64(32) ^ d ^ np.uint64(key1), first & np.uint64(_WORD)
        key0, key1 = (key0 + 0x9E3779B9) & _WORD, (key1 + 0xBB67AE85) & _WORD
    return np.stack([a, b, c, d], 1).reshape(-1)[:count]


def _normal(words: np.ndarray[Any, np.dtype[np.uint64]]) -> Samples:
    quantiles = np.array(table(), np.int64)
    share = np.maximum((words >> np.uint64(1)).astype(np.int64), 16)
    places = np.floor(np.log2(share)).astype(np.int64)  # exact: float64 holds 31 bits
    within, bits = share - (np.int64(1) << places), places - _STEP_BITS
    entry = (30 - places) * (STEPS + 1) + (within >> bits)
    rest = within & ((np.int64(1) << bits) - 1)
    found = quantiles[entry] - ((quantiles[entry] - quantiles[entry + 1]) * rest >> bits)
    signed: Samples = np.where(words & np.uint64(1), -found, found) * 2.0**-24
    return signed

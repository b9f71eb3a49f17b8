"""How far two sounds are apart for an ear: by their spectra in bands as wide as it hears them."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["BANDS", "Sound", "apart", "spectrum"]

Sound = np.ndarray[Any, np.dtype[np.float64]]

BANDS = 80
_WINDOW, _HOP = 1024, 256  # samples
_FLOOR = 1e-4  # of a band's magnitude: what is 60 dB below speech is not heard


def spectrum(sound: Sound, rate: int) -> Sound:
    """The magnitude of each band every 256 samples, in decibels, [moments, `BANDS`]: the mel scale from 0 to rate / 2.

    Args:
        sound: samples from -1 to 1, at least 1024.
        rate: samples a second.
    """
    frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_HOP]
    magnitudes = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW))) / _WINDOW
    decibels: Sound = 20 * np.log10(magnitudes @ _filters(rate).T + _FLOOR)
    return decibels


def apart(one: Sound, other: Sound, rate: int) -> float:
    """The mean difference of two sounds' bands in decibels. The longer one ends where the shorter does."""
    size = min(len(one), len(other))
    return float(np.abs(spectrum(one[:size], rate) - spectrum(other[:size], rate)).mean())


def _filters(rate: int) -> Sound:
    """Triangles, [`BANDS`, bins], each of area 1: O'Shaughnessy's mel scale."""
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(_WINDOW, 1 / rate)
    low, middle, high = (edges[start : start + BANDS, None] for start in range(3))
    found: Sound = np.maximum(0, np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)))
    found /= np.maximum(found.sum(1, keepdims=True), 1e-9)
    return found

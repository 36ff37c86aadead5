"""Stand-ins for recordings: harmonic like them, with nobody's rights on them."""

from __future__ import annotations

import numpy as np
import torch

from overtone._utils.seeding import generator
from overtone.signals.geometry import Grid
from overtone.signals.signal import Signal
from overtone.signals.synthetic.make import grid_shape, positive, signal

_FORMANTS = ((700.0, 130.0, 1.0), (1220.0, 170.0, 0.5), (2600.0, 250.0, 0.25))
_SCALE = (0, 2, 4, 7, 9, 12)
_PEAK = 0.9


def voice(
    seconds: float = 1.0, rate: int = 8000, seed: int = 0, *, dtype: torch.dtype = torch.float32
) -> Signal:
    """A vowel-like tone: harmonics of a gliding 120 Hz under formants at 700, 1220 and 2600 Hz.

    Args:
        seconds: Length.
        rate: Samples per second.
        seed: Seed of the phases and of the glide.
        dtype: Of the values.

    Returns:
        A signal of kind "audio" with a peak amplitude of 0.9 of full scale.

    Raises:
        InputError: If there would be fewer than two samples.
    """
    time = _clock(seconds, rate)
    draw = generator(seed, "synthetic", "voice")
    glide, vibrato = draw.uniform(-15, 15), draw.uniform(4.5, 6.0)
    pitch = 120 + glide * time / seconds + 2.0 * np.sin(2 * np.pi * vibrato * time)
    cycles = np.cumsum(pitch) / rate
    total = np.zeros_like(time)
    for n in range(1, int(0.45 * rate / pitch.max()) + 1):
        loudness = sum(gain / (1 + ((n * pitch - centre) / width) ** 2) for centre, width, gain in _FORMANTS)
        total += (loudness + 0.3 / n) * np.sin(2 * np.pi * n * cycles + draw.uniform(0, 2 * np.pi))
    syllables = 0.6 - 0.4 * np.cos(2 * np.pi * 3.0 * time)
    return _recording(total * syllables, rate, "voice-like tone", dtype)


def music(
    seconds: float = 2.0, rate: int = 16000, seed: int = 0, *, dtype: torch.dtype = torch.float32
) -> Signal:
    """Plucked notes of a pentatonic scale on 220 Hz, four a second; high harmonics fade first.

    Args:
        seconds: Length.
        rate: Samples per second.
        seed: Seed of the melody.
        dtype: Of the values.

    Returns:
        A signal of kind "audio" with a peak amplitude of 0.9 of full scale.

    Raises:
        InputError: If there would be fewer than two samples.
    """
    time = _clock(seconds, rate)
    draw = generator(seed, "synthetic", "music")
    total = np.zeros_like(time)
    for start in np.arange(0.0, seconds, 0.25):
        pitch = 220.0 * 2 ** (draw.choice(_SCALE) / 12)
        since = time[time >= start] - start
        note = np.zeros_like(since)
        for n in range(1, min(12, int(0.45 * rate / pitch)) + 1):
            note += np.exp(-since * (3.0 + 1.5 * n)) / n * np.sin(2 * np.pi * n * pitch * since)
        total[time >= start] += note
    return _recording(total, rate, "music-like tones", dtype)


def _clock(seconds: float, rate: int) -> np.ndarray:
    samples = round(positive(seconds, "seconds") * positive(rate, "rate"))
    return np.arange(grid_shape(samples, "seconds")[0]) / rate


def _recording(samples: np.ndarray, rate: int, name: str, dtype: torch.dtype) -> Signal:
    geometry = Grid((len(samples),), (1.0 / rate,), (0.0,), ("s",), (False,))
    return signal(samples * (_PEAK / np.abs(samples).max()), geometry, name, dtype, kind="audio")

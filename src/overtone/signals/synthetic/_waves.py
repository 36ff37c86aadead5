"""Sums of sines: harmonics, a sweep, a step, and synthetic recordings of speech and music."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from overtone._utils.seeding import numpy_generator
from overtone.errors import InputError
from overtone.signals._construction import check_shape, make_signal
from overtone.signals._geometry import Grid
from overtone.signals._signal import Signal


def signal(
    samples: np.ndarray, geometry: Grid, name: str, dtype: torch.dtype, kind: str = "synthetic"
) -> Signal:
    """Create a one-channel signal from samples of the grid's shape.

    Raises:
        InputError: As `make_signal`.
    """
    values = torch.from_numpy(samples).reshape(-1, 1).to(dtype)
    return make_signal(values, geometry, kind=kind, name=name, location=name)


def grid_shape(shape: int | tuple[int, ...], location: str) -> tuple[int, ...]:
    """Validate a shape of 1 to 3 axes of at least two samples and convert it to a tuple.

    Raises:
        InputError: If the shape is invalid.
    """
    sizes = (int(shape),) if isinstance(shape, int | np.integer) else tuple(int(n) for n in shape)
    check_shape(sizes, location)
    return sizes


def _positive(value: float, what: str) -> float:
    """Return the value if it is a positive finite number.

    Raises:
        InputError: If it is not positive or not finite.
    """
    if not (np.isfinite(value) and value > 0):
        raise InputError(f"a positive {what}", f"{value}", "pass a number above 0", what)
    return float(value)


def harmonics(
    frequencies: Sequence[float] | Sequence[Sequence[float]] | np.ndarray,
    amplitudes: float | Sequence[float] | np.ndarray = 1.0,
    phases: float | Sequence[float] | np.ndarray | None = None,
    samples: int | tuple[int, ...] = 256,
    seed: int = 0,
    *,
    dtype: torch.dtype = torch.float32,
) -> Signal:
    """Create a sum of sines, f(x) = sum_j a_j sin(2 pi k_j . x + p_j), on [0, 1) per axis.

    With whole and distinct k_j below Nyquist, the mean square at |k_j| is a_j^2 / 2 exactly.

    Args:
        frequencies: (m,) frequencies, or (m, d) wave vectors for d axes, in cycles per array.
        amplitudes: A single amplitude, or one per frequency.
        phases: A single phase, or one per frequency, in radians; None for random phases, uniform in [0, 2
            pi).
        samples: Samples per axis.
        seed: Seed of the phases.
        dtype: Data type of the values.

    Returns:
        A signal of kind "synthetic", periodic along each axis on which all frequencies are whole.

    Raises:
        InputError: If the wave vectors do not match the grid or are not below its Nyquist frequency.

    Example:
        >>> from overtone import signals
        >>> signal = signals.synthetic.harmonics([1, 5], amplitudes=[1.0, 2.0], samples=64)
        >>> round(float(signal.values.square().mean()), 4)
        2.5
    """
    shape = grid_shape(samples, "samples")
    waves = np.asarray(frequencies, dtype=np.float64)
    waves = waves[:, None] if waves.ndim == 1 else waves
    if waves.ndim != 2 or not waves.size or waves.shape[1] != len(shape):
        raise InputError(
            f"wave vectors of {len(shape)} components",
            f"shape {waves.shape}",
            "pass one row per wave",
            "frequencies",
        )
    nyquist = np.asarray(shape) / 2
    if not (np.abs(waves) < nyquist).all():
        raise InputError(
            f"frequencies below Nyquist ({', '.join(f'{n:g}' for n in nyquist)} cycles per array)",
            f"{np.abs(waves).max():g}",
            "pass more samples or lower frequencies",
            "frequencies",
        )
    m = len(waves)
    heights = _one_each(amplitudes, m, "amplitudes")
    random_phases = numpy_generator(seed, "synthetic", "phases").uniform(0, 2 * np.pi, m)
    shifts = random_phases if phases is None else _one_each(phases, m, "phases")
    axes = np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij", sparse=True)
    total = np.zeros(shape)
    for wave, height, shift in zip(waves, heights, shifts, strict=True):
        total += height * np.sin(2 * np.pi * sum(k * x for k, x in zip(wave, axes, strict=True)) + shift)
    whole = tuple(bool(w) for w in (waves == np.round(waves)).all(axis=0))
    box = Grid.unit_box(shape)
    return signal(total, Grid(shape, box.spacing, box.origin, box.units, whole), "harmonics", dtype)


def step(samples: int = 256, position: float = 0.5, *, dtype: torch.dtype = torch.float32) -> Signal:
    """Create a step from 0 to 1 at `position` on [0, 1), with amplitudes proportional to 1 / frequency.

    Args:
        samples: Number of samples.
        position: Position of the step, as a fraction of the array.
        dtype: Data type of the values.

    Returns:
        A signal of kind "synthetic", not periodic.

    Raises:
        InputError: If there are no samples before or after the step.

    Example:
        >>> from overtone import signals
        >>> signals.synthetic.step(samples=4).values[:, 0].tolist()
        [0.0, 0.0, 1.0, 1.0]
    """
    shape = grid_shape(samples, "samples")
    return signal((np.arange(shape[0]) / shape[0] >= position) * 1.0, Grid.unit_box(shape), "step", dtype)


def chirp(
    samples: int = 1024, low: float = 1.0, high: float = 64.0, *, dtype: torch.dtype = torch.float32
) -> Signal:
    """Create a linear sweep sin(2 pi (low x + (high - low) x^2 / 2)) of frequency low + (high - low) x.

    Args:
        samples: Number of samples on [0, 1).
        low: Frequency at the start, in cycles per array.
        high: Frequency at the end, in cycles per array.
        dtype: Data type of the values.

    Returns:
        A signal of kind "synthetic", not periodic.

    Raises:
        InputError: If a frequency is negative or not below the Nyquist frequency.

    Example:
        >>> from overtone import signals
        >>> signals.synthetic.chirp(samples=256, high=32.0).geometry.nyquist
        (128.0,)
    """
    shape = grid_shape(samples, "samples")
    if not (0 <= low < shape[0] / 2 and 0 <= high < shape[0] / 2):
        raise InputError(
            f"frequencies from 0 to below Nyquist ({shape[0] / 2:g} cycles per array)",
            f"{low:g} and {high:g}",
            "pass more samples or lower frequencies",
            "chirp",
        )
    x = np.arange(shape[0]) / shape[0]
    return signal(
        np.sin(2 * np.pi * (low * x + (high - low) * x**2 / 2)), Grid.unit_box(shape), "chirp", dtype
    )


def _one_each(value: float | Sequence[float] | np.ndarray, m: int, name: str) -> np.ndarray:
    array = np.asarray(value, dtype=np.float64)
    if array.ndim == 0:
        return np.full(m, float(array))
    if array.shape != (m,):
        raise InputError(f"one of {name}, or {m}", f"shape {array.shape}", "pass one per frequency", name)
    return array


_FORMANTS = ((700.0, 130.0, 1.0), (1220.0, 170.0, 0.5), (2600.0, 250.0, 0.25))
_SCALE = (0, 2, 4, 7, 9, 12)
_PEAK = 0.9


def voice(
    seconds: float = 1.0, rate: int = 8000, seed: int = 0, *, dtype: torch.dtype = torch.float32
) -> Signal:
    """Create a vowel-like tone: harmonics of a gliding 120 Hz with formants at 700, 1220 and 2600 Hz.

    Args:
        seconds: Duration in seconds.
        rate: Samples per second.
        seed: Seed of the phases and of the glide.
        dtype: Data type of the values.

    Returns:
        A signal of kind "audio" with a peak amplitude of 0.9 of full scale.

    Raises:
        InputError: If the duration has fewer than two samples.

    Example:
        >>> from overtone import signals
        >>> vowel = signals.synthetic.voice(seconds=0.1, rate=8000)
        >>> vowel.kind, round(float(vowel.values.abs().max()), 3)
        ('audio', 0.9)
    """
    time = _clock(seconds, rate)
    draw = numpy_generator(seed, "synthetic", "voice")
    glide, vibrato = draw.uniform(-15, 15), draw.uniform(4.5, 6.0)
    pitch = 120 + glide * time / seconds + 2.0 * np.sin(2 * np.pi * vibrato * time)
    # The phase is the integral of a varying frequency, not their product.
    cycles = np.cumsum(pitch) / rate
    total = np.zeros_like(time)
    for n in range(1, int(0.45 * rate / pitch.max()) + 1):
        # A formant is a resonance: a Lorentzian over the frequency of the harmonic.
        loudness = sum(gain / (1 + ((n * pitch - centre) / width) ** 2) for centre, width, gain in _FORMANTS)
        total += (loudness + 0.3 / n) * np.sin(2 * np.pi * n * cycles + draw.uniform(0, 2 * np.pi))
    syllables = 0.6 - 0.4 * np.cos(2 * np.pi * 3.0 * time)
    return _recording(total * syllables, rate, "voice-like tone", dtype)


def music(
    seconds: float = 2.0, rate: int = 16000, seed: int = 0, *, dtype: torch.dtype = torch.float32
) -> Signal:
    """Create plucked notes of a pentatonic scale on 220 Hz, four per second; high harmonics decay faster.

    Args:
        seconds: Duration in seconds.
        rate: Samples per second.
        seed: Seed of the melody.
        dtype: Data type of the values.

    Returns:
        A signal of kind "audio" with a peak amplitude of 0.9 of full scale.

    Raises:
        InputError: If the duration has fewer than two samples.

    Example:
        >>> from overtone import signals
        >>> notes = signals.synthetic.music(seconds=0.1, rate=8000)
        >>> notes.kind, round(float(notes.values.abs().max()), 3)
        ('audio', 0.9)
    """
    time = _clock(seconds, rate)
    draw = numpy_generator(seed, "synthetic", "music")
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
    samples = round(_positive(seconds, "seconds") * _positive(rate, "rate"))
    return np.arange(grid_shape(samples, "seconds")[0]) / rate


def _recording(samples: np.ndarray, rate: int, name: str, dtype: torch.dtype) -> Signal:
    geometry = Grid((len(samples),), (1.0 / rate,), (0.0,), ("s",), (False,))
    return signal(samples * (_PEAK / np.abs(samples).max()), geometry, name, dtype, kind="audio")

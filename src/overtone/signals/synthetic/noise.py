"""Noise of known strength on a signal that remembers its clean self."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from overtone._utils.seeding import generator
from overtone.errors import InputError
from overtone.signals.normalisation import Normalisation
from overtone.signals.signal import Signal


def add_noise(
    signal: Signal, std: float | None = None, *, fraction_of_range: float | None = None, seed: int = 0
) -> Signal:
    """The signal plus white Gaussian noise, independent per sample and channel; nothing is clipped.

    Args:
        signal: The clean signal, or one whose `clean` is known already and is kept.
        std: Standard deviation of the noise in the values' unit.
        fraction_of_range: Instead of `std`, the standard deviation as a fraction of the peak, or of each
            channel's own range where the channels are normalised one by one.
        seed: The same seed gives the same noise.

    Returns:
        The noisy signal with `clean` set, a new normalisation, and the masks and the peak of the given one.

    Raises:
        InputError: If not exactly one of the two strengths is given, or it is not positive.
    """
    if (std is None) == (fraction_of_range is None):
        given = "neither" if std is None else "both"
        raise InputError("either std or fraction_of_range", given, "pass one of them", "add_noise")
    strength = std if fraction_of_range is None else fraction_of_range
    if strength is None or not (math.isfinite(strength) and strength > 0):
        raise InputError("noise of positive finite strength", f"{strength}", "pass one above 0", "add_noise")
    values = signal.values
    if fraction_of_range is None:
        scale = torch.full(values.shape[1:], strength, dtype=values.dtype, device=values.device)
    elif signal.normalisation.per_channel:
        scale = strength * (values.amax(dim=0) - values.amin(dim=0))
    else:
        scale = torch.full(values.shape[1:], strength * signal.peak, dtype=values.dtype, device=values.device)
    drawn = torch.from_numpy(generator(seed, "synthetic", "noise").standard_normal(tuple(values.shape)))
    noisy = values + scale * drawn.to(values)
    return replace(
        signal,
        values=noisy,
        clean=values if signal.clean is None else signal.clean,
        normalisation=Normalisation.of(noisy, signal.normalisation.per_channel),
        notes=(*signal.notes, f"white Gaussian noise added, standard deviation {_words(scale)}"),
    )


def _words(scale: torch.Tensor) -> str:
    return ", ".join(f"{s:.4g}" for s in dict.fromkeys(scale.tolist()))

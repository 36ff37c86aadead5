"""The signals of the battery, in two halves: one to design with, one to judge by."""

from __future__ import annotations

import numpy as np
import torch
from skimage import data
from skimage.transform import resize

from overtone import signals
from overtone.signals import Signal

DESIGN = ("camera", "text", "smooth", "voice", "series", "phantom")
SEALED = ("coins", "brick", "retina", "page", "music", "steps", "band volume")
NOISES = (0.0, 0.05, 0.1, 0.2)
CHOOSING, JUDGING = 0.1, 0.2
"""Parts of the samples that are held out: to choose and stop by, and to be judged on."""

SIDE, LENGTH, VOLUME = 32, 1024, 10
"""Samples per axis of pictures, recordings and series, and volumes: small, so that 52 cases can be searched through."""

LETTERS = {"text": (slice(40, 120), slice(60, 140)), "page": (slice(60, 140), slice(60, 140))}
"""Parts of pictures of text in which letters are still letters at this size."""


def build(name: str, noise: float, seed: int) -> Signal:
    """A signal with noise (a fraction of its range), a tenth held out to choose by, a fifth unused to judge on."""
    clean = _clean(name)
    signal = signals.synthetic.add_noise(clean, fraction_of_range=noise, seed=seed) if noise else clean
    count = signal.geometry.samples
    order = np.random.default_rng(seed).permutation(count)
    held, apart = round(CHOOSING * count), round((CHOOSING + JUDGING) * count)
    masks = torch.zeros(2, count, dtype=torch.bool)
    masks[1, order[:held]] = True
    masks[0, order[apart:]] = True
    return signal.with_split(masks[0], masks[1]).with_clean(clean.values)


def _clean(name: str) -> Signal:
    make = signals.synthetic
    match name:
        case "smooth":
            return make.power_law((SIDE, SIDE), 3.0, seed=0)
        case "voice":
            return _first(make.voice(), LENGTH)
        case "music":
            return _first(make.music(), LENGTH)
        case "series":
            t = np.linspace(0, 8, LENGTH)
            return signals.array(0.3 * t + np.sin(2 * np.pi * t) + 0.4 * np.sin(2 * np.pi * 9 * t) * (t > 4))
        case "steps":
            t = np.linspace(0, 1, LENGTH)
            return signals.array(np.floor(7 * t**1.5) + 0.5 * np.sin(40 * t))
        case "phantom":
            return make.phantom((VOLUME, VOLUME, VOLUME))
        case "band volume":
            return make.band_noise((VOLUME, VOLUME, VOLUME), 0.0, 3.0, seed=0)
        case _:
            picture = np.asarray(getattr(data, name)(), dtype=np.float64) / 255
            part = picture[LETTERS[name]] if name in LETTERS else picture
            return signals.array(resize(part, (SIDE, SIDE), anti_aliasing=True).astype(np.float32))


def _first(signal: Signal, count: int) -> Signal:
    return signals.array(signal.values[:count, 0].clone(), spacing=signal.geometry.spacing[0], unit="s")

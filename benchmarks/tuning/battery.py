"""The signals of the battery, in two halves: one for design, one for judgement."""

from __future__ import annotations

import numpy as np
import torch
from skimage import data
from skimage.transform import resize

from overtone import signals
from overtone.signals import Geometry, Grid, Points, Signal

DESIGN = ("camera", "text", "smooth", "voice", "series", "phantom")
SEALED = ("coins", "brick", "retina", "page", "music", "steps", "band volume")
SCATTERED = {"design": ("camera points",), "sealed": ("clock points",)}
"""Pictures known at scattered places, by half; FreSh, the noise floor and the controller need a grid."""

NOISES = (0.0, 0.05, 0.1, 0.2)
CHOOSING, JUDGING = 0.1, 0.2
"""Parts of the samples that are held out: for planning and stopping, and for the test error."""

SIDE, LENGTH, VOLUME = 32, 1024, 10
"""Samples per axis of pictures, recordings and series, and volumes: small, so that 52 cases can be searched through."""

FINER, POINTS = 64, 1000
"""Pixels per axis of a picture that is scattered, and how many of them are known."""

THINNING = {"camera points": 1.0, "clock points": 20.0}
"""How many times rarer the known pixels are at the right edge than at the left one."""

LETTERS = {"text": (slice(40, 120), slice(60, 140)), "page": (slice(60, 140), slice(60, 140))}
"""Parts of pictures of text in which letters are still letters at this size."""


def build(name: str, noise: float, seed: int) -> Signal[Geometry]:
    """A signal with noise (a fraction of its range), a tenth held out, and a fifth reserved for the test error."""
    clean = _clean(name)
    noisy = signals.synthetic.add_noise(clean, fraction_of_range=noise, seed=seed) if noise else clean
    signal = (
        _scatter(noisy, clean, THINNING[name], seed) if name in THINNING else noisy.with_clean(clean.values)
    )
    count = signal.geometry.samples
    order = np.random.default_rng(seed).permutation(count)
    held, reserved = round(CHOOSING * count), round((CHOOSING + JUDGING) * count)
    masks = torch.zeros(2, count, dtype=torch.bool)
    masks[1, order[:held]] = True
    masks[0, order[reserved:]] = True
    return signal.with_split(masks[0], masks[1])


def nyquist(signal: Signal[Geometry]) -> tuple[float, ...]:
    """Highest frequency that the samples can hold per axis; of scattered ones, as if they lay evenly."""
    places = signal.geometry
    if isinstance(places, Grid):
        return places.nyquist
    half = places.samples ** (1 / len(places.extent)) / 2
    return tuple(half / length for length in places.extent)


def _scatter(noisy: Signal, clean: Signal, thinning: float, seed: int) -> Signal[Points]:
    """Some of a picture's pixels, `thinning` times rarer at the right edge than at the left one."""
    places = noisy.coords
    density = thinning ** -places[:, 1].numpy()
    sampled = np.random.default_rng(seed).choice(
        len(places), POINTS, replace=False, p=density / density.sum()
    )
    index = torch.from_numpy(sampled)
    scattered = signals.points(places[index], noisy.values[index], units=noisy.geometry.units)
    return scattered.with_clean(clean.values[index])


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
        case "camera points" | "clock points":
            picture = np.asarray(getattr(data, name.removesuffix(" points"))(), dtype=np.float64) / 255
            return signals.array(resize(picture, (FINER, FINER), anti_aliasing=True).astype(np.float32))
        case _:
            picture = np.asarray(getattr(data, name)(), dtype=np.float64) / 255
            part = picture[LETTERS[name]] if name in LETTERS else picture
            return signals.array(resize(part, (SIDE, SIDE), anti_aliasing=True).astype(np.float32))


def _first(signal: Signal, count: int) -> Signal:
    return signals.array(signal.values[:count, 0].clone(), spacing=signal.geometry.spacing[0], unit="s")

"""Parts of the experiments of Tancik et al. 2020: their four encodings, trained one after the other."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from overtone import units
from overtone._config import EncodingKind
from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.nn._build import POSITIONAL_COUNT, build_encoding
from overtone.studies._study import Measurement, Numbers

NO_ORDER_KNOWN = "No signal is known on which the order of all four encodings must appear."
"""Why some of these studies have no positive control."""

ENCODINGS = ("none", "basic", "positional", "gaussian")
"""The source's encodings, from the one that it finds worst to the best."""


def encode(name: str, coords: Tensor, octaves: float, sigma: float, features: int, seed: int) -> Tensor:
    """Encode coordinates in [0, 1) with the source's frequencies.

    Args:
        name: One of `ENCODINGS`.
        coords: (N, axes) coordinates.
        octaves: Octaves of the positional encoding.
        sigma: Standard deviation of Gaussian frequencies, in cycles per unit.
        features: Number of features.
        seed: Seed of the Gaussian frequencies.

    Returns:
        (N, features) float32.
    """
    bandwidth = {
        "positional": units.log_linear_bandwidth(octaves, POSITIONAL_COUNT),
        "gaussian": units.gaussian_bandwidth(sigma),
    }.get(name)
    kind, axes = EncodingKind(name), coords.shape[1]
    low, high = kind.domain
    encoding = build_encoding(
        kind, axes, features, None if bandwidth is None else [bandwidth] * axes, derive_seed(seed, "encoding")
    )
    return encoding(low + (high - low) * coords, torch.float32)


def smooth_hill(seed: int, side: int, axes: int) -> Tensor:
    """Return a Gaussian hill near the middle, a fifth of the side wide: it has no detail finer than one cycle."""
    axis = torch.arange(side) / side
    centre = torch.from_numpy(numpy_generator(seed, "blob").uniform(0.4, 0.6, axes))
    square = (torch.cartesian_prod(*[axis] * axes) - centre).square().sum(1)
    return (-square / (2 * 0.2**2)).exp().float().reshape((side,) * axes)


def encoding_measurement(
    quality: list[float],
    reference: tuple[str, float],
    source: tuple[str, tuple[float, ...]] | None,
    notes: tuple[str, ...] = (),
) -> Measurement:
    """Return the smallest gain in quality from each encoding to the next, with curves.

    Args:
        quality: Quality with each of `ENCODINGS`.
        reference: Name and quality of a method without a network.
        source: Name and values of the same curve in the source, where it is comparable.
        notes: Sentences about the measurement.
    """
    positions = range(len(ENCODINGS))
    curves: dict[str, tuple[Numbers, Numbers]] = {
        "": (positions, quality),
        reference[0]: (positions, [reference[1]] * len(ENCODINGS)),
    }
    if source is not None:
        curves[source[0]] = (positions, source[1])
    return Measurement(float(np.diff(quality).min()), curves, notes)

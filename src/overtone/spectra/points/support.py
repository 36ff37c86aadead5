"""Up to which frequency scattered samples support an answer, and the bands that reach there."""

from __future__ import annotations

import numpy as np

from overtone.errors import InputError
from overtone.spectra.bands import Bands
from overtone.spectra.points.box import Box
from overtone.spectra.points.density import local_density
from overtone.spectra.points.modes import ball_volume

_NEAREST = 16
_PLACES = 2048
_SPARSEST = 0.05
_MARGIN = 0.75
_AMPLIFIED = 10.0


def supported(coords: np.ndarray, box: Box, periodic: tuple[bool, ...]) -> float:
    """The frequency F up to which samples determine a band-limited function stably, in cycles per unit.

    A function of frequencies |f| <= F has v F^d degrees of freedom per unit volume, v the volume of the unit
    ball, and nowhere fewer samples than that may lie (Landau 1967, Necessary density conditions for sampling
    and interpolation of certain entire functions). The density is that of the 16 nearest samples, taken where
    it is exceeded in 95 % of the domain, and a quarter of it is kept as margin: for places drawn uniformly
    this is the frequency whose rate the samples exceed about 2 times.

    A single hole can be too wide although it is small beside the domain: the function that hides best in a hole of
    diameter g has all but 4 sqrt(pi c) exp(-2 c) of its power there, c = pi F g (Fuchs 1964, On the eigenvalues of an
    integral equation arising in the theory of band-limited signals), and noise on the rest is amplified accordingly.
    F g is kept so low that this one function receives no more than ten times the variance of white noise.

    Args:
        coords: (N, d) places in the box.
        box: The domain.
        periodic: Whether it wraps around, per axis.
    """
    axes = coords.shape[1]
    steps = np.sqrt(np.array([2.0, 3.0, 5.0])[:axes])
    spots = (np.arange(1, _PLACES + 1)[:, None] * steps) % 1 * np.array(box.extent)
    density = local_density(coords, box, periodic, min(_NEAREST, len(coords)), spots)
    dense = (_MARGIN * np.quantile(density, _SPARSEST) / ball_volume(axes)) ** (1 / axes)
    nearest = local_density(coords, box, periodic, 1, spots)
    hole = 2 * (1 / (ball_volume(axes) * nearest.min())) ** (1 / axes)
    return float(min(dense, _hidden(len(coords)) / (np.pi * hole)))


def _hidden(samples: int) -> float:
    """The c at which 4 sqrt(pi c) exp(-2 c) = 1 / (10 samples), by fixed-point iteration."""
    c = 1.0
    for _ in range(20):
        c = max(1.0, 0.5 * np.log(4 * np.sqrt(np.pi * c) * samples * _AMPLIFIED))
    return float(c)


def log_bands(box: Box, periodic: tuple[bool, ...], top: float) -> Bands:
    """`Bands.log` of the axis with the lowest fundamental frequency, up to `top`.

    Raises:
        InputError: If `top` does not reach that frequency.
    """
    periods = [length if wraps else 2 * length for length, wraps in zip(box.extent, periodic, strict=True)]
    axis = int(np.argmax(periods))
    length = box.extent[axis]
    count = int(2 * top * length)
    if top * periods[axis] < 1 or count < 2:
        raise InputError(
            f"samples that support the lowest frequency of the domain, {1 / periods[axis]:.3g}",
            f"samples that support {top:.3g}",
            "pass more samples",
            "coords",
        )
    edges = Bands.log((count,), length / count, periodic=periodic[axis]).edges
    inner = [edge for edge in edges if edge < top * (1 - 1e-9)]
    return Bands((*inner, top))

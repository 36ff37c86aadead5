"""Gaussian filters of several widths as bands: the mean, what each width adds to the wider one, and the rest."""

from __future__ import annotations

import math
from typing import Any, final

import torch
from torch import Tensor

from overtone._utils.tensors import as_tensor
from overtone.spectra.bands import Bands
from overtone.spectra.clouds.filtering import GaussianFilter

_KEPT_ROWS = 2048
"""Samples up to which the filters are kept as matrices (width, N, N) instead of being applied anew."""


@final
class Ladder:
    """Parts of a field between Gaussian filters of descending width.

    y = mean + L_1 y + (L_2 - L_1) y + ... + (1 - L_n) y with L_i the low part of width i without the mean. Power is
    the mean square of a part. The parts are not orthogonal, so their powers need not add up to the mean square. Band
    edges are 1 / (2 pi width), where the Gaussian passes exp(-1/2); the last band is open and drawn an octave wide,
    the first ends at half the lowest edge or at one cycle over the samples' spread, whichever is less.

    Args:
        filters: For the samples.
        features: (N, d) the same rows.

    Attributes:
        bands: n + 2 bands.
        widths: Descending.
    """

    def __init__(self, filters: GaussianFilter, features: Tensor | Any) -> None:
        self._filters = filters
        descending = filters.widths.argsort(descending=True)
        self._order = descending
        self.widths: list[float] = filters.widths[descending].tolist()
        rows = as_tensor(features)
        cuts = [1 / (2 * math.pi * width) for width in self.widths]
        spread = 2 * float((rows - rows.mean(0)).norm(dim=1).max())
        self.bands = Bands((0.0, min(1 / spread, cuts[0] / 2), *cuts, 2 * cuts[-1]))
        self._matrices = None
        if len(rows) <= _KEPT_ROWS:
            self._matrices = filters.split(torch.eye(len(rows), dtype=torch.float64, device="cpu")).low[
                descending
            ]

    def coefficients(self, values: Tensor) -> Tensor:
        """(band, N, C) float64 parts, linear in (N, C) values; their sum is the field."""
        field = values.double().reshape(len(values), -1)
        mean = field.mean(0)
        rest = field - mean
        low = self._filters.split(rest).low[self._order] if self._matrices is None else self._matrices @ rest
        steps = torch.cat([low[:1], low.diff(dim=0), (rest - low[-1])[None]])
        return torch.cat([mean.expand_as(field)[None], steps])

    def power(self, coefficients: Tensor) -> Tensor:
        """(band, C) float64 mean square of each part."""
        return coefficients.square().mean(1)

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """(band, C) float64 mean product of two fields' parts."""
        return (coefficients * other).mean(1)

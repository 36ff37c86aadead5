"""Low and high parts of a target on a cloud of samples, by Gaussian filters of several widths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.seeding import numpy_generator
from overtone._utils.tensors import as_tensor
from overtone.errors import InputError
from overtone.spectra._band_transform import BandTransform
from overtone.spectra._bands import Bands
from overtone.spectra._inputs import rows
from overtone.spectra.clouds._kernel_sums import ExactSums, KernelSums, TreeSums, gaussian_average
from overtone.spectra.clouds._neighbours import MEMORY, features

_EXACT_ROWS = 10_000
_PROBES = 64
_DECADES = math.log(1e6)


@final
@dataclass(frozen=True)
class Split:
    """A field's low and high parts: low + high is the field.

    Attributes:
        low: (width, N, channel) float64 what the filter keeps.
        high: (width, N, channel) float64 the rest.
        approximation: (width,) float64 error of the low part where it is not exact: the root mean square
            difference from complete sums at 64 random rows, over the root mean square of these; 0 where exact.
    """

    low: Tensor
    high: Tensor
    approximation: Tensor


@final
@dataclass(frozen=True)
class FilterErrors:
    """Errors of the low and the high part of a target, per width and channel, without the mean.

    A network learns the mean of its targets at once, and every filter keeps it; within the low part it would
    make any target look learned low first, labels drawn at random too.

    Attributes:
        widths: (width,) float64, in units of the features; a wide filter keeps low frequencies only.
        target: (channel,) float64 mean square of the target without its mean.
        target_low: (width, channel) float64 mean square of the low part of that.
        target_high: The same of its high part.
        residual_low: The same of the low part of prediction - target.
        residual_high: The same of its high part.
        target_mean: (channel,) float64 square of the target's mean.
        residual_mean: (channel,) float64 square of the residual's mean.
        approximation: (width,) float64 error of the filter itself, see `Split`.
    """

    widths: Tensor
    target: Tensor
    target_low: Tensor
    target_high: Tensor
    residual_low: Tensor
    residual_high: Tensor
    target_mean: Tensor
    residual_mean: Tensor
    approximation: Tensor

    @property
    def e_low(self) -> Tensor:
        """(width,) relative error of the low part, sqrt(sum |h_low - y_low|^2 / sum |y_low|^2)."""
        return (self.residual_low.sum(1) / self.target_low.sum(1)).sqrt()

    @property
    def e_high(self) -> Tensor:
        """(width,) relative error of the high part."""
        return (self.residual_high.sum(1) / self.target_high.sum(1)).sqrt()

    @property
    def low_share(self) -> Tensor:
        """(width,) sum |y_low|^2 / sum |y|^2 without the mean; informative between about 0.2 and 0.8."""
        return self.target_low.sum(1) / self.target.sum()

    @property
    def bias(self) -> Tensor:
        """(width,) (e_high - e_low) / (e_high + e_low): 1 if only the low part is learned, 0 if both alike."""
        return (self.e_high - self.e_low) / (self.e_high + self.e_low)


@final
class GaussianFilter:
    """Gaussian filters of several widths on a cloud of samples.

    y_low(x_i) = sum_j y_j G(x_i - x_j) / sum_j G(x_i - x_j) with G(r) = exp(-|r|^2 / (2 width^2)), and
    y_high = y - y_low: the frequency principle's test in many dimensions (Xu et al. 2019, Frequency principle:
    Fourier analysis sheds light on deep neural networks, arXiv 1901.06523, the filtering method). The Gaussian
    passes frequencies below about 1 / (2 pi width), in cycles per unit of the features. Low and high are not
    orthogonal, so their powers do not add up to the field's. Assumes that distances between rows mean
    something: features of different units have to be scaled first. Where rows are sparse beside the width,
    the low part is the field itself.

    Args:
        coords: (N, d) features.
        widths: Positive widths, in units of the features.
        sums: `KernelSums.exact()` or `.tree()`; None for `exact` up to 10,000 rows and `tree` beyond, whose error is
            measured.
        memory: Budget for the distances held at a time where `sums` is None and while that error is measured, in
            GiB; beside it are held the features and the (width, N, C) low and high parts.

    Attributes:
        widths: (W,) float64.

    Raises:
        InputError: If the features are not finite numbers or all the same, or a width is not positive.

    Example:
        >>> import torch
        >>> from overtone.spectra.clouds import GaussianFilter
        >>> rows = torch.arange(30.0).reshape(10, 3)
        >>> parts = GaussianFilter(rows, [2.0, 8.0]).split(rows[:, :1])
        >>> bool(torch.allclose(parts.low + parts.high, rows[:, :1].double()))
        True
    """

    def __init__(
        self,
        coords: Tensor | ArrayLike,
        widths: float | Sequence[float] | Tensor,
        sums: KernelSums | None = None,
        *,
        memory: float = MEMORY,
    ) -> None:
        self._coords = features(coords)
        self.widths = as_tensor(widths, torch.float64).flatten()
        if not len(self.widths) or not bool((self.widths.isfinite() & (self.widths > 0)).all()):
            raise InputError(
                "positive widths",
                f"{self.widths.tolist()}",
                "pass what GaussianFilter.widths_for returns",
                "widths",
            )
        small = len(self._coords) <= _EXACT_ROWS
        self._sums = sums or (ExactSums(memory) if small else TreeSums(memory=memory))
        self._memory = memory

    @staticmethod
    def widths_for(
        coords: Tensor | ArrayLike,
        values: Tensor | ArrayLike,
        shares: Sequence[float] = (0.7, 0.5, 0.3),
        *,
        at_most: int = 1000,
        seed: int = 0,
    ) -> Tensor:
        """The widths at which given shares of the energy are low, sum |y_low|^2 / sum |y|^2 without the mean.

        Computed on at most `at_most` random rows; with more rows the share at a width moves, because a
        denser cloud is filtered more.

        Args:
            coords: (N, d) features.
            values: (N, C) real values, or (N,).
            shares: Shares within (0, 1).
            at_most: Maximum number of rows used.
            seed: Seed of the rows drawn.

        Returns:
            (shares,) float64 widths, in units of the features.

        Raises:
            InputError: If a share cannot be reached, the values are constant, or the features or values are not
                finite numbers.
        """
        return filter_widths(coords, values, shares, at_most, seed)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self._coords)

    @property
    def radius(self) -> float:
        """Largest distance of a sample from the mean of all, in units of the features."""
        return float(self._coords.norm(dim=1).max())

    def pyramid(self) -> GaussianPyramid:
        """The bands between these filters' widths, as a transform."""
        return GaussianPyramid(self)

    def split(self, values: Tensor | ArrayLike) -> Split:
        """The low and high part of values, linear in them.

        Args:
            values: (N, C) real values, or (N,). Predictions of many steps can be passed as channels.

        Raises:
            InputError: If the values are not numbers, not finite, or not one row a sample.
        """
        field = rows(values, "values", len(self._coords)).to(self._coords.device)
        mean = field.mean(0)
        # The mean passes every filter, so it is taken off before and put back after: no rounding of a large
        # mean.
        low = self._sums.average(self._coords, field - mean, self.widths) + mean
        return Split(low, field - low, self._approximation(field, low))

    def errors(self, target: Tensor | ArrayLike, prediction: Tensor | ArrayLike) -> FilterErrors:
        """Relative errors of a prediction's low and high part, the mean taken off both.

        Args:
            target: (N, C) real values, or (N,); for classes one column a class.
            prediction: The same of the network.

        Raises:
            InputError: If the two do not fit each other or the samples.
        """
        target_rows = rows(target, "target", len(self._coords))
        prediction_rows = rows(prediction, "prediction", len(self._coords)).to(target_rows.device)
        if target_rows.shape != prediction_rows.shape:
            raise InputError(
                f"a prediction of the target's shape {tuple(target_rows.shape)}",
                f"{tuple(prediction_rows.shape)}",
                "pass one column a channel",
                "prediction",
            )
        channels = target_rows.shape[1]
        # Target and residual as channels of one field: the filter is applied once.
        both = torch.cat([target_rows, prediction_rows - target_rows], 1)
        mean = both.mean(0)
        parts = self.split(both - mean)
        low, high = parts.low.square().mean(1), parts.high.square().mean(1)
        return FilterErrors(
            self.widths,
            (target_rows - mean[:channels]).square().mean(0),
            low[:, :channels],
            high[:, :channels],
            low[:, channels:],
            high[:, channels:],
            mean[:channels].square(),
            mean[channels:].square(),
            parts.approximation,
        )

    def _approximation(self, field: Tensor, low: Tensor) -> Tensor:
        if self._sums.complete:
            return torch.zeros_like(self.widths)
        count = len(field)
        chosen = numpy_generator(0, "cloud", "probes").choice(count, min(_PROBES, count), replace=False)
        probes = torch.from_numpy(chosen).to(field.device)
        mean = field.mean(0)
        every = torch.ones_like(field[:, 0])
        exact = (
            gaussian_average(
                self._coords[probes], self._coords, field - mean, every, self.widths, self._memory
            )
            + mean
        )
        wrong = (low[:, probes] - exact).square().mean((1, 2))
        return (wrong / exact.square().mean((1, 2)).clamp(min=1e-300)).sqrt().cpu()


def filter_widths(
    coords: Tensor | ArrayLike, values: Tensor | ArrayLike, shares: Sequence[float], at_most: int, seed: int
) -> Tensor:
    """Solve for the widths of `GaussianFilter.widths_for`."""
    from scipy.optimize import brentq

    centred_coords = features(coords)
    field = rows(values, "values", len(centred_coords)).to(centred_coords.device)
    if len(centred_coords) > at_most:
        chosen = torch.from_numpy(
            numpy_generator(seed, "cloud", "widths").choice(len(centred_coords), at_most, replace=False)
        )
        centred_coords, field = (
            centred_coords[chosen.to(centred_coords.device)],
            field[chosen.to(centred_coords.device)],
        )
    field = field - field.mean(0)
    energy = float(field.square().mean())
    if energy == 0:
        raise InputError("values that vary", "constant values", "pass the target", "values")
    # The share is monotone in the width: a root is bracketed six decades on either side of the diameter.
    extent = math.log(float(torch.cdist(centred_coords, centred_coords).max()))
    every = torch.ones_like(field[:, 0])

    def low_share(logarithm: float) -> float:
        low = gaussian_average(
            centred_coords,
            centred_coords,
            field,
            every,
            torch.tensor([math.exp(logarithm)], dtype=torch.float64, device="cpu"),
        )
        return float(low.square().mean()) / energy

    largest = low_share(extent - _DECADES)
    answers = []
    for share in shares:
        if not 0 < share < largest:
            raise InputError(
                f"shares between 0 and {largest:.3g}, which the narrowest filter keeps",
                f"{share}",
                "pass for instance 0.5",
                "shares",
            )
        level = brentq(
            lambda at, share=share: low_share(at) - share, extent - _DECADES, extent + _DECADES, xtol=1e-9
        )
        answers.append(math.exp(level))
    return torch.tensor(answers, dtype=torch.float64, device="cpu")


_KEPT_ROWS = 2048
"""Samples up to which the filters are kept as matrices (width, N, N) instead of being applied anew."""


@final
class GaussianPyramid(BandTransform):
    """Parts of a field between Gaussian filters of descending width.

    y = mean + L_1 y + (L_2 - L_1) y + ... + (1 - L_n) y with L_i the low part of width i without the mean. Power is
    the mean square of a part. The parts are not orthogonal, so their powers need not add up to the mean square. Band
    edges are 1 / (2 pi width), where the Gaussian passes exp(-1/2); the last band is open and drawn an octave wide,
    the first ends at half the lowest edge or at one cycle over the samples' spread, whichever is less.

    Args:
        filters: The filters of the samples.

    Attributes:
        bands: n + 2 bands.
        widths: Descending.
    """

    def __init__(self, filters: GaussianFilter) -> None:
        self._filters = filters
        descending = filters.widths.argsort(descending=True)
        self._order = descending
        self.widths: list[float] = filters.widths[descending].tolist()
        cuts = [1 / (2 * math.pi * width) for width in self.widths]
        spread = 2 * filters.radius
        self.bands = Bands((0.0, min(1 / spread, cuts[0] / 2), *cuts, 2 * cuts[-1]))
        self._matrices = None
        # N^2 numbers a width: up to some thousand rows a matrix is faster than new sums at every step.
        if filters.samples <= _KEPT_ROWS:
            self._matrices = filters.split(torch.eye(filters.samples, dtype=torch.float64, device="cpu")).low[
                descending
            ]

    @property
    def closes(self) -> bool:
        """No: the parts add up to the field, but they are not orthogonal."""
        return False

    def coefficients(self, values: Tensor) -> Tensor:
        """(band, N, C) float64 parts, linear in (N, C) values; their sum is the field."""
        field = values.double().reshape(len(values), -1)
        mean = field.mean(0)
        centred_field = field - mean
        low = (
            self._filters.split(centred_field).low[self._order]
            if self._matrices is None
            else self._matrices @ centred_field
        )
        steps = torch.cat([low[:1], low.diff(dim=0), (centred_field - low[-1])[None]])
        return torch.cat([mean.expand_as(field)[None], steps])

    def power(self, coefficients: Tensor) -> Tensor:
        """(band, channel) float64 mean square of each part."""
        return coefficients.square().mean(1)

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """(band, C) float64 mean product of two fields' parts."""
        return (coefficients * other).mean(1)

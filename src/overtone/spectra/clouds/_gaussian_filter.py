"""Low- and high-frequency parts of a target on a cloud of samples, by Gaussian filters of several widths."""

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
    """Low- and high-frequency parts of a field; their sum is the field.

    Attributes:
        low: (width, N, channel) float64 low-pass filtered field.
        high: (width, N, channel) float64 difference of field and low part.
        approximation: (width,) float64 relative error of the low part: the root mean square difference from
            exact sums at 64 random rows, divided by the root mean square of these sums; 0 for exact sums.
    """

    low: Tensor
    high: Tensor
    approximation: Tensor


@final
@dataclass(frozen=True)
class FilterErrors:
    """Errors of the low and the high part of a target, per width and channel, without the mean.

    A network learns the mean of its targets early, and every filter passes it. If the low part included the
    mean, any target, even random labels, would appear to be learned at low frequencies first.

    Attributes:
        widths: (width,) float64, in units of the features; a wide filter passes low frequencies only.
        target: (channel,) float64 mean square of the target without its mean.
        target_low: (width, channel) float64 mean square of the low part of the centred target.
        target_high: (width, channel) float64 mean square of its high part.
        residual_low: (width, channel) float64 mean square of the low part of the centred prediction - target.
        residual_high: (width, channel) float64 mean square of its high part.
        target_mean: (channel,) float64 square of the target's mean.
        residual_mean: (channel,) float64 square of the residual's mean.
        approximation: (width,) float64 relative error of the filter, see `Split`.
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
        """(width,) sum |y_low|^2 / sum |y|^2 of the centred target; informative between about 0.2 and 0.8."""
        return self.target_low.sum(1) / self.target.sum()

    @property
    def bias(self) -> Tensor:
        """(width,) (e_high - e_low) / (e_high + e_low): 1 if only low frequencies are learned, 0 if equal."""
        return (self.e_high - self.e_low) / (self.e_high + self.e_low)


@final
class GaussianFilter:
    """Gaussian filters of several widths on a cloud of samples.

    y_low(x_i) = sum_j y_j G(x_i - x_j) / sum_j G(x_i - x_j) with G(r) = exp(-|r|^2 / (2 width^2)), and
    y_high = y - y_low: the frequency principle's test in many dimensions (Xu et al. 2019, Frequency principle:
    Fourier analysis sheds light on deep neural networks, arXiv 1901.06523, the filtering method). The Gaussian
    passes frequencies below about 1 / (2 pi width), in cycles per unit of the features. Low and high are not
    orthogonal, so their powers do not sum to that of the field. Distances between rows must be meaningful:
    scale features of different units first. Where rows are sparse relative to the width, the low part is the
    field.

    Args:
        coords: (N, d) features.
        widths: Positive widths, in units of the features.
        sums: `KernelSums.exact()` or `KernelSums.tree()`; None for `exact` up to 10,000 rows, else `tree`,
            whose error is measured.
        memory: Memory budget in GiB for distances, used if `sums` is None and for the measurement of the
            error. The features and the (width, N, C) parts need additional memory.

    Attributes:
        widths: (W,) float64.

    Raises:
        InputError: If the features are not finite numbers or are constant, or a width is not positive.

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
                "pass for instance the result of GaussianFilter.widths_for",
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
        """Return the widths at which sum |y_low|^2 / sum |y|^2 of centred values equals each share.

        They are computed on at most `at_most` random rows. With more rows the share at a width changes,
        because a denser cloud is filtered more.

        Args:
            coords: (N, d) features.
            values: (N, C) real values, or (N,).
            shares: Shares within (0, 1).
            at_most: Maximum number of rows used.
            seed: Seed of the selection of rows.

        Returns:
            (shares,) float64 widths, in units of the features.

        Raises:
            InputError: If a share is not attainable, the values are constant, or the features or values are
                not finite numbers.
        """
        return filter_widths(coords, values, shares, at_most, seed)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self._coords)

    @property
    def radius(self) -> float:
        """Largest distance of a sample from the mean of all samples, in units of the features."""
        return float(self._coords.norm(dim=1).max())

    def pyramid(self) -> GaussianPyramid:
        """Return a transform whose bands lie between the widths of these filters."""
        return GaussianPyramid(self)

    def split(self, values: Tensor | ArrayLike) -> Split:
        """Return the low and high part of values, linear in the values.

        Args:
            values: (N, C) real values, or (N,). Predictions of many steps can be passed as channels.

        Raises:
            InputError: If the values are not numbers, not finite, or not one row a sample.
        """
        field = rows(values, "values", len(self._coords)).to(self._coords.device)
        mean = field.mean(0)
        # Every filter passes the mean, so it is subtracted first and added afterwards, which avoids rounding
        # errors of a large mean.
        low = self._sums.average(self._coords, field - mean, self.widths) + mean
        return Split(low, field - low, self._approximation(field, low))

    def errors(self, target: Tensor | ArrayLike, prediction: Tensor | ArrayLike) -> FilterErrors:
        """Return the errors of a prediction's low and high part, without the means.

        Args:
            target: (N, C) real values, or (N,); for classes, one column per class.
            prediction: (N, C) predictions of the network.

        Raises:
            InputError: If target, prediction and samples do not match.
        """
        target_rows = rows(target, "target", len(self._coords))
        prediction_rows = rows(prediction, "prediction", len(self._coords)).to(target_rows.device)
        if target_rows.shape != prediction_rows.shape:
            raise InputError(
                f"a prediction of the target's shape {tuple(target_rows.shape)}",
                f"{tuple(prediction_rows.shape)}",
                "pass one column per channel",
                "prediction",
            )
        channels = target_rows.shape[1]
        # Target and residual are channels of one field, so that the filter is applied only once.
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
        ones = torch.ones_like(field[:, 0])
        exact = (
            gaussian_average(
                self._coords[probes], self._coords, field - mean, ones, self.widths, self._memory
            )
            + mean
        )
        square_error = (low[:, probes] - exact).square().mean((1, 2))
        return (square_error / exact.square().mean((1, 2)).clamp(min=1e-300)).sqrt().cpu()


def filter_widths(
    coords: Tensor | ArrayLike, values: Tensor | ArrayLike, shares: Sequence[float], at_most: int, seed: int
) -> Tensor:
    """Solve for the widths of `GaussianFilter.widths_for` by root bracketing."""
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
    # The share is monotone in the width, so six decades on either side of the diameter bracket the root.
    extent = math.log(float(torch.cdist(centred_coords, centred_coords).max()))
    ones = torch.ones_like(field[:, 0])

    def low_share(logarithm: float) -> float:
        low = gaussian_average(
            centred_coords,
            centred_coords,
            field,
            ones,
            torch.tensor([math.exp(logarithm)], dtype=torch.float64, device="cpu"),
        )
        return float(low.square().mean()) / energy

    largest = low_share(extent - _DECADES)
    widths_by_share = []
    for share in shares:
        if not 0 < share < largest:
            raise InputError(
                f"shares between 0 and {largest:.3g}, that of the narrowest filter",
                f"{share}",
                "pass for instance 0.5",
                "shares",
            )
        level = brentq(
            lambda logarithm, share=share: low_share(logarithm) - share,
            extent - _DECADES,
            extent + _DECADES,
            xtol=1e-9,
        )
        widths_by_share.append(math.exp(level))
    return torch.tensor(widths_by_share, dtype=torch.float64, device="cpu")


_KEPT_ROWS = 2048
"""Number of samples up to which the filters are stored as matrices (width, N, N)."""


@final
class GaussianPyramid(BandTransform):
    """Gaussian pyramid: parts of a field between Gaussian filters of descending width.

    y = mean + L_1 y + (L_2 - L_1) y + ... + (1 - L_n) y with L_i the low part of width i without the mean.
    Power is the mean square of a part. The parts are not orthogonal, so their powers need not sum to the mean
    square. Band edges are 1 / (2 pi width), where the Gaussian's gain is exp(-1/2). The last band is
    unbounded but shown as one octave; the first ends at half the lowest edge or at one cycle over the
    diameter of the samples, whichever is lower.

    Args:
        filters: The filters of the samples.

    Attributes:
        bands: n + 2 bands.
        widths: Widths in descending order.
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
        # A matrix has N^2 numbers per width: up to some thousand rows it is faster than recomputing the sums.
        if filters.samples <= _KEPT_ROWS:
            self._matrices = filters.split(torch.eye(filters.samples, dtype=torch.float64, device="cpu")).low[
                descending
            ]

    @property
    def closes(self) -> bool:
        """False: the parts sum to the field but are not orthogonal."""
        return False

    def coefficients(self, values: Tensor) -> Tensor:
        """Return the (band, N, C) float64 parts, linear in (N, C) values; their sum is the field."""
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
        """Return the (band, channel) float64 mean square of each part."""
        return coefficients.square().mean(1)

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """Return the (band, C) float64 mean product of two fields' parts."""
        return (coefficients * other).mean(1)

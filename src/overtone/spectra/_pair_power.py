"""Powers of predictions, targets and their residuals per band, accumulated over samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone._utils.display import Result
from overtone._utils.pair_power import amplitude_error, coherence, cross_power
from overtone.errors import InputError
from overtone.spectra._band_transform import BandTransform
from overtone.spectra._bands import Bands

BLOCKS = 256
"""Blocks of samples that are stored at most; neighbouring blocks are merged when there are more."""

_COEFFICIENTS = 1 << 23
"""Values that are transformed at once, which bounds the memory."""


@final
@dataclass(frozen=True, repr=False)
class PairPower(Result):
    """Mean power of targets, predictions and residuals per band and channel, and what follows from them.

    With Pf and Pg the power of prediction and target, C their cross power and E the residual's power,
    E = Pf + Pg - 2 C. Subich et al. 2025 (arXiv 2501.19374) split it into an error of amplitude and one of
    decorrelation,

        E = (sqrt Pf - sqrt Pg)^2 + 2 sqrt(Pf Pg) (1 - coherence),  coherence = C / sqrt(Pf Pg).

    Attributes:
        bands: The bands.
        target: (band, channel) float64 power of the targets, in squared units of the value.
        prediction: (band, channel) float64 power of the predictions.
        residual: (band, channel) float64 power of predictions minus targets.
        samples: Number of samples.
        blocks: (block, 3, band, channel) float64 means of target, prediction and residual power over consecutive
            samples, for intervals. A last, incomplete block is left out.
        block_length: Samples per block.
        estimator: Name of the estimator.

    Example:
        >>> import torch
        >>> from overtone import spectra
        >>> wave = torch.cos(2 * torch.pi * torch.arange(8) / 8).double()[None, None]
        >>> sums = spectra.PairSums(spectra.GridTransform((8,), periodic=True, bands=[0, 0.5, 1.5, 4]), channels=1)
        >>> sums.update(0.5 * wave, wave)
        >>> result = sums.compute()
        >>> [round(float(x[1, 0]), 3) for x in (result.power_ratio, result.coherence, result.error_ratio)]
        [0.25, 1.0, 0.25]
    """

    bands: Bands
    target: Tensor
    prediction: Tensor
    residual: Tensor
    samples: int
    blocks: Tensor
    block_length: int
    estimator: str

    @property
    def cross(self) -> Tensor:
        """(band, channel) float64 cross power C of prediction and target."""
        return cross_power(self.target, self.prediction, self.residual)

    @property
    def error_ratio(self) -> Tensor:
        """(band, channel) float64 residual power over target power; infinite where only the target has none."""
        return self.residual / self.target

    @property
    def relative_error(self) -> Tensor:
        """(band, channel) float64 square root of `error_ratio`."""
        return self.error_ratio.sqrt()

    @property
    def power_ratio(self) -> Tensor:
        """(band, channel) float64 prediction power over target power."""
        return self.prediction / self.target

    @property
    def coherence(self) -> Tensor:
        """(band, channel) float64 cross power over the geometric mean of both powers, in [-1, 1]; NaN without power."""
        return coherence(self.target, self.prediction, self.residual)

    @property
    def amplitude_error(self) -> Tensor:
        """(band, channel) float64 part of the residual power that is due to amplitude, (sqrt Pf - sqrt Pg)^2."""
        return amplitude_error(self.target, self.prediction, self.residual)

    @property
    def decorrelation_error(self) -> Tensor:
        """(band, channel) float64 part of the residual power that is due to decorrelation, 2 sqrt(Pf Pg) (1 - coh).

        It is computed as the remainder, so that both parts add up exactly, also where the coherence rounds to 1.
        """
        return self.residual - self.amplitude_error


@final
class PairSums:
    """Sums of target, prediction and residual power over samples, in memory that does not grow with their number.

    All sums are float64, and each sample is summed separately: how samples are divided among calls changes the
    result by rounding only. Consecutive samples are summed in blocks, of which at most 256 are stored: when there are
    more, neighbours are merged. With samples in the order of time, intervals can allow for their dependence.

    Args:
        transform: The transform of one field with channels last.
        channels: Number of channels.
        estimator: Name of the estimator in results.

    Raises:
        InputError: If there is no channel.

    Example:
        >>> import torch
        >>> from overtone import spectra
        >>> sums = spectra.PairSums(spectra.GridTransform((4, 4)), channels=1)
        >>> for _ in range(3):
        ...     sums.update(torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4))
        >>> result = sums.compute()
        >>> result.samples, round(float(result.residual.sum()), 6)
        (6, 1.0)
    """

    def __init__(self, transform: BandTransform, channels: int, estimator: str = "") -> None:
        if channels < 1:
            raise InputError("at least one channel", f"{channels}", "pass the number of channels", "channels")
        self.transform = transform
        self._channels, self._estimator = channels, estimator
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self._rows = RowSums()

    @property
    def samples(self) -> int:
        """Samples so far."""
        return self._rows.samples

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add samples, in the order of time where they have one.

        Args:
            prediction: (sample, channel, *space) real values.
            target: Values of the same shape.

        Raises:
            InputError: If the shapes differ from each other or from the transform, or a value is not finite.
        """
        if prediction.shape != target.shape:
            raise InputError(
                f"predictions of the targets' shape {tuple(target.shape)}",
                f"{tuple(prediction.shape)}",
                "pass the same samples of both",
                "prediction",
            )
        if target.ndim < 3 or target.shape[1] != self._channels:
            raise InputError(
                f"values of shape (samples, {self._channels}, *space)",
                f"{tuple(target.shape)}",
                "reshape them",
                "target",
            )
        at_once = max(1, _COEFFICIENTS // max(1, target[0].numel()))
        for first in range(0, len(target), at_once):
            part = slice(first, first + at_once)
            for row in self._powers(prediction[part], target[part]):
                self._rows.append(row)

    def _powers(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the (sample, 3, band, channel) float64 powers of target, prediction and residual."""
        forecast, truth = (
            self.transform.coefficients(_channels_last(values)) for values in (prediction, target)
        )
        powers = [self.transform.power(c) for c in (truth, forecast, forecast - truth)]
        table = torch.stack(powers).reshape(3, self.transform.bands.count, len(target), self._channels)
        return table.permute(2, 0, 1, 3)

    def compute(self) -> PairPower:
        """Return the mean powers of all samples so far.

        Raises:
            InputError: If there are none.
        """
        if not self._rows.samples:
            raise InputError("at least one sample", "none", "call update first", "samples")
        target, prediction, residual = self._rows.mean()
        return PairPower(
            self.transform.bands,
            target,
            prediction,
            residual,
            self._rows.samples,
            self._rows.blocks(),
            self._rows.length,
            self._estimator,
        )


@final
class RowSums:
    """Sums of one row per sample, in all and in at most 256 blocks of consecutive samples.

    Attributes:
        samples: Rows so far.
        length: Rows per block.
    """

    def __init__(self) -> None:
        self.samples, self.length, self._in_open = 0, 1, 0
        self._total: Tensor | None = None
        self._open: Tensor | None = None
        self._closed: list[Tensor] = []

    def append(self, row: Tensor) -> None:
        """Add the row of the next sample."""
        self.samples += 1
        self._total = row.clone() if self._total is None else self._total + row
        self._open = row if self._open is None else self._open + row
        self._in_open += 1
        if self._in_open < self.length:
            return
        self._closed.append(self._open)
        self._open, self._in_open = None, 0
        if len(self._closed) == BLOCKS:
            pairs = zip(self._closed[::2], self._closed[1::2], strict=True)
            self._closed = [first + second for first, second in pairs]
            self.length *= 2

    def mean(self) -> Tensor:
        """Return the mean row."""
        assert self._total is not None
        return self._total / self.samples

    def blocks(self) -> Tensor:
        """Return the (block, ...) means over blocks; a last, incomplete one is left out."""
        return torch.stack(self._closed) / self.length


def _channels_last(values: Tensor) -> Tensor:
    """Return (sample, channel, *space) values as (*space, sample * channel) in float64."""
    # Float32 arithmetic would add white noise of 1e-7 of the field's amplitude, which hides steep spectra.
    return values.double().flatten(0, 1).movedim(0, -1)


def radial_slope(bands: Bands, modes: Tensor, power: Tensor, lowest: float) -> float:
    """Return p of E(f) ~ f^-p by least squares of the logarithms, E the power per unit of radial frequency.

    Args:
        bands: The bands.
        modes: (band,) modes per band; bands without any, the corner and those below `lowest` are left out.
        power: (band,) power.
        lowest: Lowest frequency.

    Returns:
        The exponent; NaN with fewer than three bands that have power.
    """
    low, high = torch.from_numpy(bands.low), torch.from_numpy(bands.high)
    valid = (low > 0) & (low >= lowest) & (power.cpu() > 0) & (modes.cpu() > 0)
    if bands.corner:
        valid[-1] = False
    if int(valid.sum()) < 3:
        return float("nan")
    x = torch.log(torch.from_numpy(bands.centre)[valid])
    y = torch.log(power.cpu()[valid] / (high - low)[valid])
    x = x - x.mean()
    return -float((x * y).sum() / x.square().sum())


def usable_bands(bands: Bands, lowest: float, highest: float) -> Sequence[bool]:
    """Return for each band whether it lies within frequencies, beyond the mean's band and below the corner.

    Args:
        bands: The bands.
        lowest: Lower edges are at least this frequency.
        highest: Upper edges are at most this frequency.
    """
    tolerance = 1e-9 * bands.edges[-1]
    return [
        low > 0
        and low >= lowest - tolerance
        and high <= highest + tolerance
        and not (bands.corner and index == bands.count - 1)
        for index, (low, high) in enumerate(zip(bands.low, bands.high, strict=True))
    ]

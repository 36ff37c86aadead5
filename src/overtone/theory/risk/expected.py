"""Expected error on clean data: what is not yet learned of the target, and what is learned of the noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory.risk.checks import finite, non_negative, spectrum
from overtone.theory.risk.filters import Filter


@final
@dataclass(frozen=True)
class Risk:
    """Expected squared error per sample against the clean target, in value units squared.

    Attributes:
        steps: (step,) training times or steps.
        bias: (step, band) or (step, band, channel): target not yet learned.
        variance: Same shape: noise learned.
    """

    steps: Tensor
    bias: Tensor
    variance: Tensor

    @property
    def per_band(self) -> Tensor:
        """Bias plus variance, (step, band) or (step, band, channel)."""
        return self.bias + self.variance

    @property
    def total(self) -> Tensor:
        """(step,) expected squared error, summed over bands and averaged over channels."""
        banded = self.per_band.sum(dim=1)
        return banded.mean(dim=-1) if banded.ndim == 2 else banded

    @property
    def best(self) -> int:
        """Index of the step with the least expected error: the oracle's stop."""
        return int(self.total.argmin())

    @property
    def best_step(self) -> float:
        """The oracle's stop itself."""
        return float(self.steps[self.best])

    @property
    def best_per_band(self) -> Tensor:
        """(band,) or (band, channel): the step at which each band's own expected error is least."""
        return self.steps[self.per_band.argmin(dim=0)]

    @property
    def noise_onset(self) -> Tensor:
        """(band,) or (band, channel): the first step at which a band's error is more noise than target.

        Infinity where that never happens within the steps.
        """
        over = self.variance > self.bias
        first = self.steps[over.to(torch.int8).argmax(dim=0)]
        return torch.where(over.any(dim=0), first, torch.full_like(first, float("inf")))


def expected(
    eigenvalues: Tensor,
    target_power: Tensor,
    noise: Tensor | float,
    rule: Filter,
    steps: Tensor,
    band: Tensor | None = None,
) -> Risk:
    """Expected bias and variance per band and step of a linear smoother on noisy observations.

    With observations y_i = a_i + e_i in the orthonormal eigenbasis of the kernel matrix of the N = mode
    samples, e_i of variance s_i^2 and mean 0, and prediction h_i(t) y_i:

        bias(t) = sum_i (1 - h_i(t))^2 a_i^2 / N,    variance(t) = sum_i h_i(t)^2 s_i^2 / N.

    Args:
        eigenvalues: (mode,) eigenvalues of the kernel matrix.
        target_power: (mode,) or (mode, channel), a_i^2: squared coefficients of the clean target minus the
            network's initial output, in value units squared. They sum to N times the mean square.
        noise: Variance of the noise per sample, one number for white noise or broadcastable to
            `target_power`.
        rule: How training acts on a mode.
        steps: (step,) training times or steps.
        band: (mode,) int64 band of each mode; None for one band per mode.

    Returns:
        The risk; its tensors are float64 on the eigenvalues' device.

    Raises:
        InputError: If shapes do not fit, a power is negative or the kernel is not positive.

    Source:
        Bias and variance of a linear smoother: Wahba 1990, "Spline models for observational data", section 4;
        filter of early stopping: Yao, Rosasco, Caponnetto 2007, "On early stopping in gradient descent
        learning", section 2.
    """
    values = spectrum(eigenvalues)
    power = non_negative(target_power, "target_power").to(values.device)
    if power.ndim not in (1, 2) or power.shape[0] != len(values):
        raise InputError(
            f"target powers of shape ({len(values)},) or ({len(values)}, channel)",
            f"{tuple(power.shape)}",
            "project the target on the kernel's eigenvectors",
            "target_power",
        )
    spread = non_negative(torch.as_tensor(noise, dtype=torch.float64, device=values.device), "noise")
    try:
        spread = spread.expand_as(power)
    except RuntimeError as misfit:
        raise InputError(
            f"one variance, or variances of shape {tuple(power.shape)}",
            f"{tuple(spread.shape)}",
            "add the missing axis",
            "noise",
        ) from misfit
    index = torch.arange(len(values), device=values.device) if band is None else _checked(band, values)
    times = finite(steps, "steps").reshape(-1)
    bands = int(index.max()) + 1
    shape = (len(times), bands, *power.shape[1:])
    bias, variance = values.new_zeros(shape), values.new_zeros(shape)
    for row, step in enumerate(times.tolist()):
        left, taken = rule.remaining(values, step).square(), rule.learned(values, step).square()
        bias[row].index_add_(0, index, _times(left, power) / len(values))
        variance[row].index_add_(0, index, _times(taken, spread) / len(values))
    return Risk(times, bias, variance)


def _times(factor: Tensor, power: Tensor) -> Tensor:
    """Product over modes in which a power of zero stays zero even if the factor has overflowed."""
    wide = factor if power.ndim == 1 else factor[:, None]
    return torch.where(power > 0, wide * power, 0.0)


def _checked(band: Tensor, values: Tensor) -> Tensor:
    if band.dtype != torch.int64 or band.shape != values.shape or int(band.min()) < 0:
        raise InputError(
            f"int64 bands of shape {tuple(values.shape)}, none negative",
            f"{band.dtype} of shape {tuple(band.shape)}",
            "number the band of each mode from 0",
            "band",
        )
    return band.to(values.device)

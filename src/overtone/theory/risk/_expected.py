"""Expected error of a linear smoother on clean data, from the unlearned target and the learned noise."""

from __future__ import annotations

import importlib.metadata
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.records import Header
from overtone.records._schema import PER_STEP, complete
from overtone.theory._checks import finite_values, kernel_spectrum, non_negative
from overtone.theory._mode_dynamics import SpectralFilter

if TYPE_CHECKING:
    import xarray


@final
@dataclass(frozen=True)
class Risk:
    """Expected squared error per sample against the clean target, in value units squared.

    Attributes:
        steps: (step,) training times or steps.
        bias: (step, band) or (step, band, channel) squared error of the part of the target that is not yet learned.
        variance: Same shape, squared error of the learned noise.
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
        """Index of the step of minimum expected error, an oracle's stop."""
        return int(self.total.argmin())

    @property
    def best_step(self) -> float:
        """Step of minimum expected error, an oracle's stop."""
        return float(self.steps[self.best])

    @property
    def best_per_band(self) -> Tensor:
        """(band,) or (band, channel) step of minimum expected error in the band."""
        return self.steps[self.per_band.argmin(dim=0)]

    @property
    def noise_onset(self) -> Tensor:
        """(band,) or (band, channel) first step at which the noise in a band's error exceeds the target.

        Infinity for bands in which this does not happen within the steps.
        """
        over = self.variance > self.bias
        first = self.steps[over.to(torch.int8).argmax(dim=0)]
        return torch.where(over.any(dim=0), first, torch.full_like(first, float("inf")))


def expected_risk(
    eigenvalues: Tensor,
    target_power: Tensor,
    noise: Tensor | float,
    rule: SpectralFilter,
    steps: Tensor,
    band: Tensor | None = None,
) -> Risk:
    """Return the expected bias and variance per band and step of a linear smoother on noisy observations.

    With observations y_i = a_i + e_i in the orthonormal eigenbasis of the kernel matrix of the N = mode
    samples, e_i of variance s_i^2 and mean 0, and prediction h_i(t) y_i:

        bias(t) = sum_i (1 - h_i(t))^2 a_i^2 / N,    variance(t) = sum_i h_i(t)^2 s_i^2 / N.

    Args:
        eigenvalues: (mode,) eigenvalues of the kernel matrix.
        target_power: (mode,) or (mode, channel), a_i^2: squared coefficients of the clean target minus the
            network's initial output, in value units squared. They sum to N times the mean square.
        noise: Variance of the noise per sample, one number for white noise or broadcastable to
            `target_power`.
        rule: Filter of the smoother.
        steps: (step,) training times or steps.
        band: (mode,) int64 band of each mode; None for one band per mode.

    Returns:
        The risk; its tensors are float64 on the eigenvalues' device.

    Raises:
        InputError: If shapes do not fit, a power is negative or the kernel is not positive semi-definite.

    Source:
        Bias and variance of a linear smoother: Wahba 1990, "Spline models for observational data", section 4;
        filter of early stopping: Yao, Rosasco, Caponnetto 2007, "On early stopping in gradient descent
        learning", section 2.

    Example:
        >>> import torch
        >>> from overtone.theory import risk
        >>> eigenvalues = torch.tensor([4.0, 1.0, 0.25], dtype=torch.float64)
        >>> target_power = torch.tensor([3.0, 1.0, 0.0], dtype=torch.float64)
        >>> curve = risk.expected_risk(
        ...     eigenvalues, target_power, 0.3, risk.GradientFlow(), torch.tensor([0.0, 1.0, 100.0])
        ... )
        >>> [round(error, 3) for error in curve.total.tolist()]
        [1.333, 0.187, 0.3]
        >>> curve.best_step
        1.0
    """
    values = kernel_spectrum(eigenvalues)
    power = non_negative(target_power, "target_power").to(values.device)
    if power.ndim not in (1, 2) or power.shape[0] != len(values):
        raise InputError(
            f"target powers of shape ({len(values)},) or ({len(values)}, channel)",
            f"{tuple(power.shape)}",
            "project the target on the kernel's eigenvectors",
            "target_power",
        )
    variances = non_negative(torch.as_tensor(noise, dtype=torch.float64, device=values.device), "noise")
    try:
        variances = variances.expand_as(power)
    except RuntimeError as misfit:
        raise InputError(
            f"one variance, or variances of shape {tuple(power.shape)}",
            f"{tuple(variances.shape)}",
            "add the missing axis",
            "noise",
        ) from misfit
    index = torch.arange(len(values), device=values.device) if band is None else _checked_bands(band, values)
    times = finite_values(steps, "steps").reshape(-1)
    bands = int(index.max()) + 1
    shape = (len(times), bands, *power.shape[1:])
    bias, variance = values.new_zeros(shape), values.new_zeros(shape)
    for row, step in enumerate(times.tolist()):
        # The filter provides h and 1 - h separately: each is accurate even where the other is close to one.
        remaining, learned = rule.remaining(values, step).square(), rule.learned(values, step).square()
        bias[row].index_add_(0, index, _weighted(remaining, power) / len(values))
        variance[row].index_add_(0, index, _weighted(learned, variances) / len(values))
    return Risk(times, bias, variance)


def _weighted(factor: Tensor, power: Tensor) -> Tensor:
    """Return the product over modes; a power of zero stays zero even if the factor has overflowed."""
    wide = factor if power.ndim == 1 else factor[:, None]
    return torch.where(power > 0, wide * power, 0.0)


def _checked_bands(band: Tensor, values: Tensor) -> Tensor:
    if band.dtype != torch.int64 or band.shape != values.shape or int(band.min()) < 0:
        raise InputError(
            f"int64 bands of shape {tuple(values.shape)}, all 0 or more",
            f"{band.dtype} of shape {tuple(band.shape)}",
            "number the band of each mode from 0",
            "band",
        )
    return band.to(values.device)


def expected_record(
    eigenvalues: Tensor,
    target_power: Tensor,
    noise: Tensor | float,
    rule: SpectralFilter,
    steps: Tensor,
    band: Tensor,
    edges: Tensor,
    *,
    frequency_unit: str = "cycles per array",
    value_unit: str = "",
) -> xarray.Dataset:
    """Return the expected record of a probe on noisy observations, averaged over the noise.

    With S_i = (a_i^2 + s_i^2) / N, the expected power of the observations y_i = a_i + e_i along mode i, and
    prediction h_i(t) y_i, a band holds target_power = sum S_i, residual_power = sum (1 - h_i)^2 S_i and
    cross_power = sum h_i S_i; `clean_error` is the total of `expected_risk`, `train_error` the sum of the residual's
    bands.

    Args:
        eigenvalues: (mode,) eigenvalues of the kernel matrix.
        target_power: (mode,) or (mode, channel) squared coefficients of the clean target, as in `expected_risk`.
        noise: Variance of the noise per sample, one number or broadcastable to `target_power`.
        rule: Filter of the smoother.
        steps: (step,) whole steps, ascending: steps of gradient descent, or times in some unit.
        band: (mode,) int64 band of each mode.
        edges: (band + 1,) band edges, ascending from 0 on, in `frequency_unit`.
        frequency_unit: Unit of the edges.
        value_unit: Unit of the values.

    Returns:
        The record, of origin "predicted".

    Raises:
        InputError: If steps are not whole and ascending, edges do not fit the bands, or for the reasons of
            `expected_risk`.

    Source: as `expected_risk`; the cross power by |y|^2 + |f|^2 - |y - f|^2 = 2 <y, f>.

    Example:
        >>> import torch
        >>> from overtone.theory import risk
        >>> k = torch.arange(1, 9)
        >>> record = risk.expected_record(
        ...     8 / k**2, 8.0 * k**-3.0, 0.05, risk.GradientDescent(rate=1 / 8), torch.arange(0, 50, 10),
        ...     band=(k - 1) // 4, edges=torch.tensor([0.0, 4.0, 8.0]),
        ... )
        >>> record.sizes["step"], record.sizes["band"], record.attrs["origin"]
        (5, 2, 'predicted')
    """
    whole = steps.double().reshape(-1)
    if not bool((whole == whole.round()).all()) or bool((whole.diff() <= 0).any()):
        raise InputError(
            "whole steps, ascending",
            f"{whole[:4].tolist()}",
            "pass a rule with a rate and its steps",
            "steps",
        )
    clean = expected_risk(eigenvalues, target_power, noise, rule, steps, band)
    count = clean.bias.shape[1]
    if len(edges) != count + 1 or bool((edges.diff() <= 0).any()):
        raise InputError(
            f"{count + 1} ascending edges", f"{edges.tolist()}", "pass one edge more than bands", "edges"
        )
    power = target_power.double()
    variances = torch.as_tensor(noise, dtype=torch.float64, device=power.device).expand_as(power)
    # With the noisy observations as the target, the bias is the residual, and the variance for noise of the same
    # power is the power of the prediction.
    residual = expected_risk(eigenvalues, power + variances, 0.0, rule, steps, band).bias
    fitted = expected_risk(
        eigenvalues, torch.zeros_like(power), power + variances, rule, steps, band
    ).variance
    noisy, floor = (_banded(values, band, count) for values in (power + variances, variances))
    rows = {
        "residual_power": residual,
        "cross_power": (noisy + fitted - residual) / 2,
        "clean_error": clean.total,
        "train_error": residual.flatten(2).sum(1).mean(1) if residual.ndim == 3 else residual.sum(1),
    }
    boundaries = edges.double().cpu().numpy()
    header = Header(
        band_low=boundaries[:-1],
        band_high=boundaries[1:],
        channels=tuple(str(c) for c in range(power.shape[1] if power.ndim == 2 else 1)),
        static={"target_power": _channelled(noisy), "noise_power": _channelled(floor)},
        attrs={
            "origin": "predicted",
            "frequency_unit": frequency_unit,
            "value_unit": value_unit,
            "estimator": "kernel eigenvectors",
            "versions": {"overtone": importlib.metadata.version("overtone")},
        },
    )
    return header.record(whole.long().cpu().numpy(), _stacked(rows, header))


def _banded(power: Tensor, band: Tensor, count: int) -> Tensor:
    """Return (band,) or (band, channel) sums over modes, per sample."""
    return power.new_zeros(count, *power.shape[1:]).index_add_(0, band.to(power.device), power) / len(power)


def _channelled(values: Tensor) -> np.ndarray:
    channelled: np.ndarray = (values if values.ndim == 2 else values[:, None]).cpu().numpy()
    return channelled


def _stacked(rows: dict[str, Tensor], header: Header) -> dict[str, np.ndarray]:
    """Return the per-step variables of the record, NaN for those that a smoother does not have."""
    stacked = []
    for step in range(len(rows["clean_error"])):
        at = {name: value[step].cpu() for name, value in rows.items()}
        row: dict[str, np.ndarray | float] = {"loss": math.nan}
        row |= {name: _channelled(v) if name.endswith("power") else float(v) for name, v in at.items()}
        stacked.append(complete(row, PER_STEP, header.sizes, f"step {step}"))
    return {name: np.stack([row[name] for row in stacked]) for name in PER_STEP}

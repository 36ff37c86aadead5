"""Expected error on clean data: what is not yet learned of the target, and what is learned of the noise."""

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
from overtone.records._reader import assemble
from overtone.records._schema import PER_STEP, complete
from overtone.theory._checks import finite, non_negative, spectrum
from overtone.theory._mode_dynamics import SpectralFilter

if TYPE_CHECKING:
    import xarray


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


def expected_risk(
    eigenvalues: Tensor,
    target_power: Tensor,
    noise: Tensor | float,
    rule: SpectralFilter,
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
    """What a probe would record on noisy observations, on average over the noise.

    With S_i = (a_i^2 + s_i^2) / N, the expected power of the observations y_i = a_i + e_i along mode i, and
    prediction h_i(t) y_i, a band holds target_power = sum S_i, residual_power = sum (1 - h_i)^2 S_i and
    cross_power = sum h_i S_i; `clean_error` is that of `expected`, `train_error` the sum of the residual's bands.

    Args:
        eigenvalues: As `expected`.
        target_power: As `expected`.
        noise: As `expected`.
        rule: As `expected`.
        steps: (step,) whole steps, ascending; those of gradient descent, or times in some unit.
        band: (mode,) int64 band of each mode.
        edges: (band + 1,) band edges, ascending from 0 on, in `frequency_unit`.
        frequency_unit: Unit of the edges.
        value_unit: Unit of the values.

    Returns:
        The record, of origin "predicted".

    Raises:
        InputError: If steps are not whole and ascending, edges do not fit the bands, or as `expected` does.

    Source: as `expected`; the cross power by |y|^2 + |f|^2 - |y - f|^2 = 2 <y, f>.
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
        raise InputError(f"{count + 1} ascending edges", f"{edges.tolist()}", "one more than bands", "edges")
    power = target_power.double()
    spread = torch.as_tensor(noise, dtype=torch.float64, device=power.device).expand_as(power)
    left = expected_risk(eigenvalues, power + spread, 0.0, rule, steps, band).bias
    made = expected_risk(eigenvalues, torch.zeros_like(power), power + spread, rule, steps, band).variance
    noisy, floor = (_banded(each, band, count) for each in (power + spread, spread))
    rows = {
        "residual_power": left,
        "cross_power": (noisy + made - left) / 2,
        "clean_error": clean.total,
        "train_error": left.flatten(2).sum(1).mean(1) if left.ndim == 3 else left.sum(1),
    }
    lines = edges.double().cpu().numpy()
    header = Header(
        band_low=lines[:-1],
        band_high=lines[1:],
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
    return assemble(header, whole.long().cpu().numpy(), _stacked(rows, header))


def _banded(power: Tensor, band: Tensor, count: int) -> Tensor:
    """(band,) or (band, channel) sums over modes, per sample."""
    return power.new_zeros(count, *power.shape[1:]).index_add_(0, band.to(power.device), power) / len(power)


def _channelled(values: Tensor) -> np.ndarray:
    found: np.ndarray = (values if values.ndim == 2 else values[:, None]).cpu().numpy()
    return found


def _stacked(rows: dict[str, Tensor], header: Header) -> dict[str, np.ndarray]:
    """Every per-step variable, NaN where a smoother has none."""
    made = []
    for step in range(len(rows["clean_error"])):
        at = {name: value[step].cpu() for name, value in rows.items()}
        row: dict[str, np.ndarray | float] = {"loss": math.nan}
        row |= {name: _channelled(v) if name.endswith("power") else float(v) for name, v in at.items()}
        made.append(complete(row, PER_STEP, header.sizes, f"step {step}"))
    return {name: np.stack([row[name] for row in made]) for name in PER_STEP}


@final
@dataclass(frozen=True)
class WienerBound:
    """The least expected squared error that a linear shrinkage per band can reach.

    Attributes:
        signal: (band, ...) power of the clean signal, in value units squared.
        noise: (band, ...) power of the noise.
        gain: (band, ...) the best shrinkage S / (S + N), in [0, 1]; 0 where both powers are 0.
        error: (band, ...) the least expected squared error S N / (S + N).
    """

    signal: Tensor
    noise: Tensor
    gain: Tensor
    error: Tensor

    @property
    def total(self) -> Tensor:
        """(...) sum over bands of the least error, in value units squared."""
        return self.error.sum(dim=0)

    @property
    def removable(self) -> Tensor:
        """(...) share of the noise that shrinkage can remove: 1 - total / sum of N; 1 without noise."""
        noise = self.noise.sum(dim=0)
        return torch.where(noise > 0, 1 - self.total / torch.where(noise > 0, noise, 1.0), 1.0)

    def reached(self, gain: Tensor) -> Tensor:
        """Expected squared error per band of a smoother that keeps the share h of each band.

        (1 - h)^2 S + h^2 N, which equals the least error plus (S + N) (h - S / (S + N))^2: the second term is
        the price of using this smoother instead of the best one.

        Args:
            gain: Shares h, broadcastable to (..., band) or to the shape of `signal`.

        Returns:
            Expected squared error in value units squared, in the broadcast shape.
        """
        h = gain.double()
        return (1 - h).square() * self.signal + h.square() * self.noise


def irreducible(signal_power: Tensor, noise_power: Tensor) -> WienerBound:
    """Least expected squared error of any linear shrinkage per band, given the powers of signal and noise.

    Derivation. In a band the observed coefficients are y = s + e. A linear shrinkage keeps h y. Its expected
    squared error, summed over the coefficients of the band, is E |s - h (s + e)|^2 = (1 - h)^2 S + h^2 N, if
    signal and noise are uncorrelated and S, N are their summed squared coefficients. The derivative in h
    vanishes at h = S / (S + N), where the error is S N / (S + N). So noise under a strong signal (S >> N)
    costs N: nothing can be removed. Noise where there is no signal costs 0: everything can be removed.

    What is assumed. (1) Noise has mean 0 and is uncorrelated with the signal. (2) One factor acts on all
    coefficients of a band, with no regard to their phases; finer bands can only lower the bound, since S N /
    (S + N) is concave. (3) The powers are known. If the coefficients of a band are moreover independent
    Gaussians of equal variance, the bound holds for every estimator, linear or not (it is the posterior
    variance). A prior that knows more than powers, for instance that edges are sharp, can go below it.

    Args:
        signal_power: (band, ...) power of the clean signal, in value units squared.
        noise_power: Power of the noise, same shape.

    Returns:
        Bound, best shrinkage and both powers, float64.

    Raises:
        InputError: If shapes differ or a power is negative or not finite.

    Source:
        Wiener 1949, "Extrapolation, interpolation and smoothing of stationary time series", chapter III.
    """
    signal, noise = non_negative(signal_power, "signal_power"), non_negative(noise_power, "noise_power")
    if signal.shape != noise.shape:
        raise InputError(
            f"noise powers of shape {tuple(signal.shape)}",
            f"{tuple(noise.shape)}",
            "use the same bands",
            "noise_power",
        )
    both = signal + noise
    gain = torch.where(both > 0, signal / torch.where(both > 0, both, 1.0), 0.0)
    return WienerBound(signal, noise, gain, gain * noise)


def excess_signal(observed_power: Tensor, noise_power: Tensor) -> Tensor:
    """Signal power per band from observed power: max(observed - noise, 0), unbiased where it is above zero.

    Args:
        observed_power: (band, ...) power of the noisy observations, in value units squared.
        noise_power: Expected power of the noise, same shape.

    Raises:
        InputError: If a power is negative or not finite.
    """
    return (non_negative(observed_power, "observed_power") - non_negative(noise_power, "noise_power")).clamp(
        min=0
    )

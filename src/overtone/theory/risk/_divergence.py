"""Degrees of freedom of any predictor by Monte Carlo: refit after a small random change of the data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from scipy import stats
from torch import Tensor

from overtone._utils.seeding import derive
from overtone.errors import InputError, RunError
from overtone.theory._checks import finite, variance


@final
@dataclass(frozen=True)
class Estimate:
    """A Monte-Carlo mean with its interval.

    Attributes:
        value: Mean of the draws.
        low: Lower end of the interval.
        high: Upper end of the interval.
        draws: (draw,) the single draws, float64.
    """

    value: float
    low: float
    high: float
    draws: Tensor


def degrees_of_freedom(
    predict: Callable[[Tensor], Tensor],
    observed: Tensor,
    *,
    probes: int = 8,
    change: float | None = None,
    seed: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """Divergence sum_i d f_i / d y_i of a predictor in its own training data: its degrees of freedom.

    The mean over random signs b of b . (f(y + eps b) - f(y)) / eps. For f = H y one draw has the mean tr H
    and the variance 2 sum_{i != j} of the squared symmetric part of H. The interval (Student's t over the
    draws) covers the randomness of b, not the curvature of f within eps.

    Args:
        predict: Trains on data of the shape of `observed` and returns predictions of that shape. It must be
            deterministic: same initialisation, same batches. It is called `probes` + 2 times, twice on
                `observed`.
        observed: Noisy observations y, any shape, float32 or float64.
        probes: Number of random directions, at least 2.
        change: eps, in value units; None for sqrt(machine epsilon) times the root mean square of y, which
            balances rounding and curvature.
        seed: Seed of the random signs.
        confidence: Probability of the interval.

    Returns:
        The divergence, between 0 and N for ordinary smoothers.

    Raises:
        InputError: If an argument does not fit or the predictor changes from call to call.
        RunError: If a prediction is not finite.

    Source:
        Ramani, Blu, Unser 2008, "Monte-Carlo SURE", IEEE Transactions on Image Processing 17, section III.
    """
    _, draws = _probe(predict, observed, probes, change, seed, confidence)
    return _interval(draws, confidence)


def stein_risk(
    predict: Callable[[Tensor], Tensor],
    observed: Tensor,
    noise: float,
    *,
    probes: int = 8,
    change: float | None = None,
    seed: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """Expected squared error per sample of any predictor on clean data, by SURE with random probes.

    Args:
        predict: Trains on data and returns predictions; see `divergence`.
        observed: Noisy observations, any shape.
        noise: Variance of the noise per observation, in value units squared.
        probes: Number of random directions.
        change: Size of the change of the data, in value units; None to choose it.
        seed: Seed of the random signs.
        confidence: Probability of the interval, which covers the random probes only.

    Returns:
        The risk in value units squared.

    Raises:
        InputError: If an argument does not fit or the predictor changes from call to call.
        RunError: If a prediction is not finite.
    """
    spread = variance(noise)
    base, draws = _probe(predict, observed, probes, change, seed, confidence)
    residual = float((base - observed.double()).square().mean())
    return _interval(residual - spread + 2 * spread * draws / observed.numel(), confidence)


def _probe(
    predict: Callable[[Tensor], Tensor],
    observed: Tensor,
    probes: int,
    change: float | None,
    seed: int,
    confidence: float,
) -> tuple[Tensor, Tensor]:
    """The prediction on the data as they are, and one draw of the divergence per probe."""
    if not observed.is_floating_point():
        raise InputError("floating-point observations", f"{observed.dtype}", "convert them", "observed")
    level = float(finite(observed, "observed").square().mean().sqrt())
    if probes < 2 or not 0 < confidence < 1:
        raise InputError(
            "2 or more probes and a confidence between 0 and 1",
            f"{probes} and {confidence}",
            "pass 8 and 0.95",
            "probes",
        )
    step = math.sqrt(torch.finfo(observed.dtype).eps) * (level or 1.0) if change is None else change
    if not (math.isfinite(step) and step > 0):
        raise InputError("a positive change of the data", f"{step}", "pass a fraction of the noise", "change")
    base = _predicted(predict, observed)
    if not torch.equal(base, _predicted(predict, observed)):
        raise InputError(
            "a predictor that returns the same for the same data",
            "two different predictions",
            "fix the seeds of initialisation and batches inside it",
            "predict",
        )
    random = torch.Generator("cpu").manual_seed(derive(seed, "divergence"))
    draws = []
    for _ in range(probes):
        signs = (torch.randint(0, 2, observed.shape, generator=random, device="cpu") * 2 - 1).to(observed)
        moved = observed + step * signs
        actual = (moved - observed).double()
        slope = (_predicted(predict, moved) - base) / step
        draws.append(float((slope * (actual / step)).sum()))
    return base, torch.tensor(draws, dtype=torch.float64, device="cpu")


def _predicted(predict: Callable[[Tensor], Tensor], data: Tensor) -> Tensor:
    out = predict(data).detach()
    if out.shape != data.shape:
        raise InputError(
            f"predictions of shape {tuple(data.shape)}",
            f"{tuple(out.shape)}",
            "predict at the observations",
            "predict",
        )
    if not bool(torch.isfinite(out).all()):
        raise RunError(
            "finite predictions",
            "NaN or infinity",
            "lower the learning rate or pass a smaller change",
            "predict",
        )
    return out.double()


def _interval(draws: Tensor, confidence: float) -> Estimate:
    value = float(draws.mean())
    half = float(stats.t.ppf(0.5 + confidence / 2, len(draws) - 1) * draws.std() / math.sqrt(len(draws)))
    return Estimate(value, value - half, value + half, draws)

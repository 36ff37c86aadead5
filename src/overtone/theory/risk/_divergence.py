"""Degrees of freedom and risk of any predictor by Monte Carlo: fits to randomly perturbed data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone._utils.seeding import derive_seed
from overtone._utils.statistics import student_quantile
from overtone.errors import InputError, RunError
from overtone.theory._checks import checked_variance, finite_values


@final
@dataclass(frozen=True)
class MonteCarloEstimate:
    """Mean of Monte-Carlo draws with a confidence interval.

    Attributes:
        value: Mean of the draws.
        low: Lower end of the interval.
        high: Upper end of the interval.
        draws: (draw,) the individual draws, float64.
    """

    value: float
    low: float
    high: float
    draws: Tensor


@final
@dataclass(frozen=True)
class DegreesOfFreedom:
    """Degrees of freedom of a predictor on its training data, and the resulting risk.

    Attributes:
        value: Mean of the draws, between 0 and N for ordinary smoothers.
        low: Lower end of the interval.
        high: Upper end of the interval.
        draws: (draw,) the individual draws, float64.
        residual: Mean squared difference of prediction and observations, in value units squared.
        samples: Number N of observations.
        confidence: Probability of the interval.
    """

    value: float
    low: float
    high: float
    draws: Tensor
    residual: float
    samples: int
    confidence: float

    def stein_risk(self, noise: float) -> MonteCarloEstimate:
        """Return the expected squared error per sample on clean data, by Stein's unbiased estimate.

        Args:
            noise: Variance of the noise per observation, in value units squared.

        Returns:
            The risk in value units squared; its interval covers only the random probes.

        Raises:
            InputError: If the variance is negative or not finite.
        """
        variance = checked_variance(noise)
        # E |f - clean|^2 / N = residual - s^2 + 2 s^2 div f / N: each draw of the divergence yields one draw of the
        # risk.
        draws = self.residual - variance + 2 * variance * self.draws / self.samples
        return _estimate(draws, self.confidence)


def degrees_of_freedom(
    predict: Callable[[Tensor], Tensor],
    observed: Tensor,
    *,
    probes: int = 8,
    change: float | None = None,
    seed: int = 0,
    confidence: float = 0.95,
) -> DegreesOfFreedom:
    """Estimate the degrees of freedom sum_i d f_i / d y_i of a predictor on its training data.

    The estimate is the mean over random signs b of b . (f(y + eps b) - f(y)) / eps. For f = H y one draw has the mean
    tr H and the variance 2 sum_{i != j} of the squared symmetric part of H. The interval (Student's t over the draws)
    covers the randomness of b, not the curvature of f within eps.

    Args:
        predict: Function that trains on data of the shape of `observed` and returns predictions of that shape. It
            must be deterministic: same initialisation, same batches. It is called `probes` + 2 times, twice on
            `observed`.
        observed: Noisy observations y, any shape, float32 or float64.
        probes: Number of random directions, at least 2.
        change: eps, in value units; None for sqrt(machine epsilon) times the root mean square of y, which balances
            rounding and curvature.
        seed: Seed of the random signs.
        confidence: Probability of the interval.

    Returns:
        The degrees of freedom; `stein_risk` returns the expected error on clean data.

    Raises:
        InputError: If an argument does not fit or the predictor is not deterministic.
        RunError: If a prediction is not finite.

    Source:
        Ramani, Blu, Unser 2008, "Monte-Carlo SURE", IEEE Transactions on Image Processing 17, section III.

    Example:
        >>> import torch
        >>> from overtone.theory import risk
        >>> estimate = risk.degrees_of_freedom(lambda y: 0.5 * y, torch.ones(10, dtype=torch.float64))
        >>> round(estimate.value, 3), round(estimate.stein_risk(noise=0.1).value, 3)
        (5.0, 0.25)
    """
    prediction, draws = _probe(predict, observed, probes, change, seed, confidence)
    residual = float((prediction - observed.double()).square().mean())
    mean = _estimate(draws, confidence)
    return DegreesOfFreedom(mean.value, mean.low, mean.high, draws, residual, observed.numel(), confidence)


def _probe(
    predict: Callable[[Tensor], Tensor],
    observed: Tensor,
    probes: int,
    change: float | None,
    seed: int,
    confidence: float,
) -> tuple[Tensor, Tensor]:
    """Return the prediction on the original data, and one draw of the divergence per probe."""
    if not observed.is_floating_point():
        raise InputError("floating-point observations", f"{observed.dtype}", "convert them", "observed")
    level = float(finite_values(observed, "observed").square().mean().sqrt())
    if probes < 2 or not 0 < confidence < 1:
        raise InputError(
            "at least 2 probes and a confidence between 0 and 1",
            f"{probes} and {confidence}",
            "pass for instance 8 and 0.95",
            "probes",
        )
    # The difference quotient has an error of eps |f''| / 2 from curvature and of rounding / eps: their sum is
    # smallest near the square root of the machine epsilon, on the scale of the data.
    step = math.sqrt(torch.finfo(observed.dtype).eps) * (level or 1.0) if change is None else change
    if not (math.isfinite(step) and step > 0):
        raise InputError("a positive change of the data", f"{step}", "pass a fraction of the noise", "change")
    prediction = _predicted(predict, observed)
    # Two fits on the same data must agree: otherwise the quotient measures the predictor's own randomness over eps.
    if not torch.equal(prediction, _predicted(predict, observed)):
        raise InputError(
            "a deterministic predictor",
            "two different predictions for the same data",
            "fix the seeds of initialisation and batches in the predictor",
            "predict",
        )
    random = torch.Generator("cpu").manual_seed(derive_seed(seed, "divergence"))
    draws = []
    for _ in range(probes):
        signs = (torch.randint(0, 2, observed.shape, generator=random, device="cpu") * 2 - 1).to(observed)
        moved = observed + step * signs
        # In float32 the actual change differs from step * signs by rounding.
        actual = (moved - observed).double()
        slope = (_predicted(predict, moved) - prediction) / step
        draws.append(float((slope * (actual / step)).sum()))
    return prediction, torch.tensor(draws, dtype=torch.float64, device="cpu")


def _predicted(predict: Callable[[Tensor], Tensor], data: Tensor) -> Tensor:
    prediction = predict(data).detach()
    if prediction.shape != data.shape:
        raise InputError(
            f"predictions of shape {tuple(data.shape)}",
            f"{tuple(prediction.shape)}",
            "predict at the observations",
            "predict",
        )
    if not bool(torch.isfinite(prediction).all()):
        raise RunError(
            "finite predictions",
            "NaN or infinity",
            "lower the learning rate or pass a smaller change",
            "predict",
        )
    return prediction.double()


def _estimate(draws: Tensor, confidence: float) -> MonteCarloEstimate:
    value = float(draws.mean())
    quantile = float(student_quantile(confidence, len(draws) - 1))
    half_width = float(quantile * draws.std() / math.sqrt(len(draws)))
    return MonteCarloEstimate(value, value - half_width, value + half_width, draws)

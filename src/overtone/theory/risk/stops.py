"""Stops chosen from the noisy data alone: Stein's unbiased risk estimate and generalised cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory.risk.checks import finite, variance
from overtone.theory.risk.path import Path


class StopVerdict(Enum):
    """How far a chosen stop can be trusted."""

    INTERIOR = "the estimated error is least inside the steps looked at"
    AT_START = "the estimated error is least at the first step: look at earlier ones, or learn nothing"
    AT_END = (
        "the estimated error is least at the last step that could be judged: training longer may be better"
    )


@final
@dataclass(frozen=True)
class Stop:
    """A stop chosen from data.

    Attributes:
        index: Its place among the steps.
        step: The step itself.
        risk: Estimated expected squared error against the clean target, in value units squared (SURE), or
            against new noisy observations (GCV).
        estimate: (step,) the whole curve that was minimised; NaN where it could not be judged.
        verdict: Whether the least value lies inside.
    """

    index: int
    step: float
    risk: float
    estimate: Tensor
    verdict: StopVerdict


def sure(residual: Tensor, degrees: Tensor, samples: int, noise: float) -> Tensor:
    """Stein's unbiased estimate of the expected squared error per sample against the clean target.

    residual - s^2 + 2 s^2 degrees / N, unbiased for Gaussian white noise of known variance s^2, whatever the
    target and whether or not the predictor is linear, as long as `degrees` is its divergence. It may be
    negative.

    Args:
        residual: Mean squared difference of prediction and observations, in value units squared, any shape.
        degrees: Divergence of the prediction in the observations, same shape.
        samples: Number N of observations.
        noise: Variance s^2 per observation.

    Returns:
        The estimate, float64, same shape.

    Raises:
        InputError: If an argument is not finite or the variance is negative.

    Source:
        Stein 1981, "Estimation of the mean of a multivariate normal distribution", Annals of Statistics 9,
        section 2.
    """
    spread = variance(noise)
    return finite(residual, "residual") - spread + 2 * spread * finite(degrees, "degrees") / samples


def gcv(residual: Tensor, degrees: Tensor, samples: int) -> Tensor:
    """Generalised cross-validation: residual / (1 - degrees / N)^2, without any knowledge of the noise.

    It estimates the error against new noisy observations, that is the risk plus the noise variance, as long
    as the degrees of freedom stay well below N: when all is fitted, numerator and denominator vanish
    together.

    Args:
        residual: Mean squared difference of prediction and observations, in value units squared, any shape.
        degrees: Degrees of freedom, same shape.
        samples: Number N of observations.

    Returns:
        The estimate, float64, same shape; infinite where degrees reach N.

    Raises:
        InputError: If an argument is not finite.

    Source:
        Golub, Heath, Wahba 1979, "Generalized cross-validation as a method for choosing a good ridge
        parameter", Technometrics 21, section 1.
    """
    free = (1 - finite(degrees, "degrees") / samples).clamp(min=0)
    return torch.where(free > 0, finite(residual, "residual") / free.square(), float("inf"))


def sure_stop(path: Path, noise: float) -> Stop:
    """The step at which SURE is least.

    Args:
        path: Residual and degrees of freedom along the steps.
        noise: Variance of the noise per observation, in value units squared.

    Raises:
        InputError: If the variance is negative or not finite.
    """
    return _least(path, sure(path.residual, path.degrees, path.samples, noise))


def gcv_stop(path: Path, most: float = 0.8) -> Stop:
    """The step at which GCV is least, among those that use at most the share `most` of all degrees.

    Near interpolation GCV is 0 / 0, and so it is along the whole path of a kernel of low rank that the target
    happens to fill. Such kernels (few features, wide bandwidth) are refused.

    Args:
        path: Residual and degrees of freedom along the steps.
        most: Largest degrees / N at which GCV is believed, in (0, 1).

    Raises:
        InputError: If the kernel has less than full rank, or no step leaves enough degrees of freedom.
    """
    if not 0 < most < 1:
        raise InputError("a share between 0 and 1", f"{most}", "pass 0.8", "most")
    if path.rank < path.samples:
        raise InputError(
            f"a kernel of full rank {path.samples}, which cross-validation needs",
            f"rank {path.rank}",
            "use sure_stop with a noise variance, or held-out samples",
            "gcv_stop",
        )
    judged = path.degrees <= most * path.samples
    if not bool(judged.any()):
        raise InputError(
            f"a step with at most {most:g} of all degrees of freedom used",
            f"{float(path.degrees.min() / path.samples):.3g} at the least",
            "start the steps earlier",
            "gcv_stop",
        )
    estimate = gcv(path.residual, path.degrees, path.samples)
    return _least(path, torch.where(judged, estimate, float("nan")))


def _least(path: Path, estimate: Tensor) -> Stop:
    index = int(torch.where(estimate.isnan(), float("inf"), estimate).argmin())
    judged = (~estimate.isnan()).nonzero().squeeze(1)
    if index == int(judged[0]):
        verdict = StopVerdict.AT_START
    elif index == int(judged[-1]):
        verdict = StopVerdict.AT_END
    else:
        verdict = StopVerdict.INTERIOR
    return Stop(index, float(path.steps[index]), float(estimate[index]), estimate, verdict)

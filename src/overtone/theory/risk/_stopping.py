"""What a linear smoother does to one set of noisy observations along its steps."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory._checks import finite, spectrum, variance
from overtone.theory._mode_dynamics import SpectralFilter


@final
@dataclass(frozen=True)
class SmoothingPath:
    """Residual and degrees of freedom along the steps; all that SURE and GCV look at.

    Attributes:
        steps: (step,) training times, steps or strengths, ascending.
        residual: (step,) mean squared difference of prediction and noisy observations, in value units
            squared.
        degrees: (step,) degrees of freedom: the divergence of the prediction in the observations, tr H for y^
            = H y.
        samples: Number N of observations.
        rank: Number of modes that can be learned at all, at most N.
    """

    steps: Tensor
    residual: Tensor
    degrees: Tensor
    samples: int
    rank: int

    def __post_init__(self) -> None:
        for name in ("steps", "residual", "degrees"):
            value = finite(getattr(self, name), name)
            if value.ndim != 1 or len(value) != len(self.steps):
                raise InputError(
                    "one number per step", f"shape {tuple(value.shape)}", "align them with the steps", name
                )
        if not 0 <= self.rank <= self.samples:
            raise InputError(
                f"a rank from 0 to {self.samples}", f"{self.rank}", "count eigenvalues above 0", "rank"
            )


def path(
    eigenvalues: Tensor, observed: Tensor, rule: SpectralFilter, steps: Tensor | None = None
) -> SmoothingPath:
    """Residual and degrees of freedom of a linear smoother on observed coefficients.

    residual(t) = mean over modes and channels of ((1 - h_i(t)) y_i)^2, degrees(t) = sum_i h_i(t).

    Args:
        eigenvalues: (mode,) eigenvalues of the kernel matrix on the N = mode samples.
        observed: (mode,) or (mode, channel) coefficients of the noisy observations (minus the network's
            initial output) in the orthonormal eigenvectors.
        rule: How training acts on a mode.
        steps: (step,) training times or steps; None for the rule's own schedule.

    Returns:
        The path, float64.

    Raises:
        InputError: If shapes do not fit, a number is not finite or the kernel is not positive.
    """
    values, data = spectrum(eigenvalues), finite(observed, "observed")
    if data.ndim not in (1, 2) or data.shape[0] != len(values):
        raise InputError(
            f"coefficients of shape ({len(values)},) or ({len(values)}, channel)",
            f"{tuple(data.shape)}",
            "project the observations on the kernel's eigenvectors",
            "observed",
        )
    power = data.to(values.device).square().reshape(len(values), -1).mean(dim=1)
    times = rule.steps(values) if steps is None else finite(steps, "steps").reshape(-1)
    residual = torch.stack([(rule.remaining(values, t).square() * power).mean() for t in times.tolist()])
    degrees = torch.stack([rule.learned(values, t).sum() for t in times.tolist()])
    return SmoothingPath(times, residual, degrees, len(values), rank(values))


def rank(eigenvalues: Tensor) -> int:
    """Number of eigenvalues above rounding, N eps times the largest.

    Args:
        eigenvalues: (mode,) eigenvalues.

    Raises:
        InputError: If the kernel is not positive.
    """
    values = spectrum(eigenvalues)
    return int((values > len(values) * torch.finfo(torch.float64).eps * values.max()).sum())


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


def sure_stop(path: SmoothingPath, noise: float) -> Stop:
    """The step at which SURE is least.

    Args:
        path: Residual and degrees of freedom along the steps.
        noise: Variance of the noise per observation, in value units squared.

    Raises:
        InputError: If the variance is negative or not finite.
    """
    return _least(path, sure(path.residual, path.degrees, path.samples, noise))


def gcv_stop(path: SmoothingPath, most: float = 0.8) -> Stop:
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


def _least(path: SmoothingPath, estimate: Tensor) -> Stop:
    index = int(torch.where(estimate.isnan(), float("inf"), estimate).argmin())
    judged = (~estimate.isnan()).nonzero().squeeze(1)
    if index == int(judged[0]):
        verdict = StopVerdict.AT_START
    elif index == int(judged[-1]):
        verdict = StopVerdict.AT_END
    else:
        verdict = StopVerdict.INTERIOR
    return Stop(index, float(path.steps[index]), float(estimate[index]), estimate, verdict)

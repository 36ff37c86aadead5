"""Stopping times chosen from noisy data only: Stein's unbiased risk estimate and generalised cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory._checks import checked_variance, finite_values, kernel_spectrum
from overtone.theory._mode_dynamics import SpectralFilter


class StopVerdict(Enum):
    """Position of a chosen stop among the steps with an estimate.

    Attributes:
        INTERIOR: The estimated error has its minimum inside the steps.
        AT_START: The minimum is at the first step: try earlier steps, or do not train.
        AT_END: The minimum is at the last step with an estimate: longer training may be better.
    """

    INTERIOR = "interior"
    AT_START = "at start"
    AT_END = "at end"


@final
@dataclass(frozen=True)
class DataStop:
    """Stop chosen from data.

    Attributes:
        index: Index of the step.
        step: The step.
        risk: Estimated expected squared error against the clean target, in value units squared (SURE), or against new
            noisy observations (GCV).
        estimate: (step,) the minimised curve; NaN at steps without an estimate.
        verdict: Position of the minimum.
    """

    index: int
    step: float
    risk: float
    estimate: Tensor
    verdict: StopVerdict


@final
@dataclass(frozen=True)
class SmoothingPath:
    """Residual and degrees of freedom of a smoother along its steps, from which SURE and GCV choose a stop.

    Attributes:
        steps: (step,) training times, steps or strengths, ascending.
        residual: (step,) mean squared difference of prediction and noisy observations, in value units
            squared.
        degrees: (step,) degrees of freedom: the divergence of the prediction in the observations, tr H for a
            prediction H y.
        samples: Number N of observations.
        rank: Number of learnable modes, at most N.

    Raises:
        InputError: If the numbers do not match or one is not finite.

    Example:
        >>> import torch
        >>> from overtone.theory import risk
        >>> eigenvalues = torch.tensor([8.0, 4.0, 0.2, 0.1], dtype=torch.float64)
        >>> observed = torch.tensor([3.0, -2.0, 0.4, 0.3], dtype=torch.float64)
        >>> path = risk.SmoothingPath.of(eigenvalues, observed, risk.GradientFlow())
        >>> stop = path.sure_stop(noise=0.1)
        >>> stop.verdict, 0.5 < stop.step < 5
        (<StopVerdict.INTERIOR: 'interior'>, True)
    """

    steps: Tensor
    residual: Tensor
    degrees: Tensor
    samples: int
    rank: int

    def __post_init__(self) -> None:
        for name in ("steps", "residual", "degrees"):
            value = finite_values(getattr(self, name), name)
            if value.ndim != 1 or len(value) != len(self.steps):
                raise InputError(
                    "one number per step", f"shape {tuple(value.shape)}", "align them with the steps", name
                )
        if not 0 <= self.rank <= self.samples:
            raise InputError(
                f"a rank from 0 to {self.samples}", f"{self.rank}", "count eigenvalues above 0", "rank"
            )

    @staticmethod
    def of(
        eigenvalues: Tensor, observed: Tensor, rule: SpectralFilter, steps: Tensor | None = None
    ) -> SmoothingPath:
        """Return the path of a linear smoother on observed coefficients.

        residual(t) = mean over modes and channels of ((1 - h_i(t)) y_i)^2, degrees(t) = sum_i h_i(t).

        Args:
            eigenvalues: (mode,) eigenvalues of the kernel matrix on the N = mode samples.
            observed: (mode,) or (mode, channel) coefficients of the noisy observations (minus the network's
                initial output) in the orthonormal eigenvectors.
            rule: Filter of the smoother.
            steps: (step,) training times or steps; None for the schedule of the rule.

        Returns:
            The path, float64.

        Raises:
            InputError: If shapes do not fit, a number is not finite or the kernel is not positive semi-definite.
        """
        values, data = kernel_spectrum(eigenvalues), finite_values(observed, "observed")
        if data.ndim not in (1, 2) or data.shape[0] != len(values):
            raise InputError(
                f"coefficients of shape ({len(values)},) or ({len(values)}, channel)",
                f"{tuple(data.shape)}",
                "project the observations on the kernel's eigenvectors",
                "observed",
            )
        power = data.to(values.device).square().reshape(len(values), -1).mean(dim=1)
        times = rule.steps(values) if steps is None else finite_values(steps, "steps").reshape(-1)
        residual = torch.stack([(rule.remaining(values, t).square() * power).mean() for t in times.tolist()])
        degrees = torch.stack([rule.learned(values, t).sum() for t in times.tolist()])
        # Eigenvalues below N eps of the largest are rounding errors, as in `torch.linalg.matrix_rank`.
        rounding = len(values) * torch.finfo(torch.float64).eps * values.max()
        return SmoothingPath(times, residual, degrees, len(values), int((values > rounding).sum()))

    def sure_stop(self, noise: float) -> DataStop:
        """Return the step that minimises Stein's unbiased risk estimate.

        Args:
            noise: Variance of the noise per observation, in value units squared.

        Raises:
            InputError: If the variance is negative or not finite.
        """
        return _minimum(self, sure(self.residual, self.degrees, self.samples, noise))

    def gcv_stop(self, max_share: float = 0.8) -> DataStop:
        """Return the step that minimises GCV, among steps with at most a share of all degrees of freedom.

        Near interpolation GCV is 0 / 0, as it is along the whole path of a kernel of low rank that happens to
        represent the target completely. Such kernels (few features, wide bandwidth) are refused.

        Args:
            max_share: Largest degrees / N at which GCV is reliable, in (0, 1).

        Raises:
            InputError: If the kernel has less than full rank, or no step leaves enough degrees of freedom.
        """
        if not 0 < max_share < 1:
            raise InputError("a share between 0 and 1", f"{max_share}", "pass 0.8", "max_share")
        if self.rank < self.samples:
            raise InputError(
                f"a kernel of full rank {self.samples}, as cross-validation requires",
                f"rank {self.rank}",
                "use sure_stop with a noise variance, or held-out samples",
                "gcv_stop",
            )
        judged = self.degrees <= max_share * self.samples
        if not bool(judged.any()):
            raise InputError(
                f"a step with at most {max_share:g} of all degrees of freedom",
                f"a smallest share of {float(self.degrees.min() / self.samples):.3g}",
                "pass earlier steps",
                "gcv_stop",
            )
        estimate = gcv(self.residual, self.degrees, self.samples)
        return _minimum(self, torch.where(judged, estimate, float("nan")))


def sure(residual: Tensor, degrees: Tensor, samples: int, noise: float) -> Tensor:
    """Return Stein's unbiased estimate of the expected squared error per sample against the clean target.

    The estimate is residual - s^2 + 2 s^2 degrees / N. It is unbiased for Gaussian white noise of known variance s^2,
    for any target and any linear or nonlinear predictor with the divergence `degrees`. It may be negative.

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
    variance = checked_variance(noise)
    return (
        finite_values(residual, "residual")
        - variance
        + 2 * variance * finite_values(degrees, "degrees") / samples
    )


def gcv(residual: Tensor, degrees: Tensor, samples: int) -> Tensor:
    """Return the generalised cross-validation error residual / (1 - degrees / N)^2, for an unknown noise level.

    It estimates the error against new noisy observations, which is the risk plus the noise variance, if the degrees
    of freedom are well below N: for a complete fit numerator and denominator vanish together.

    Args:
        residual: Mean squared difference of prediction and observations, in value units squared, any shape.
        degrees: Degrees of freedom, same shape.
        samples: Number N of observations.

    Returns:
        The estimate, float64, same shape; infinite if degrees reach N.

    Raises:
        InputError: If an argument is not finite.

    Source:
        Golub, Heath, Wahba 1979, "Generalized cross-validation as a method for choosing a good ridge
        parameter", Technometrics 21, section 1.
    """
    free = (1 - finite_values(degrees, "degrees") / samples).clamp(min=0)
    return torch.where(free > 0, finite_values(residual, "residual") / free.square(), float("inf"))


def _minimum(path: SmoothingPath, estimate: Tensor) -> DataStop:
    """Return the minimum finite value of an estimate, and whether it is at the first or last step with an estimate."""
    index = int(torch.where(estimate.isnan(), float("inf"), estimate).argmin())
    judged = (~estimate.isnan()).nonzero().squeeze(1)
    if index == int(judged[0]):
        verdict = StopVerdict.AT_START
    elif index == int(judged[-1]):
        verdict = StopVerdict.AT_END
    else:
        verdict = StopVerdict.INTERIOR
    return DataStop(index, float(path.steps[index]), float(estimate[index]), estimate, verdict)

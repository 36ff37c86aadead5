"""What a linear smoother does to one set of noisy observations along its steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory.risk.checks import finite, spectrum
from overtone.theory.risk.filters import Filter


@final
@dataclass(frozen=True)
class Path:
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


def path(eigenvalues: Tensor, observed: Tensor, rule: Filter, steps: Tensor | None = None) -> Path:
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
    return Path(times, residual, degrees, len(values), rank(values))


def rank(eigenvalues: Tensor) -> int:
    """Number of eigenvalues above rounding, N eps times the largest.

    Args:
        eigenvalues: (mode,) eigenvalues.

    Raises:
        InputError: If the kernel is not positive.
    """
    values = spectrum(eigenvalues)
    return int((values > len(values) * torch.finfo(torch.float64).eps * values.max()).sum())

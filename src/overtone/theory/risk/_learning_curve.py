"""Learning curves in samples: expected error of kernel regression for different numbers of training samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overtone.errors import InputError

RELIABLE_DIMENSION = 10
"""Dimension of the inputs above which the theory is accurate to 10 %."""

RELIABLE_RIDGE_SHARE = 0.75
"""Share of the explicit ridge in the effective one above which the theory is accurate in any dimension."""


class Validity(Enum):
    """Validity of the assumption of Gaussian features.

    Attributes:
        HOLDS: Features are close enough to Gaussian.
        ASSUMED: Gaussian features are assumed, because the dimension of the inputs is not known.
        DOUBTFUL: In low dimension and with a small ridge, features are far from Gaussian.
    """

    HOLDS = "holds"
    ASSUMED = "assumed"
    DOUBTFUL = "doubtful"


@final
@dataclass(frozen=True)
class SampleCurve:
    """Expected errors against the number of samples; mode axes follow the eigenvalues.

    Attributes:
        samples: (P,) numbers of training samples.
        bias: (P, mode) squared error per mode of the mean prediction, in value units squared.
        variance: (P, mode) additional error by random samples and noise, attributed to the mode that contains it.
        noise_error: (P,) part of the error caused by label noise.
        train_error: (P,) expected mean squared residual on the noisy training labels.
        learnability: (P, mode) learned share of each mode, in [0, 1].
        overfitting: (P,) E_0 = 1 / (1 - gamma), the weight of a residual relative to infinitely many samples.
        kappa: (P,) effective ridge: the explicit one plus the contribution of the unlearned modes.
        validity: Validity of the theory's assumption.
        dimension: Dimension of the inputs; None if it is not known.
        ridge_share: Smallest share of the explicit ridge in the effective one.
    """

    samples: Tensor
    bias: Tensor
    variance: Tensor
    noise_error: Tensor
    train_error: Tensor
    learnability: Tensor
    overfitting: Tensor
    kappa: Tensor
    validity: Validity
    dimension: int | None
    ridge_share: float

    @property
    def error(self) -> Tensor:
        """(P,) expected squared error on new samples against the clean target, in value units squared."""
        return self.mode_error.sum(dim=1)

    @property
    def mode_error(self) -> Tensor:
        """(P, mode) expected squared error in each mode (or level), in value units squared."""
        return self.bias + self.variance

    @property
    def caused(self) -> Tensor:
        """(P, mode) error that the power of each mode causes in all modes: E_0 times the bias.

        Together with `noise_error` it sums to `error`.
        """
        return torch.where(self.bias > 0, self.bias * self.overfitting[:, None], 0.0)

    @property
    def peak(self) -> float:
        """Number of samples at which label noise increases the error most."""
        return float(self.samples[int(self.noise_error.argmax())])

    @property
    def reason(self) -> str:
        """Reason of the validity, in one sentence."""
        if self.dimension is None:
            return "Gaussian features are assumed; pass dimension for inputs on a sphere or in a box"
        if self.dimension >= RELIABLE_DIMENSION:
            return f"inputs have {self.dimension} dimensions; from {RELIABLE_DIMENSION} on the theory holds to 10 %"
        if self.validity is Validity.HOLDS:
            return f"the explicit ridge is {self.ridge_share:.0%} or more of the effective ridge"
        return (
            f"inputs have {self.dimension} dimensions and the explicit ridge is only {self.ridge_share:.2g} of the "
            "effective ridge: the features of a sample are strongly dependent, and the error can be several times "
            "larger"
        )


def learning_curve(
    eigenvalues: Tensor,
    target_power: Tensor,
    samples: Tensor,
    ridge: float = 0.0,
    noise: float = 0.0,
    *,
    degeneracies: Tensor | None = None,
    dimension: int | None = None,
) -> SampleCurve:
    """Return the expected generalisation error of kernel ridge regression with K + ridge I on P random samples.

    With eigenvalues lambda_i of the kernel's integral operator under the density of the inputs, kappa solves
    kappa = ridge + sum_i kappa lambda_i / (kappa + P lambda_i), and with L_i = P lambda_i / (kappa + P
    lambda_i) and gamma = sum_i L_i^2 / P

        error = [sum_i (1 - L_i)^2 a_i^2 + gamma s^2] / (1 - gamma),
        error in mode i = (1 - L_i)^2 a_i^2 + L_i^2 (error + s^2) / P,

    where s^2 is the variance of the label noise. gamma near 1 is the noise peak (double descent). The ridgeless limit
    is the error of a network of infinite width after complete training.

    Domain of validity. The result is exact for many Gaussian features, and accurate to 10 % for inputs spread over a
    sphere of dimension 10 or more. In one or two dimensions with a tiny ridge it is wrong, on the circle by a factor
    of 2 and more, because the features of one sample (sines and cosines of one angle) are strongly dependent, and
    gaps between random samples dominate; `validity` states this. A ridge that is most of kappa restores the accuracy.

    Args:
        eigenvalues: (mode,) eigenvalues, all 0 or more; zeros are modes that cannot be learned.
        target_power: (mode,) squared target coefficients a_i^2, summed over the modes of a degenerate level.
        samples: (P,) numbers of samples, positive.
        ridge: Explicit ridge, 0 or more, on the scale of the kernel matrix (not divided by P).
        noise: Variance of the label noise, in value units squared.
        degeneracies: (mode,) number of modes that share each eigenvalue; None for 1.
        dimension: Dimension of the inputs (of the space that contains the sphere), or None for Gaussian features.

    Returns:
        The curve, float64 on the eigenvalues' device.

    Raises:
        InputError: If shapes do not fit or a number is negative or not finite.

    Source:
        Canatar, Bordelon, Pehlevan 2021, "Spectral bias and task-model alignment explain generalization in
        kernel regression and infinitely wide neural networks", Nature Communications 12, equations 4 and 5; errors
        per
        mode: Simon, Dickens, Karkada, DeWeese 2023, "The eigenlearning framework", TMLR, section 4.

    Example:
        >>> import torch
        >>> from overtone.theory import risk
        >>> k = torch.arange(1, 101)
        >>> curve = risk.learning_curve(1 / k**2, k**-3.0, torch.tensor([10.0, 40.0]), ridge=1e-3, dimension=20)
        >>> bool(curve.error[1] < curve.error[0]), curve.validity
        (True, <Validity.HOLDS: 'holds'>)
    """
    lam, power = _checked_row(eigenvalues, "eigenvalues"), _checked_row(target_power, "target_power")
    multiplicity = np.ones_like(lam) if degeneracies is None else _checked_row(degeneracies, "degeneracies")
    for name, value in (("target_power", power), ("degeneracies", multiplicity)):
        if value.shape != lam.shape:
            raise InputError(
                f"one number per mode ({len(lam)})", f"{len(value)}", "match the eigenvalues", name
            )
    for name, number in (("ridge", ridge), ("noise", noise)):
        if not (math.isfinite(number) and number >= 0):
            raise InputError("a number of 0 or more", f"{number}", "pass 0 for none", name)
    counts = _checked_row(samples, "samples")
    if not (counts > 0).all() or not lam.any():
        raise InputError(
            "numbers of samples and an eigenvalue above zero", "0", "pass positive numbers", "samples"
        )
    rows = [_errors(p, lam, power, multiplicity, ridge, noise) for p in counts.tolist()]
    kappa = np.array([row[0] for row in rows])
    ridge_share = float((ridge / np.maximum(kappa, np.finfo(float).tiny)).min())

    device = eigenvalues.device
    bias, variance, noise_error, train, learned, factor = (
        torch.from_numpy(np.array([row[column] for row in rows])).to(device) for column in range(1, 7)
    )
    return SampleCurve(
        samples=torch.from_numpy(counts).to(device),
        bias=bias,
        variance=variance,
        noise_error=noise_error,
        train_error=train,
        learnability=learned,
        overfitting=factor,
        kappa=torch.from_numpy(kappa).to(device),
        validity=_validity(dimension, ridge_share),
        dimension=dimension,
        ridge_share=ridge_share,
    )


def _errors(
    p: float,
    lam: NDArray[np.float64],
    power: NDArray[np.float64],
    multiplicity: NDArray[np.float64],
    ridge: float,
    noise: float,
) -> tuple[float, NDArray[np.float64], NDArray[np.float64], float, float, NDArray[np.float64], float]:
    """Return kappa, then bias to overfitting in the order of `SampleCurve`, at `p` samples."""
    kappa = effective_ridge(p, lam, multiplicity, ridge)
    # L_i = P lambda_i / (kappa + P lambda_i) as 1 minus its complement, which is exact even at kappa = 0.
    unlearned = np.where(lam > 0, kappa / (kappa + p * np.where(lam > 0, lam, 1.0)), 1.0)
    learned = 1 - unlearned
    gamma = float((multiplicity * learned**2).sum() / p)
    # gamma = 1 is the interpolation threshold, at which the error of double descent is infinite.
    factor = 1 / (1 - gamma) if gamma < 1 else math.inf
    bias = unlearned**2 * power
    residual = float(bias.sum()) + noise
    # Error on noisy labels. Zero times an infinite factor is zero here: there is no error to amplify.
    test_error = factor * residual if residual else 0.0
    variance = np.where(learned > 0, multiplicity * learned**2 / p, 0.0) * np.where(
        learned > 0, test_error, 0.0
    )
    noise_error = gamma * factor * noise if noise else 0.0
    explicit = ridge / kappa if kappa > 0 else 0.0
    train = explicit**2 * test_error if explicit else 0.0
    return kappa, bias, variance, noise_error, train, learned, factor


def effective_ridge(
    samples: float, eigenvalues: NDArray[np.float64], degeneracies: NDArray[np.float64], ridge: float
) -> float:
    """Return the kappa that solves kappa = ridge + sum_i g_i kappa lambda_i / (kappa + P lambda_i).

    In log kappa the relative mismatch 1 - ridge / kappa - sum_i g_i lambda_i / (kappa + P lambda_i) rises
    strictly, from below 0 at the lower end of the bracket to at least 0 at ridge + sum_i g_i lambda_i, so
    Brent's method cannot fail.

    Args:
        samples: P, positive.
        eigenvalues: (mode,) eigenvalues lambda_i, all 0 or more, at least one positive.
        degeneracies: (mode,) number g_i of modes that share each eigenvalue.
        ridge: Explicit ridge, 0 or more.

    Returns:
        The positive root; 0 without a ridge and with at least as many samples as modes, when the data are
        interpolated.
    """
    from scipy.optimize import brentq

    positive = eigenvalues > 0
    lam, multiplicity = eigenvalues[positive], degeneracies[positive]
    count, trace = float(multiplicity.sum()), float((multiplicity * lam).sum())
    if ridge == 0 and samples >= count:
        return 0.0
    # Bracket in log kappa: kappa <= ridge + trace always; a lower bound is the ridge or, without one,
    # (count - P) lambda_min, because every term of the sum grows with lambda_i.
    high = math.log(ridge + trace)
    low = math.log(ridge) if ridge > 0 else math.log(count - samples) + math.log(float(lam.min()))

    def mismatch(log_kappa: float) -> float:
        kappa = math.exp(log_kappa)
        return float(1 - ridge / kappa - (multiplicity * lam / (kappa + samples * lam)).sum())

    low = min(low, high) - 1.0
    return math.exp(brentq(mismatch, low, high + 1.0, xtol=1e-13, rtol=1e-14, maxiter=300))


def _validity(dimension: int | None, ridge_share: float) -> Validity:
    if dimension is None:
        return Validity.ASSUMED
    reliable = dimension >= RELIABLE_DIMENSION or ridge_share >= RELIABLE_RIDGE_SHARE
    return Validity.HOLDS if reliable else Validity.DOUBTFUL


def _checked_row(values: Tensor, name: str) -> NDArray[np.float64]:
    array = values.detach().double().cpu().numpy()
    if array.ndim != 1 or not array.size or not np.isfinite(array).all() or (array < 0).any():
        raise InputError(
            "a row of finite numbers of 0 or more",
            f"shape {array.shape} or a negative or infinite number",
            "check the input",
            name,
        )
    return array

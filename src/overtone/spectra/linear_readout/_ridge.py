"""Ridge regression with features and folds that make layers of different widths comparable."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone._utils.seeding import numpy_generator
from overtone.errors import InputError


class FeatureBudget(ABC):
    """Linear map from a layer's features to those of the read-out, computed without the targets.

    Example:
        >>> from overtone.spectra.linear_readout import FeatureBudget
        >>> FeatureBudget.projected(16).features
        16
    """

    @staticmethod
    def full() -> Full:
        """Return the rule that uses all features; wider layers have an advantage."""
        return Full()

    @staticmethod
    def projected(features: int = 64, seed: int = 0) -> Projected:
        """Return the rule that uses random Gaussian combinations, equal in number for all wide layers.

        Args:
            features: Number of combinations.
            seed: Seed of the random numbers.
        """
        return Projected(features, seed)

    @staticmethod
    def principal(features: int = 64) -> Principal:
        """Return the rule that uses the leading principal components of the training samples.

        Args:
            features: Number of components.
        """
        return Principal(features)

    @abstractmethod
    def reduce(self, fitted: Tensor, every: Tensor) -> Tensor:
        """Return the (N, k) features of all samples.

        Args:
            fitted: (M, features) float64 centred training rows.
            every: (N, features) rows to map, with the same mean subtracted.
        """


@final
@dataclass(frozen=True)
class Full(FeatureBudget):
    """All features; wider layers have an advantage."""

    def reduce(self, fitted: Tensor, every: Tensor) -> Tensor:  # noqa: ARG002
        """Return the rows unchanged."""
        return every


@final
@dataclass(frozen=True)
class Projected(FeatureBudget):
    """Random Gaussian combinations of the features, equal in number for all layers that are wide enough.

    They preserve inner products to about sqrt(2 / features) (Johnson, Lindenstrauss 1984), so strong and weak
    features have the same weight as in the layer. The features of a narrower layer are used directly.

    Attributes:
        features: Number of combinations.
        seed: Seed of the random numbers.
    """

    features: int = 64
    seed: int = 0

    def reduce(self, fitted: Tensor, every: Tensor) -> Tensor:  # noqa: ARG002
        """Multiply the rows by `matrix`, unless the layer is narrower."""
        width = every.shape[1]
        return every if width <= self.features else every @ self.matrix(width).to(every)

    def matrix(self, width: int) -> Tensor:
        """Return the (width, features) float64 weights, equal for all layers of `width` features."""
        weights = numpy_generator(self.seed, "layers", "projection", str(width)).normal(
            size=(width, _at_least_one(self.features))
        )
        return torch.from_numpy(weights) / math.sqrt(self.features)


@final
@dataclass(frozen=True)
class Principal(FeatureBudget):
    """Leading principal components of the training samples, a limit on the rank that drops weak features.

    Attributes:
        features: Number of components; the features of a narrower layer are used directly.
    """

    features: int = 64

    def reduce(self, fitted: Tensor, every: Tensor) -> Tensor:
        """Project the rows on the right singular vectors of the training rows."""
        if every.shape[1] <= _at_least_one(self.features):
            return every
        return every @ torch.linalg.svd(fitted, full_matrices=False).Vh[: self.features].T


def _at_least_one(features: int) -> int:
    if features < 1:
        raise InputError("at least 1 feature", f"{features}", "pass more", "width")
    return features


@final
@dataclass(frozen=True)
class BlockFolds:
    """Random assignment of blocks of consecutive rows to cross-validation folds.

    Attributes:
        count: Number of folds.
        block: Consecutive rows in the same fold: 1 tests interpolation between known neighbours; the length
            of a sequence or of a picture's row tests predictions farther from known rows.
        seed: Seed of the assignment.

    Example:
        >>> from overtone.spectra.linear_readout import BlockFolds
        >>> sorted(BlockFolds(count=2, block=2).members(8).tolist())
        [0, 0, 0, 0, 1, 1, 1, 1]
    """

    count: int = 5
    block: int = 1
    seed: int = 0

    def members(self, rows: int) -> Tensor:
        """Return the (rows,) int64 fold of each row.

        Args:
            rows: Number of samples.

        Raises:
            InputError: If there are fewer blocks than folds, or fewer than 2 folds.
        """
        if self.count < 2 or self.block < 1:
            raise InputError(
                "at least 2 folds of blocks of at least 1 row",
                f"{self.count} of {self.block}",
                "pass more",
                "folds",
            )
        blocks = -(-rows // self.block)
        if blocks < self.count:
            raise InputError(
                f"at least {self.count * self.block} samples for {self.count} folds",
                f"{rows}",
                "pass more samples, fewer folds or shorter blocks",
                "folds",
            )
        assignment = torch.from_numpy(
            numpy_generator(self.seed, "layers", "folds").permutation(blocks) % self.count
        )
        return assignment.repeat_interleave(self.block)[:rows]


PENALTIES = tuple(10.0**power for power in range(-10, 3))
"""Candidate penalties, in units of the mean square of the features' singular values."""


@final
@dataclass(frozen=True)
class Fit:
    """Fitted linear read-out.

    Attributes:
        weights: (k, C) weights.
        offset: (C,) offsets.
        penalty: The selected penalty, in units of the mean square of the singular values.
    """

    weights: Tensor
    offset: Tensor
    penalty: float

    def predict(self, features: Tensor) -> Tensor:
        """Return the (N, C) outputs for (N, k) features."""
        return features @ self.weights + self.offset


def ridge(features: Tensor, targets: Tensor) -> Fit:
    """Fit a centred ridge regression with the penalty of minimum leave-one-out error.

    It minimises |y - X w|^2 + a |w|^2. With X = U S V^T, w = V diag(s / (s^2 + a)) U^T y. The leave-one-out
    error of sample i is r_i / (1 - h_i) with the residual r and h_i = 1 / n + sum_k U_ik^2 s_k^2 / (s_k^2 +
    a) (Golub, Heath, Wahba 1979, Technometrics 21, section 2). The error of each channel is divided by its
    variance.

    If the features interpolate the targets, both r and 1 - h vanish in the limit of small a. They are
    therefore computed from the part outside the span of U and from a / (s^2 + a), not as differences of
    nearly equal numbers; otherwise rounding would determine the choice among small penalties.

    Args:
        features: (n, k) float64 features.
        targets: (n, C) float64 targets.
    """
    centre, offset = features.mean(0), targets.mean(0)
    left, values, right = torch.linalg.svd(features - centre, full_matrices=False)
    # Directions below rounding contain no information and would be amplified by small penalties.
    significant = values > values.max() * max(features.shape) * torch.finfo(values.dtype).eps
    left, values, right = left[:, significant], values[significant], right[significant]
    centred_targets = targets - offset
    projected, square = left.T @ centred_targets, values.square()
    unit = float(square.mean()) if len(values) else 1.0
    spread = centred_targets.square().mean(0)
    spread = torch.where(spread > 0, spread, 1.0)
    # With n - 1 directions of n centred samples, nothing is outside the span.
    complete = len(values) == len(features) - 1
    outside = torch.zeros_like(centred_targets) if complete else centred_targets - left @ projected
    outside_gap = torch.zeros_like(left[:, 0]) if complete else 1 - 1 / len(features) - left.square().sum(1)
    best_error, best_penalty = float("inf"), PENALTIES[-1]
    for penalty in PENALTIES:
        # a / (s^2 + a) is the share of each direction that the penalty removes.
        shrunk = penalty * unit / (square + penalty * unit)
        residual = outside + left @ (shrunk[:, None] * projected)
        # 1 - h_i as a sum of non-negative terms.
        leverage_gap = outside_gap + left.square() @ shrunk
        left_out = residual / leverage_gap.clamp(min=torch.finfo(values.dtype).tiny)[:, None]
        error = float((left_out.square().mean(0) / spread).sum())
        if error < best_error:
            best_error, best_penalty = error, penalty
    weights = right.T @ ((values / (square + best_penalty * unit))[:, None] * projected)
    return Fit(weights, offset - centre @ weights, best_penalty)

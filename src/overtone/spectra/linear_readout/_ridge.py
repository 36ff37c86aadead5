"""Ridge regression, and the features and folds that make layers of different widths comparable."""

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
    """Linear map from a layer's features to those that the read-out sees, computed without the targets.

    Example:
        >>> from overtone.spectra.linear_readout import FeatureBudget
        >>> FeatureBudget.projected(16).features
        16
    """

    @staticmethod
    def full() -> Full:
        """All features: what the layer can express; wider layers have more to choose from."""
        return Full()

    @staticmethod
    def projected(features: int = 64, seed: int = 0) -> Projected:
        """Random Gaussian combinations of the features, as many for every layer that has as many.

        Args:
            features: Number of combinations.
            seed: Seed of the draws.
        """
        return Projected(features, seed)

    @staticmethod
    def principal(features: int = 64) -> Principal:
        """The strongest principal components over the fitted samples.

        Args:
            features: Number of components.
        """
        return Principal(features)

    @abstractmethod
    def reduce(self, fitted: Tensor, every: Tensor) -> Tensor:
        """(N, k) features of all samples.

        Args:
            fitted: (M, features) float64 rows to learn the map from, centred.
            every: (N, features) rows to map, less the same centre.
        """


@final
@dataclass(frozen=True)
class Full(FeatureBudget):
    """All features: what the layer can express in all; wider layers have more to choose from."""

    def reduce(self, fitted: Tensor, every: Tensor) -> Tensor:  # noqa: ARG002
        """As they are."""
        return every


@final
@dataclass(frozen=True)
class Projected(FeatureBudget):
    """Random Gaussian combinations of the features, alike in number for all layers that have as many.

    They keep inner products to about sqrt(2 / features) (Johnson, Lindenstrauss 1984), so that strong and weak
    features count as they do in the layer. A layer with fewer features keeps its own.

    Attributes:
        features: How many combinations.
        seed: Seed of the draws.
    """

    features: int = 64
    seed: int = 0

    def reduce(self, fitted: Tensor, every: Tensor) -> Tensor:  # noqa: ARG002
        """By one matrix for a given number of features."""
        width = every.shape[1]
        return every if width <= self.features else every @ self.matrix(width).to(every)

    def matrix(self, width: int) -> Tensor:
        """(given, features) float64 weights of the combinations, the same for every layer of `width` features."""
        draw = numpy_generator(self.seed, "layers", "projection", str(width)).normal(
            size=(width, _at_least_one(self.features))
        )
        return torch.from_numpy(draw) / math.sqrt(self.features)


@final
@dataclass(frozen=True)
class Principal(FeatureBudget):
    """The strongest principal components over the fitted samples: a limit on the rank. Weak features are lost.

    Attributes:
        features: How many components; a layer with fewer keeps its own.
    """

    features: int = 64

    def reduce(self, fitted: Tensor, every: Tensor) -> Tensor:
        """By the right singular vectors of the fitted rows."""
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
    """Blocks of neighbouring rows dealt to folds at random; each fold is predicted from all others.

    Attributes:
        count: Number of folds.
        block: Rows that stay together: 1 asks for values between known neighbours, the length of a sequence or of a
            picture's row for values farther off.
        seed: Seed of the deal.

    Example:
        >>> from overtone.spectra.linear_readout import BlockFolds
        >>> sorted(BlockFolds(count=2, block=2).members(8).tolist())
        [0, 0, 0, 0, 1, 1, 1, 1]
    """

    count: int = 5
    block: int = 1
    seed: int = 0

    def members(self, rows: int) -> Tensor:
        """(rows,) int64 fold of each row.

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
        deal = torch.from_numpy(
            numpy_generator(self.seed, "layers", "folds").permutation(blocks) % self.count
        )
        return deal.repeat_interleave(self.block)[:rows]


PENALTIES = tuple(10.0**power for power in range(-10, 3))
"""Penalties tried, in units of the mean square of the features' singular values."""


@final
@dataclass(frozen=True)
class Fit:
    """A linear read-out.

    Attributes:
        weights: (k, C).
        offset: (C,).
        penalty: The one chosen, in units of the mean square of the singular values.
    """

    weights: Tensor
    offset: Tensor
    penalty: float

    def predict(self, features: Tensor) -> Tensor:
        """(N, C) outputs for (N, k) features."""
        return features @ self.weights + self.offset


def ridge(features: Tensor, targets: Tensor) -> Fit:
    """The read-out w of least |y - X w|^2 + a |w|^2 about the means, a of least leave-one-out error.

    With X = U S V^T, w = V diag(s / (s^2 + a)) U^T y, and the error left out at sample i is r_i / (1 - h_i), r the
    residual, h_i = 1 / n + sum_k U_ik^2 s_k^2 / (s_k^2 + a) (Golub, Heath, Wahba 1979, Technometrics 21, section 2).
    Each channel counts in units of its own variance.

    Where the features interpolate, r and 1 - h vanish together as a does. Both are therefore formed from what is
    outside the span of U and from a / (s^2 + a), never as differences of nearly equal numbers: otherwise rounding
    would choose among the small penalties.

    Args:
        features: (n, k) float64.
        targets: (n, C) float64.
    """
    centre, offset = features.mean(0), targets.mean(0)
    left, values, right = torch.linalg.svd(features - centre, full_matrices=False)
    # Directions below rounding carry no information, and would be amplified by small penalties.
    significant = values > values.max() * max(features.shape) * torch.finfo(values.dtype).eps
    left, values, right = left[:, significant], values[significant], right[significant]
    centred_targets = targets - offset
    along, square = left.T @ centred_targets, values.square()
    unit = float(square.mean()) if len(values) else 1.0
    spread = centred_targets.square().mean(0)
    spread = torch.where(spread > 0, spread, 1.0)
    # With as many directions as samples have about their mean, nothing is outside the span.
    complete = len(values) == len(features) - 1
    outside = torch.zeros_like(centred_targets) if complete else centred_targets - left @ along
    free_outside = torch.zeros_like(left[:, 0]) if complete else 1 - 1 / len(features) - left.square().sum(1)
    best, chosen = float("inf"), PENALTIES[-1]
    for penalty in PENALTIES:
        # a / (s^2 + a): the share of each direction that the penalty removes.
        shrunk = penalty * unit / (square + penalty * unit)
        residual = outside + left @ (shrunk[:, None] * along)
        # 1 - h_i, summed from shares that stay positive.
        free = free_outside + left.square() @ shrunk
        out = residual / free.clamp(min=torch.finfo(values.dtype).tiny)[:, None]
        error = float((out.square().mean(0) / spread).sum())
        if error < best:
            best, chosen = error, penalty
    weights = right.T @ ((values / (square + chosen * unit))[:, None] * along)
    return Fit(weights, offset - centre @ weights, chosen)

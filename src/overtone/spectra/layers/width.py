"""How many features a layer may use: the same for a wide layer as for a narrow one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone._utils.seeding import generator
from overtone.errors import InputError


class Width(ABC):
    """A linear map from a layer's features to those that the read-out sees, found without the targets."""

    @abstractmethod
    def reduce(self, fitted: Tensor, every: Tensor) -> Tensor:
        """(N, k) features of all samples.

        Args:
            fitted: (M, features) float64 rows to learn the map from, centred.
            every: (N, features) rows to map, less the same centre.
        """


@final
@dataclass(frozen=True)
class Full(Width):
    """All features: what the layer can express in all; wider layers have more to choose from."""

    def reduce(self, fitted: Tensor, every: Tensor) -> Tensor:  # noqa: ARG002
        """As they are."""
        return every


@final
@dataclass(frozen=True)
class Projected(Width):
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
        given = every.shape[1]
        return every if given <= self.features else every @ self.matrix(given).to(every)

    def matrix(self, given: int) -> Tensor:
        """(given, features) float64 weights of the combinations, the same for every layer of `given` features."""
        draw = generator(self.seed, "layers", "projection", str(given)).normal(
            size=(given, _at_least_one(self.features))
        )
        return torch.from_numpy(draw) / math.sqrt(self.features)


@final
@dataclass(frozen=True)
class Principal(Width):
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

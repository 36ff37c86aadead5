"""What the outputs of a network that learns classes are compared with, so that a residual has a spectrum."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra.classes.tables import class_probabilities, columns, distribution


class Target(ABC):
    """A pair of maps, from labels to a target and from a network's outputs to what is compared with it.

    residual = prediction - target, both (N, K) float64: the spectrum of each class's column, taken over the samples by
    any estimator, says at which frequencies the network still differs from what its loss asks for.
    """

    @abstractmethod
    def values(self, labels: Tensor | ArrayLike, classes: int) -> Tensor:
        """(N, K) float64 target.

        Args:
            labels: (N,) classes from 0, or (N, K) probabilities of the classes for each sample.
            classes: K.

        Raises:
            InputError: If labels are outside the classes, or probabilities do not sum to 1.
        """

    @abstractmethod
    def predictions(self, outputs: Tensor | ArrayLike) -> Tensor:
        """(N, K) float64 what is compared with the target.

        Args:
            outputs: (N, K) outputs of the network as its loss gets them.

        Raises:
            InputError: If the outputs are not finite numbers in two or more columns.
        """

    @abstractmethod
    def predictions_from_probabilities(self, probabilities: Tensor | ArrayLike) -> Tensor:
        """(N, K) float64 the same from class probabilities, as `predict_proba` returns them.

        Args:
            probabilities: (N, K) rows that sum to 1.

        Raises:
            InputError: If rows do not sum to 1 or have no such counterpart.
        """

    def residual(self, outputs: Tensor | ArrayLike, labels: Tensor | ArrayLike) -> Tensor:
        """(N, K) float64 predictions less the target.

        Args:
            outputs: (N, K) outputs of the network as its loss gets them.
            labels: (N,) classes from 0, or (N, K) probabilities.

        Raises:
            InputError: If outputs and labels are not those of the same samples and classes.
        """
        return self._less_target(self.predictions(outputs), labels)

    def residual_from_probabilities(
        self, probabilities: Tensor | ArrayLike, labels: Tensor | ArrayLike
    ) -> Tensor:
        """(N, K) float64 the same from class probabilities.

        Args:
            probabilities: (N, K) rows that sum to 1.
            labels: (N,) classes from 0, or (N, K) probabilities.

        Raises:
            InputError: If both are not those of the same samples and classes.
        """
        return self._less_target(self.predictions_from_probabilities(probabilities), labels)

    def _less_target(self, found: Tensor, labels: Tensor | ArrayLike) -> Tensor:
        target = self.values(labels, found.shape[1]).to(found.device)
        if len(target) != len(found):
            raise InputError(
                f"{len(found)} labels, one a row of the outputs",
                f"{len(target)}",
                "pass the same samples",
                "labels",
            )
        return found - target


@final
class OneHot(Target):
    """The target of a squared error on class scores: 1 for the label's class, 0 for the others.

    The prediction is the network's output itself. With probabilities as labels these are the target, which is also the
    mean of one-hot labels drawn from them.
    """

    def values(self, labels: Tensor | ArrayLike, classes: int) -> Tensor:
        """(N, K) float64 one-hot rows, or the given probabilities."""
        return distribution(labels, classes)

    def predictions(self, outputs: Tensor | ArrayLike) -> Tensor:
        """(N, K) float64 the outputs themselves."""
        return columns(outputs, "outputs")

    def predictions_from_probabilities(self, probabilities: Tensor | ArrayLike) -> Tensor:
        """(N, K) float64 the probabilities themselves."""
        return class_probabilities(probabilities, "probabilities")

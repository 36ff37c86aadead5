"""Targets of classifiers: the values that outputs are compared with, so that a residual has a spectrum."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.tensors import as_tensor
from overtone.errors import InputError
from overtone.spectra._inputs import rows
from overtone.spectra._outputs import class_numbers


@final
@dataclass(frozen=True)
class ClassWeights:
    """One weight a class, as in `torch.nn.functional.cross_entropy(..., weight=...)`.

    Attributes:
        values: (K,) float64, positive; a common factor changes nothing.

    Raises:
        InputError: If a weight is not positive and finite, or there are fewer than two.

    Example:
        >>> from overtone.spectra.classes import ClassWeights
        >>> ClassWeights.balanced([0, 0, 0, 1], 2).values.round(decimals=3).tolist()
        [0.667, 2.0]
    """

    values: Tensor

    def __post_init__(self) -> None:
        values = as_tensor(self.values, torch.float64).reshape(-1)
        if len(values) < 2 or not bool((values.isfinite() & (values > 0)).all()):
            raise InputError(
                "a positive weight for each of two or more classes",
                f"{values.tolist()}",
                "leave out classes that do not count",
                "weights",
            )
        object.__setattr__(self, "values", values)

    @staticmethod
    def of(weights: Sequence[float]) -> ClassWeights:
        """Weights given as numbers.

        Args:
            weights: One a class.

        Raises:
            InputError: If a weight is not positive and finite, or there are fewer than two.
        """
        return ClassWeights(torch.tensor([float(w) for w in weights], dtype=torch.float64, device="cpu"))

    @staticmethod
    def balanced(labels: Tensor | ArrayLike, classes: int) -> ClassWeights:
        """w_k = N / (K n_k) with n_k of the N labels in class k: every class then counts as much as any other.

        Args:
            labels: (N,) classes from 0.
            classes: K.

        Raises:
            InputError: If labels are not such numbers, or a class has none.
        """
        numbers = class_numbers(labels, classes)
        counts = torch.bincount(numbers, minlength=classes).double().cpu()
        if not bool(counts.all()):
            raise InputError(
                "samples of every class",
                f"none of class {int(counts.argmin())}",
                "leave the class out, or give the weights yourself",
                "labels",
            )
        return ClassWeights(len(numbers) / (classes * counts))


_SUM = 1e-3
"""How far rows of probabilities may be from 1: above the rounding of half precision."""


def distribution(labels: Tensor | ArrayLike, classes: int) -> Tensor:
    """(N, K) float64 one-hot rows of class numbers, or the given probabilities.

    Args:
        labels: (N,) classes from 0, or (N, K) probabilities.
        classes: K.

    Raises:
        InputError: If labels are outside the classes, or probabilities do not sum to 1.
    """
    if (labels.ndim if isinstance(labels, Tensor) else np.ndim(labels)) != 2:
        return torch.nn.functional.one_hot(class_numbers(labels, classes), classes).double()
    probabilities = class_probabilities(labels, "labels")
    if probabilities.shape[1] != classes:
        raise InputError(
            f"probabilities of {classes} classes",
            f"{probabilities.shape[1]}",
            "pass one column a class",
            "labels",
        )
    return probabilities


def class_probabilities(values: Tensor | ArrayLike, argument: str) -> Tensor:
    """(N, K) float64 rows of non-negative numbers that sum to 1.

    Args:
        values: (N, K) numbers.
        argument: Name of the argument, for errors.

    Raises:
        InputError: If rows are something else.
    """
    probabilities = columns(values, argument)
    wrong = (probabilities < 0).any(1) | ((probabilities.sum(1) - 1).abs() > _SUM)
    if bool(wrong.any()):
        first = int(wrong.byte().argmax())
        raise InputError(
            "probabilities that sum to 1 in each row",
            f"row {first} with the sum {float(probabilities[first].sum()):.4g} "
            f"and least {float(probabilities[first].min()):.4g}",
            "take the softmax of logits",
            argument,
        )
    return probabilities


def columns(values: Tensor | ArrayLike, argument: str) -> Tensor:
    """(N, K) float64 finite numbers in two or more columns.

    Args:
        values: (N, K) numbers.
        argument: Name of the argument, for errors.

    Raises:
        InputError: If they are something else.
    """
    table = rows(values, argument)
    if table.shape[1] < 2:
        raise InputError(
            "one column a class, two or more",
            f"{table.shape[1]}",
            "for a single logit z pass two columns, 0 and z",
            argument,
        )
    return table


class ClassTarget(ABC):
    """Pair of maps: from labels to a target, and from a network's outputs to the prediction of it.

    residual = prediction - target, both (N, K) float64: the spectrum of each class's column, taken over the samples by
    any estimator, says at which frequencies the network still differs from what its loss asks for.

    Example:
        >>> import torch
        >>> from overtone.spectra.classes import ClassTarget
        >>> ClassTarget.probabilities(smoothing=0.3).values([0, 2], 3).round(decimals=3).tolist()
        [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]
    """

    @staticmethod
    def one_hot() -> ClassTarget:
        """The target of a squared error on class scores: 1 for the label's class, 0 for the others."""
        return OneHot()

    @staticmethod
    def probabilities(smoothing: float = 0.0, weights: ClassWeights | None = None) -> Probabilities:
        """The target of a cross-entropy loss in class probabilities, softmax(logits).

        Args:
            smoothing: Label smoothing in [0, 1).
            weights: `ClassWeights`, or None for equal ones.

        Raises:
            InputError: If the smoothing is not in [0, 1).
        """
        return Probabilities(smoothing, weights)

    @staticmethod
    def centred_logits(smoothing: float, weights: ClassWeights | None = None) -> ClassTarget:
        """The limit of a cross-entropy network's logits, without the shift that softmax does not see.

        Args:
            smoothing: Label smoothing in [0, 1).
            weights: `ClassWeights`, or None for equal ones.

        Raises:
            InputError: If the smoothing is not in [0, 1).
        """
        return CentredLogits(smoothing, weights)

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
        """(N, K) float64 predictions of the target.

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

    def _less_target(self, predictions: Tensor, labels: Tensor | ArrayLike) -> Tensor:
        target = self.values(labels, predictions.shape[1]).to(predictions.device)
        if len(target) != len(predictions):
            raise InputError(
                f"{len(predictions)} labels, one a row of the outputs",
                f"{len(target)}",
                "pass the same samples",
                "labels",
            )
        return predictions - target


@final
class OneHot(ClassTarget):
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


@final
class Probabilities(ClassTarget):
    """The target of a cross-entropy loss in class probabilities, softmax(logits).

    With t = (1 - e) p + e / K the labels' distribution p after label smoothing e, and class weights w, the loss of a
    sample -sum_k w_k t_k log q_k is least at

        q*_k = w_k t_k / sum_j w_j t_j.

    Without weights the residual softmax(z) - t is the gradient of the loss with respect to the logits z. With one-hot
    labels, weights and no smoothing the target is one-hot all the same: weights change how soon a class is learned, not
    what is learned, wherever labels are certain. Where a sample's class is uncertain, p the probabilities given the
    input, they move the target, q*_k proportional to w_k p_k; weights 1 / (frequency of the class)
    (`ClassWeights.balanced`) make it what it would be were all classes equally frequent, and without them frequent
    classes have the larger target (Menon et al. 2021, arXiv 2007.07314, section 3). Both as in
    `torch.nn.functional.cross_entropy` with `label_smoothing` and `weight`.

    Args:
        smoothing: e in [0, 1).
        weights: `ClassWeights`, or None for equal ones.

    Raises:
        InputError: If the smoothing is not in [0, 1).
    """

    def __init__(self, smoothing: float = 0.0, weights: ClassWeights | None = None) -> None:
        if not 0 <= smoothing < 1:
            raise InputError(
                "label smoothing in [0, 1)", f"{smoothing}", "pass that of the loss", "smoothing"
            )
        self.smoothing = smoothing
        self.weights = weights

    def values(self, labels: Tensor | ArrayLike, classes: int) -> Tensor:
        """(N, K) float64 q*, rows that sum to 1."""
        smoothed = (1 - self.smoothing) * distribution(labels, classes) + self.smoothing / classes
        if self.weights is None:
            return smoothed
        weights = self.weights.values.to(smoothed.device)
        if len(weights) != classes:
            raise InputError(f"{classes} weights, one a class", f"{len(weights)}", "pass one each", "weights")
        weighted = weights * smoothed
        return weighted / weighted.sum(1, keepdim=True)

    def predictions(self, outputs: Tensor | ArrayLike) -> Tensor:
        """(N, K) float64 softmax of logits."""
        return columns(outputs, "outputs").softmax(1)

    def predictions_from_probabilities(self, probabilities: Tensor | ArrayLike) -> Tensor:
        """(N, K) float64 the probabilities themselves."""
        return class_probabilities(probabilities, "probabilities")


@final
class CentredLogits(ClassTarget):
    """The limit of a cross-entropy network's logits, without what softmax does not see.

    With q* the target of `Probabilities` the logits that reach it are

        z*_k = log q*_k - (1 / K) sum_j log q*_j,

    and the prediction is z_k less the mean of the sample's logits. The limit is finite only where every class has
    some probability. With one-hot labels it takes smoothing e > 0, and is, without weights, (1 - 1/K) L for the
    label's class and -L / K for the others, L = log(1 + K (1 - e) / e). Without smoothing logits grow for ever along
    one-hot labels and a residual in them means nothing: use `Probabilities`, which is bounded, but says little where
    the network is sure.

    Args:
        smoothing: e in [0, 1).
        weights: `ClassWeights`, or None for equal ones.

    Raises:
        InputError: If the smoothing is not in [0, 1).
    """

    def __init__(self, smoothing: float, weights: ClassWeights | None = None) -> None:
        self._probabilities = Probabilities(smoothing, weights)

    def values(self, labels: Tensor | ArrayLike, classes: int) -> Tensor:
        """(N, K) float64 z*, rows that sum to 0."""
        return _log_odds(self._probabilities.values(labels, classes), "labels")

    def predictions(self, outputs: Tensor | ArrayLike) -> Tensor:
        """(N, K) float64 logits without their mean over the classes."""
        logits = columns(outputs, "outputs")
        return logits - logits.mean(1, keepdim=True)

    def predictions_from_probabilities(self, probabilities: Tensor | ArrayLike) -> Tensor:
        """(N, K) float64 log q less its mean over the classes."""
        return _log_odds(class_probabilities(probabilities, "probabilities"), "probabilities")


def _log_odds(probabilities: Tensor, argument: str) -> Tensor:
    certain = (probabilities <= 0).any(1)
    if bool(certain.any()):
        raise InputError(
            "some probability for every class, so that logits have a limit",
            f"a probability of 0 in {int(certain.sum())} of {len(probabilities)} rows",
            "pass the label smoothing of the loss, or compare with Probabilities",
            argument,
        )
    # Softmax does not see a shift of all logits: the mean over the classes is taken off.
    logs = probabilities.log()
    return logs - logs.mean(1, keepdim=True)

"""Targets and predictions of classifiers, whose difference has a spectrum."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.display import Result
from overtone._utils.tensors import as_tensor
from overtone.errors import InputError
from overtone.spectra._inputs import rows
from overtone.spectra._outputs import class_numbers


@final
@dataclass(frozen=True, repr=False)
class ClassWeights(Result):
    """Weights per class, as in `torch.nn.functional.cross_entropy(..., weight=...)`.

    Attributes:
        values: (K,) float64, positive; a common factor has no effect.

    Raises:
        InputError: If a weight is not positive and finite, or there are fewer than two weights.

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
                "remove classes without weight",
                "weights",
            )
        object.__setattr__(self, "values", values)

    @staticmethod
    def of(weights: Sequence[float]) -> ClassWeights:
        """Create weights from a sequence of numbers.

        Args:
            weights: One number per class.

        Raises:
            InputError: If a weight is not positive and finite, or there are fewer than two weights.
        """
        return ClassWeights(torch.tensor([float(w) for w in weights], dtype=torch.float64, device="cpu"))

    @staticmethod
    def balanced(labels: Tensor | ArrayLike, classes: int) -> ClassWeights:
        """Return w_k = N / (K n_k) for n_k labels in class k, which gives all classes equal total weight.

        Args:
            labels: (N,) classes from 0.
            classes: K, the number of classes.

        Raises:
            InputError: If labels are not class numbers, or a class has no samples.
        """
        numbers = class_numbers(labels, classes)
        counts = torch.bincount(numbers, minlength=classes).double().cpu()
        if not bool(counts.all()):
            raise InputError(
                "samples of every class",
                f"none of class {int(counts.argmin())}",
                "remove the class, or pass weights explicitly",
                "labels",
            )
        return ClassWeights(len(numbers) / (classes * counts))


_SUM = 1e-3
"""Tolerance of the sum of probabilities: above the rounding of half precision."""


def distribution(labels: Tensor | ArrayLike, classes: int) -> Tensor:
    """Convert labels to (N, K) float64 probabilities: one-hot rows for class numbers.

    Args:
        labels: (N,) classes from 0, or (N, K) probabilities.
        classes: K, the number of classes.

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
            "pass one column per class",
            "labels",
        )
    return probabilities


def class_probabilities(values: Tensor | ArrayLike, argument: str) -> Tensor:
    """Validate (N, K) probabilities, non-negative with sum 1 per row, and convert them to float64.

    Args:
        values: (N, K) numbers.
        argument: Name of the argument in error messages.

    Raises:
        InputError: If a row is not a probability distribution.
    """
    probabilities = columns(values, argument)
    wrong = (probabilities < 0).any(1) | ((probabilities.sum(1) - 1).abs() > _SUM)
    if bool(wrong.any()):
        first = int(wrong.byte().argmax())
        raise InputError(
            "probabilities that sum to 1 in each row",
            f"row {first} with the sum {float(probabilities[first].sum()):.4g} "
            f"and the minimum {float(probabilities[first].min()):.4g}",
            "apply softmax to logits",
            argument,
        )
    return probabilities


def columns(values: Tensor | ArrayLike, argument: str) -> Tensor:
    """Convert a table to (N, K) float64 finite numbers in two or more columns.

    Args:
        values: (N, K) numbers.
        argument: Name of the argument in error messages.

    Raises:
        InputError: If the values are not such a table.
    """
    table = rows(values, argument)
    if table.shape[1] < 2:
        raise InputError(
            "one column per class, two or more",
            f"{table.shape[1]}",
            "for a single logit z pass two columns, 0 and z",
            argument,
        )
    return table


class ClassTarget(ABC):
    """Pair of maps: from labels to a target, and from a network's outputs to the prediction of the target.

    The residual is prediction - target, both (N, K) float64. The spectrum of each class's column over the
    samples, by any estimator, shows at which frequencies the network differs from the minimiser of its loss.

    Example:
        >>> import torch
        >>> from overtone.spectra.classes import ClassTarget
        >>> ClassTarget.probabilities(smoothing=0.3).values([0, 2], 3).round(decimals=3).tolist()
        [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]
    """

    @staticmethod
    def one_hot() -> ClassTarget:
        """Target of a squared error on class scores: 1 for the label's class, 0 for the others."""
        return OneHot()

    @staticmethod
    def probabilities(smoothing: float = 0.0, weights: ClassWeights | None = None) -> Probabilities:
        """Target of a cross-entropy loss in class probabilities, softmax(logits).

        Args:
            smoothing: Label smoothing in [0, 1).
            weights: `ClassWeights`, or None for equal weights.

        Raises:
            InputError: If the smoothing is not in [0, 1).
        """
        return Probabilities(smoothing, weights)

    @staticmethod
    def centred_logits(smoothing: float, weights: ClassWeights | None = None) -> ClassTarget:
        """Limit of the logits under a cross-entropy loss, centred because softmax is invariant to shifts.

        Args:
            smoothing: Label smoothing in [0, 1).
            weights: `ClassWeights`, or None for equal weights.

        Raises:
            InputError: If the smoothing is not in [0, 1).
        """
        return CentredLogits(smoothing, weights)

    @abstractmethod
    def values(self, labels: Tensor | ArrayLike, classes: int) -> Tensor:
        """Return the (N, K) float64 target.

        Args:
            labels: (N,) classes from 0, or (N, K) probabilities of the classes for each sample.
            classes: K, the number of classes.

        Raises:
            InputError: If labels are outside the classes, or probabilities do not sum to 1.
        """

    @abstractmethod
    def predictions(self, outputs: Tensor | ArrayLike) -> Tensor:
        """Return the (N, K) float64 predictions of the target.

        Args:
            outputs: (N, K) outputs of the network, as passed to its loss.

        Raises:
            InputError: If the outputs are not finite numbers in two or more columns.
        """

    @abstractmethod
    def predictions_from_probabilities(self, probabilities: Tensor | ArrayLike) -> Tensor:
        """Return the (N, K) float64 predictions from class probabilities, such as those of `predict_proba`.

        Args:
            probabilities: (N, K) rows that sum to 1.

        Raises:
            InputError: If rows do not sum to 1, or cannot be converted to this target.
        """

    def residual(self, outputs: Tensor | ArrayLike, labels: Tensor | ArrayLike) -> Tensor:
        """Return the (N, K) float64 difference of predictions and target.

        Args:
            outputs: (N, K) outputs of the network, as passed to its loss.
            labels: (N,) classes from 0, or (N, K) probabilities.

        Raises:
            InputError: If the outputs and labels differ in samples or classes.
        """
        return self._less_target(self.predictions(outputs), labels)

    def residual_from_probabilities(
        self, probabilities: Tensor | ArrayLike, labels: Tensor | ArrayLike
    ) -> Tensor:
        """Return the (N, K) float64 difference of predictions and target from class probabilities.

        Args:
            probabilities: (N, K) rows that sum to 1.
            labels: (N,) classes from 0, or (N, K) probabilities.

        Raises:
            InputError: If the probabilities and labels differ in samples or classes.
        """
        return self._less_target(self.predictions_from_probabilities(probabilities), labels)

    def _less_target(self, predictions: Tensor, labels: Tensor | ArrayLike) -> Tensor:
        target = self.values(labels, predictions.shape[1]).to(predictions.device)
        if len(target) != len(predictions):
            raise InputError(
                f"{len(predictions)} labels, one per row of the outputs",
                f"{len(target)}",
                "pass the same samples",
                "labels",
            )
        return predictions - target


@final
class OneHot(ClassTarget):
    """Target of a squared error on class scores: 1 for the label's class, 0 for the others.

    The prediction is the network's output. If the labels are probabilities, they are the target, which is the
    mean of one-hot labels sampled from them.
    """

    def values(self, labels: Tensor | ArrayLike, classes: int) -> Tensor:
        """Return (N, K) float64 one-hot rows, or the label probabilities."""
        return distribution(labels, classes)

    def predictions(self, outputs: Tensor | ArrayLike) -> Tensor:
        """Return the (N, K) outputs in float64."""
        return columns(outputs, "outputs")

    def predictions_from_probabilities(self, probabilities: Tensor | ArrayLike) -> Tensor:
        """Return the (N, K) probabilities in float64."""
        return class_probabilities(probabilities, "probabilities")


@final
class Probabilities(ClassTarget):
    """Target of a cross-entropy loss in class probabilities, softmax(logits).

    With t = (1 - e) p + e / K, the labels' distribution p after label smoothing e, and class weights w, the
    loss -sum_k w_k t_k log q_k of a sample is minimal at

        q*_k = w_k t_k / sum_j w_j t_j.

    Without weights the residual softmax(z) - t is the gradient of the loss with respect to the logits z. For
    one-hot labels without smoothing the target is one-hot for all weights: if labels are certain, weights
    change the speed at which a class is learned but not the target. If a sample's class is uncertain with
    conditional probabilities p, the target q*_k is proportional to w_k p_k. Weights 1 / (frequency of the
    class) (`ClassWeights.balanced`) give the target for equally frequent classes; without weights, frequent
    classes have larger targets (Menon et al. 2021, arXiv 2007.07314, section 3). Smoothing and weights are
    those of `torch.nn.functional.cross_entropy` (`label_smoothing` and `weight`).

    Args:
        smoothing: Label smoothing e in [0, 1).
        weights: `ClassWeights`, or None for equal weights.

    Raises:
        InputError: If the smoothing is not in [0, 1).
    """

    def __init__(self, smoothing: float = 0.0, weights: ClassWeights | None = None) -> None:
        if not 0 <= smoothing < 1:
            raise InputError(
                "label smoothing in [0, 1)", f"{smoothing}", "pass the value of the loss", "smoothing"
            )
        self.smoothing = smoothing
        self.weights = weights

    def values(self, labels: Tensor | ArrayLike, classes: int) -> Tensor:
        """Return the (N, K) float64 target q*, whose rows sum to 1."""
        smoothed = (1 - self.smoothing) * distribution(labels, classes) + self.smoothing / classes
        if self.weights is None:
            return smoothed
        weights = self.weights.values.to(smoothed.device)
        if len(weights) != classes:
            raise InputError(
                f"{classes} weights, one per class", f"{len(weights)}", "pass one each", "weights"
            )
        weighted = weights * smoothed
        return weighted / weighted.sum(1, keepdim=True)

    def predictions(self, outputs: Tensor | ArrayLike) -> Tensor:
        """Return the (N, K) float64 softmax of logits."""
        return columns(outputs, "outputs").softmax(1)

    def predictions_from_probabilities(self, probabilities: Tensor | ArrayLike) -> Tensor:
        """Return the (N, K) probabilities in float64."""
        return class_probabilities(probabilities, "probabilities")


@final
class CentredLogits(ClassTarget):
    """Limit of the centred logits under a cross-entropy loss.

    With q* the target of `Probabilities`, its logits are

        z*_k = log q*_k - (1 / K) sum_j log q*_j,

    and the prediction is z_k minus the mean of the sample's logits. The limit is finite only if every class
    has positive probability. One-hot labels therefore need smoothing e > 0; without weights, the limit is (1
    - 1/K) L for the label's class and -L / K for the others, with L = log(1 + K (1 - e) / e). Without
    smoothing, logits for one-hot labels grow without bound and their residual is meaningless: use
    `Probabilities`, which is bounded but insensitive where the network is confident.

    Args:
        smoothing: Label smoothing e in [0, 1).
        weights: `ClassWeights`, or None for equal weights.

    Raises:
        InputError: If the smoothing is not in [0, 1).
    """

    def __init__(self, smoothing: float, weights: ClassWeights | None = None) -> None:
        self._probabilities = Probabilities(smoothing, weights)

    def values(self, labels: Tensor | ArrayLike, classes: int) -> Tensor:
        """Return the (N, K) float64 target z*, whose rows sum to 0."""
        return _log_odds(self._probabilities.values(labels, classes), "labels")

    def predictions(self, outputs: Tensor | ArrayLike) -> Tensor:
        """Return the (N, K) float64 logits minus their mean over the classes."""
        logits = columns(outputs, "outputs")
        return logits - logits.mean(1, keepdim=True)

    def predictions_from_probabilities(self, probabilities: Tensor | ArrayLike) -> Tensor:
        """Return (N, K) float64 log q minus its mean over the classes."""
        return _log_odds(class_probabilities(probabilities, "probabilities"), "probabilities")


def _log_odds(probabilities: Tensor, argument: str) -> Tensor:
    certain = (probabilities <= 0).any(1)
    if bool(certain.any()):
        raise InputError(
            "a positive probability for every class, so that logits have a limit",
            f"a probability of 0 in {int(certain.sum())} of {len(probabilities)} rows",
            "pass the label smoothing of the loss, or compare with Probabilities",
            argument,
        )
    # Softmax is invariant to a shift of all logits, so the mean over the classes is subtracted.
    logs = probabilities.log()
    return logs - logs.mean(1, keepdim=True)

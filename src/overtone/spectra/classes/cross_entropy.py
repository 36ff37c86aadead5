"""The targets of networks that are trained by cross-entropy: probabilities, and the limit of the logits."""

from __future__ import annotations

from typing import final

from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra.classes.tables import class_probabilities, columns, distribution
from overtone.spectra.classes.target import Target
from overtone.spectra.classes.weights import ClassWeights


@final
class Probabilities(Target):
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
class CentredLogits(Target):
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
        found = columns(outputs, "outputs")
        return found - found.mean(1, keepdim=True)

    def predictions_from_probabilities(self, probabilities: Tensor | ArrayLike) -> Tensor:
        """(N, K) float64 log q less its mean over the classes."""
        return _log_odds(class_probabilities(probabilities, "probabilities"), "probabilities")


def _log_odds(found: Tensor, where: str) -> Tensor:
    certain = (found <= 0).any(1)
    if bool(certain.any()):
        raise InputError(
            "some probability for every class, so that logits have a limit",
            f"a probability of 0 in {int(certain.sum())} of {len(found)} rows",
            "pass the label smoothing of the loss, or compare with Probabilities",
            where,
        )
    logs = found.log()
    return logs - logs.mean(1, keepdim=True)

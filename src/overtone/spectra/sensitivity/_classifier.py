"""Errors of a classifier on perturbed pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, final

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.tensors import as_tensor
from overtone.errors import InputError
from overtone.spectra._outputs import Outputs, class_numbers, samples


class InputNormalisation(ABC):
    """Map from pixels to a network's inputs, applied after any perturbation of the pixels.

    Example:
        >>> import torch
        >>> from overtone.spectra.sensitivity import InputNormalisation
        >>> InputNormalisation.standardise(0.5, 0.25).apply(torch.ones(1, 1, 1, 2)).tolist()
        [[[[2.0, 2.0]]]]
    """

    @staticmethod
    def none() -> InputNormalisation:
        """Return the identity, for networks that use raw pixels or include the normalisation."""
        return NoNormalisation()

    @staticmethod
    def standardise(
        mean: float | list[float] | Tensor, std: float | list[float] | Tensor
    ) -> InputNormalisation:
        """Return the map (pixel - mean) / std per channel.

        Args:
            mean: One number, or one per channel, in units of the pixels.
            std: One positive number, or one per channel.

        Raises:
            InputError: If they are not finite or a standard deviation is not positive.
        """
        return Standardise(mean, std)

    @abstractmethod
    def apply(self, pictures: Tensor) -> Tensor:
        """Map (B, C, H, W) pictures to inputs of the network.

        Args:
            pictures: Pixels before normalisation.
        """


@final
class NoNormalisation(InputNormalisation):
    """Identity, for networks that use raw pixels or include the normalisation."""

    def apply(self, pictures: Tensor) -> Tensor:
        """Return the pictures unchanged."""
        return pictures


@final
class Standardise(InputNormalisation):
    """Standardisation (pixel - mean) / std per channel.

    Args:
        mean: One number, or one per channel, in units of the pixels.
        std: One positive number, or one per channel.

    Raises:
        InputError: If they are not finite or a standard deviation is not positive.
    """

    def __init__(self, mean: float | list[float] | Tensor, std: float | list[float] | Tensor) -> None:
        self.mean = as_tensor(mean, torch.float64).reshape(-1)
        self.std = as_tensor(std, torch.float64).reshape(-1)
        valid = self.mean.isfinite().all() & self.std.isfinite().all() & (self.std > 0).all()
        if not bool(valid) or not len(self.mean) or not len(self.std):
            raise InputError(
                "finite means and positive standard deviations",
                f"mean {self.mean.tolist()}, std {self.std.tolist()}",
                "pass the statistics of the training pictures",
                "normalise",
            )

    def apply(self, pictures: Tensor) -> Tensor:
        """Return the (B, C, H, W) standardised pictures, in the same precision.

        Raises:
            InputError: If the number of channels does not match.
        """
        channels = pictures.shape[1]
        for numbers in (self.mean, self.std):
            if len(numbers) not in (1, channels):
                raise InputError(
                    f"1 or {channels} numbers, one per channel of the pictures",
                    f"{len(numbers)}",
                    "pass one per channel",
                    "normalise",
                )
        mean, std = (numbers.to(pictures).reshape(-1, 1, 1) for numbers in (self.mean, self.std))
        return (pictures - mean) / std


_COLOURS = (1, 3, 4)


def pictures_of(values: Tensor | ArrayLike) -> Tensor:
    """Validate pictures (N, C, H, W) and convert them to float32 or float64.

    Args:
        values: Tensor or array.

    Raises:
        InputError: If the pictures are not finite numbers of that shape, or the channel axis appears to be
            last.
    """
    pixels = samples(values, "pictures", 1)
    if pixels.ndim == 4 and pixels.shape[3] in _COLOURS and min(pixels.shape[1:3]) > max(_COLOURS):
        raise InputError(
            "pictures of shape (pictures, channels, height, width)",
            f"shape {tuple(pixels.shape)}, whose last axis appears to be the channel axis",
            "move them by torch.as_tensor(pictures).movedim(-1, 1)",
            "pictures",
        )
    if pixels.ndim != 4 or min(pixels.shape[2:]) < 2:
        raise InputError(
            "pictures of shape (pictures, channels, height, width), at least 2 x 2 pixels",
            f"shape {tuple(pixels.shape)}",
            "reshape them; grey pictures have one channel",
            "pictures",
        )
    return pixels


@final
class Classifier:
    """Classifier with pictures and their true classes.

    Args:
        classify: Function from inputs (B, C, H, W) to scores (B, classes), logits or probabilities, the
            largest of which is the prediction. It receives tensors, or NumPy arrays if the pictures are
            arrays.
        pictures: (N, C, H, W) pixels.
        labels: (N,) true classes from 0.
        normalise: Normalisation of the pixels before `classify`.
        batch: Maximum number of pictures per call.

    Attributes:
        pictures: (N, C, H, W) float32 or float64 pixels.
        labels: (N,) int64.
        batch: Maximum number of pictures per call.
        clean: (N,) bool, True where the unperturbed picture is misclassified.

    Raises:
        InputError: If pictures, labels or scores do not have the required form.
    """

    def __init__(
        self,
        classify: Callable[[Any], Any],
        pictures: Tensor | ArrayLike,
        labels: Tensor | ArrayLike,
        normalise: InputNormalisation,
        batch: int,
    ) -> None:
        self.pictures = pictures_of(pictures)
        self.batch = batch
        self._normalise = normalise
        self._scores = Outputs(classify, not isinstance(pictures, Tensor), batch)
        scores = torch.cat([self._evaluate(self.pictures[rows]) for rows in self.chunks(len(self.pictures))])
        if scores.shape[1] < 2:
            raise InputError(
                "one score per class, two or more",
                f"{scores.shape[1]}",
                "for a single logit z return two scores, 0 and z",
                "function",
            )
        self.labels = class_numbers(labels, scores.shape[1], len(self.pictures)).to(scores.device)
        self.clean = scores.argmax(1) != self.labels

    def chunks(self, rows: int) -> list[slice]:
        """Return consecutive slices of at most `batch` rows that cover `rows` rows."""
        return list(self._scores.chunks(rows))

    def wrong(self, pixels: Tensor, which: Tensor) -> Tensor:
        """Return (B,) bool, True where perturbed pictures are misclassified.

        Args:
            pixels: (B, C, H, W) perturbed pixels, B at most `batch`.
            which: (B,) indices of the original pictures.
        """
        return self._evaluate(pixels).argmax(1) != self.labels[which.to(self.labels.device)]

    def _evaluate(self, pixels: Tensor) -> Tensor:
        return self._scores(self._normalise.apply(pixels))

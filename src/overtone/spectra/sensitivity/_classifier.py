"""A classifier with its pictures and labels: its errors on changed pictures."""

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
    """Step from pixels to a network's inputs, applied after any perturbation of the pixels.

    Example:
        >>> import torch
        >>> from overtone.spectra.sensitivity import InputNormalisation
        >>> InputNormalisation.standardise(0.5, 0.25).apply(torch.ones(1, 1, 1, 2)).tolist()
        [[[[2.0, 2.0]]]]
    """

    @staticmethod
    def none() -> InputNormalisation:
        """No step: the network takes the pixels themselves, or normalises them itself."""
        return NoNormalisation()

    @staticmethod
    def standardise(
        mean: float | list[float] | Tensor, std: float | list[float] | Tensor
    ) -> InputNormalisation:
        """(pixel - mean) / std per channel.

        Args:
            mean: One number, or one per channel, in units of the pixels.
            std: The same; positive.

        Raises:
            InputError: If they are not finite or a standard deviation is not positive.
        """
        return Standardise(mean, std)

    @abstractmethod
    def apply(self, pictures: Tensor) -> Tensor:
        """(B, C, H, W) pictures to inputs of the network.

        Args:
            pictures: Pixels in their own units.
        """


@final
class NoNormalisation(InputNormalisation):
    """The network takes the pixels as they are, or normalises them itself."""

    def apply(self, pictures: Tensor) -> Tensor:
        """The pictures themselves."""
        return pictures


@final
class Standardise(InputNormalisation):
    """(pixel - mean) / std per channel.

    Args:
        mean: One number, or one a channel, in units of the pixels.
        std: The same; positive.

    Raises:
        InputError: If they are not finite or a standard deviation is not positive.
    """

    def __init__(self, mean: float | list[float] | Tensor, std: float | list[float] | Tensor) -> None:
        self.mean = as_tensor(mean, torch.float64).reshape(-1)
        self.std = as_tensor(std, torch.float64).reshape(-1)
        known = self.mean.isfinite().all() & self.std.isfinite().all() & (self.std > 0).all()
        if not bool(known) or not len(self.mean) or not len(self.std):
            raise InputError(
                "finite means and positive standard deviations",
                f"mean {self.mean.tolist()}, std {self.std.tolist()}",
                "pass those of the training pictures",
                "normalise",
            )

    def apply(self, pictures: Tensor) -> Tensor:
        """(B, C, H, W) standardised pictures, in their precision.

        Raises:
            InputError: If the pictures have another number of channels.
        """
        channels = pictures.shape[1]
        for numbers in (self.mean, self.std):
            if len(numbers) not in (1, channels):
                raise InputError(
                    f"1 or {channels} numbers, as the pictures have channels",
                    f"{len(numbers)}",
                    "pass one for each channel",
                    "normalise",
                )
        mean, std = (numbers.to(pictures).reshape(-1, 1, 1) for numbers in (self.mean, self.std))
        return (pictures - mean) / std


_COLOURS = (1, 3, 4)


def pictures_of(values: Tensor | ArrayLike) -> Tensor:
    """Pictures (N, C, H, W) as finite numbers in float32 or float64.

    Args:
        values: Tensor or array.

    Raises:
        InputError: If the pictures are not such numbers, or their channels seem to come last.
    """
    pixels = samples(values, "pictures", 1)
    if pixels.ndim == 4 and pixels.shape[3] in _COLOURS and min(pixels.shape[1:3]) > max(_COLOURS):
        raise InputError(
            "pictures of shape (pictures, channels, height, width)",
            f"shape {tuple(pixels.shape)}, whose last axis seems to hold the channels",
            "move them by torch.as_tensor(pictures).movedim(-1, 1)",
            "pictures",
        )
    if pixels.ndim != 4 or min(pixels.shape[2:]) < 2:
        raise InputError(
            "pictures of shape (pictures, channels, height, width), two pixels or more a side",
            f"shape {tuple(pixels.shape)}",
            "reshape them; grey pictures have one channel",
            "pictures",
        )
    return pixels


@final
class Classifier:
    """A classifier, pictures, and their true classes.

    Args:
        classify: From inputs (B, C, H, W) to scores (B, classes), the largest of which is its answer; logits or
            probabilities. Given tensors, or NumPy arrays if the pictures are.
        pictures: (N, C, H, W) pixels.
        labels: (N,) true classes from 0.
        normalise: What is done to the pixels before `classify`.
        batch: Maximum number of pictures per call.

    Attributes:
        pictures: (N, C, H, W) float32 or float64 pixels.
        labels: (N,) int64.
        batch: Maximum number of pictures per call.
        clean: (N,) bool, True where the unperturbed picture is got wrong.

    Raises:
        InputError: If pictures, labels or scores are not as described.
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
        scores = torch.cat([self._ask(self.pictures[rows]) for rows in self.chunks(len(self.pictures))])
        if scores.shape[1] < 2:
            raise InputError(
                "one score a class, two or more",
                f"{scores.shape[1]}",
                "for a single logit z return two scores, 0 and z",
                "function",
            )
        self.labels = class_numbers(labels, scores.shape[1], len(self.pictures)).to(scores.device)
        self.clean = scores.argmax(1) != self.labels

    def chunks(self, rows: int) -> list[slice]:
        """Slices of at most `batch` rows that together are `rows`."""
        return list(self._scores.chunks(rows))

    def wrong(self, pixels: Tensor, which: Tensor) -> Tensor:
        """(B,) bool, True where changed pictures are got wrong.

        Args:
            pixels: (B, C, H, W) changed pixels, at most `batch`.
            which: (B,) which of the pictures they were.
        """
        return self._ask(pixels).argmax(1) != self.labels[which.to(self.labels.device)]

    def _ask(self, pixels: Tensor) -> Tensor:
        return self._scores(self._normalise.apply(pixels))

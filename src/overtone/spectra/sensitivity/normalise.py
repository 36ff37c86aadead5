"""What is done to pictures between the pixels that are perturbed and the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor

from overtone._utils.tensors import as_tensor
from overtone.errors import InputError


class Normalise(ABC):
    """The step from pixels to a network's inputs, applied after any perturbation of the pixels."""

    @abstractmethod
    def apply(self, pictures: Tensor) -> Tensor:
        """(B, C, H, W) pictures to inputs of the network.

        Args:
            pictures: Pixels in their own units.
        """


@final
class AsIs(Normalise):
    """The network takes the pixels as they are, or normalises them itself."""

    def apply(self, pictures: Tensor) -> Tensor:
        """The pictures themselves."""
        return pictures


@final
class Standardise(Normalise):
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

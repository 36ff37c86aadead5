"""At which spatial frequencies a small change of a picture changes a network's answer most."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._bands import Bands
from overtone.spectra._grid import covering, describe
from overtone.spectra._grid_modes import GridModes, forward
from overtone.spectra._outputs import class_numbers, outputs
from overtone.spectra._spectrum import SampleSpectra
from overtone.spectra.sensitivity._classifier import InputNormalisation, pictures_of


@final
class RadialPower:
    """Power per band of sqrt(f_y^2 + f_x^2), built once for pictures of one size.

    Of H x W numbers, P_k = |c_k|^2 / (H W) with c the orthonormal coefficients of their even extension (DCT-II).

    Args:
        size: Height and width in pixels.
        bands: Bands, or ascending edges from 0, in cycles per pixel; None for `Bands.log`.

    Attributes:
        bands: The bands, in cycles per pixel.
        modes: (band,) int64 modes in each.
        estimator: How the power is found, for records.
    """

    def __init__(self, size: tuple[int, int], bands: Bands | Sequence[float] | None = None) -> None:
        lattice = GridModes.of(size, 1.0)
        self.bands = covering(bands, lattice)
        row, column = (lattice.frequencies(axis) for axis in range(2))
        self._index = self.bands.index(torch.hypot(row[:, None], column).flatten())
        self.modes = torch.bincount(self._index, minlength=self.bands.count)
        self.estimator = describe(lattice)

    def each(self, pictures: Tensor) -> Tensor:
        """(N, band, C) float64 power of each picture; over the bands it sums to the mean square.

        Args:
            pictures: (N, C, H, W) numbers.
        """
        power = forward(pictures.double().clone(), (2, 3), ()).square().flatten(2)
        total = power.new_zeros(*power.shape[:2], self.bands.count)
        return (total.index_add(2, self._index.to(power.device), power) / power.shape[2]).movedim(1, 2)


class ScoreGradient(ABC):
    """Gradient, with respect to the pixels, of a number computed from a network's logits and the labels.

    Example:
        >>> import torch
        >>> from overtone.spectra.sensitivity import InputNormalisation, ScoreGradient
        >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
        >>> gradient = ScoreGradient.of_logit(network, InputNormalisation.none())
        >>> gradient(torch.zeros(3, 1, 2, 2), torch.tensor([0, 1, 1])).shape
        torch.Size([3, 1, 2, 2])
    """

    @staticmethod
    def of_loss(classify: Callable[[Tensor], Any], normalise: InputNormalisation) -> ScoreGradient:
        """Gradient of each picture's cross-entropy loss.

        Args:
            classify: A differentiable function from inputs (B, C, H, W) to logits (B, classes), in evaluation mode.
            normalise: The gradient is with respect to the pixels before it.
        """
        return LossGradient(classify, normalise)

    @staticmethod
    def of_logit(classify: Callable[[Tensor], Any], normalise: InputNormalisation) -> ScoreGradient:
        """Gradient of the logit of each picture's labelled class; it does not vanish where the network is sure.

        Args:
            classify: A differentiable function from inputs (B, C, H, W) to logits (B, classes), in evaluation mode.
            normalise: The gradient is with respect to the pixels before it.
        """
        return LogitGradient(classify, normalise)

    def __init__(self, classify: Callable[[Tensor], Any], normalise: InputNormalisation) -> None:
        self._classify = classify
        self._normalise = normalise

    def __call__(self, pixels: Tensor, labels: Tensor) -> Tensor:
        """(B, C, H, W) gradients; parameters of a network get none.

        Args:
            pixels: (B, C, H, W) pixels before normalisation.
            labels: (B,) classes from 0.

        Raises:
            InputError: If the network's outputs are no logits or do not depend on the pixels differentiably.
        """
        with torch.enable_grad():
            inputs = pixels.detach().requires_grad_()
            answer = self._classify(self._normalise.apply(inputs))
            checked = outputs(answer, len(pixels))
            numbers = class_numbers(labels, checked.shape[1], len(pixels)).to(checked.device)
            if not answer.requires_grad:
                raise InputError(
                    "logits that PyTorch can differentiate",
                    "logits without a graph",
                    "leave out no_grad, detach and NumPy, or pass a function that returns the gradient",
                    "function",
                )
            return torch.autograd.grad(self._score(answer, numbers).sum(), inputs)[0]

    @abstractmethod
    def _score(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(B,) numbers to differentiate."""


@final
class LossGradient(ScoreGradient):
    """Gradient of each picture's cross-entropy loss with respect to its pixels.

    Args:
        classify: A differentiable function from inputs (B, C, H, W) to logits (B, classes), in evaluation mode.
        normalise: `InputNormalisation`; the gradient is with respect to the pixels before it.
    """

    def _score(self, logits: Tensor, labels: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(logits, labels, reduction="none")


@final
class LogitGradient(ScoreGradient):
    """Gradient of the logit of each picture's labelled class with respect to its pixels.

    Unlike the loss's, it does not vanish where the network is sure of itself.

    Args:
        classify: A differentiable function from inputs (B, C, H, W) to logits (B, classes), in evaluation mode.
        normalise: `InputNormalisation`; the gradient is with respect to the pixels before it.
    """

    def _score(self, logits: Tensor, labels: Tensor) -> Tensor:
        return logits.gather(1, labels[:, None])[:, 0]


@final
@dataclass(frozen=True)
class GradientSpectrum(SampleSpectra):
    """Power of input gradients per picture, band and channel; over the bands it sums to their mean square.

    Attributes:
        bands: The bands, in cycles per pixel.
        power: (picture, band, channel) float64, in squared units of the score over that of the pixels.
        modes: (band,) int64 modes in the band: a gradient without preference has power in proportion.
        estimator: How the power was found, for records.
    """

    bands: Bands
    power: Tensor
    modes: Tensor
    estimator: str


def gradient_spectrum(
    gradient: Callable[[Any, Any], Any],
    pictures: Tensor | ArrayLike,
    labels: Tensor | ArrayLike,
    *,
    bands: Bands | Sequence[float] | None = None,
    batch: int = 256,
) -> GradientSpectrum:
    """Power per band of radial frequency of the gradient with respect to each picture.

    With g = d score / d pixel of one picture and channel, H x W numbers, P_k = |c_k|^2 / (H W) with c the orthonormal
    coefficients of its even extension (DCT-II), as in `overtone.spectra._grid`, at
    sqrt(f_y^2 + f_x^2) cycles per pixel. To first order a perturbation of norm e in mode k
    changes the score by e |c_k|. The gradient says what an infinitely small change does; piecewise linear networks
    have rough gradients, whose high frequencies matter less for larger changes.

    Args:
        gradient: From pixels (B, C, H, W) and labels (B,) to gradients of the pixels' shape: `ScoreGradient.of_loss`,
            `ScoreGradient.of_logit`, or a function of your own, given NumPy arrays if the pictures are.
        pictures: (N, C, H, W) pixels before normalisation.
        labels: (N,) whole numbers, handed to `gradient`.
        bands: Bands, or ascending edges from 0, in cycles per pixel; None for `Bands.log`.
        batch: Maximum number of pictures per call.

    Raises:
        InputError: If pictures, labels or gradients are not as described.

    Example:
        >>> import torch
        >>> from overtone.spectra.sensitivity import gradient_spectrum
        >>> pictures = torch.zeros(2, 1, 4, 4)
        >>> found = gradient_spectrum(lambda x, labels: torch.ones_like(x), pictures, [0, 1], bands=[0, 0.1, 0.5])
        >>> found.power[0, :2, 0].round(decimals=6).tolist()
        [1.0, 0.0]
    """
    pixels = pictures_of(pictures)
    arrays = not isinstance(pictures, Tensor)
    numbers = class_numbers(labels, torch.iinfo(torch.int64).max, len(pixels)).to(pixels.device)
    if batch < 1:
        raise InputError("at least one picture a call", f"{batch}", "pass a positive number", "batch")
    radial = RadialPower((pixels.shape[2], pixels.shape[3]), bands)
    parts = []
    for some, theirs in zip(pixels.split(batch), numbers.split(batch), strict=True):
        gradients = gradient(some.cpu().numpy(), theirs.cpu().numpy()) if arrays else gradient(some, theirs)
        parts.append(radial.each(_checked(gradients, some)))
    return GradientSpectrum(
        radial.bands, torch.cat(parts), radial.modes, f"input gradient, {radial.estimator}"
    )


def _checked(gradients: Any, pixels: Tensor) -> Tensor:
    """(B, C, H, W) float64 gradients."""
    shape = getattr(gradients, "shape", None)
    if shape is None or tuple(shape) != tuple(pixels.shape):
        raise InputError(
            f"gradients of the pictures' shape {tuple(pixels.shape)}",
            f"a {type(gradients).__name__}" if shape is None else f"{tuple(shape)}",
            "return one number a pixel",
            "gradient",
        )
    tensor = gradients if isinstance(gradients, Tensor) else torch.from_numpy(gradients)
    return outputs(tensor.reshape(len(pixels), -1), len(pixels)).double().reshape(pixels.shape)

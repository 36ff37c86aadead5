"""Spectrum of input gradients: sensitivity of a network's score to small changes per spatial frequency."""

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
    """Power per band of radial frequency sqrt(f_y^2 + f_x^2) for pictures of one size.

    P_k = |c_k|^2 / (H W) with c the orthonormal coefficients of the even extension (DCT-II) of H x W numbers.

    Args:
        size: Height and width in pixels.
        bands: Bands, or ascending edges from 0, in cycles per pixel; None for `Bands.log`.

    Attributes:
        bands: The bands, in cycles per pixel.
        modes: (band,) int64 number of modes per band.
        estimator: Name of the estimator in records.
    """

    def __init__(self, size: tuple[int, int], bands: Bands | Sequence[float] | None = None) -> None:
        lattice = GridModes.of(size, 1.0)
        self.bands = covering(bands, lattice)
        row, column = (lattice.frequencies(axis) for axis in range(2))
        self._index = self.bands.index(torch.hypot(row[:, None], column).flatten())
        self.modes = torch.bincount(self._index, minlength=self.bands.count)
        self.estimator = describe(lattice)

    def per_picture(self, pictures: Tensor) -> Tensor:
        """Return the (N, band, C) float64 power of each picture; it sums over bands to the mean square.

        Args:
            pictures: (N, C, H, W) numbers.
        """
        power = forward(pictures.double().clone(), (2, 3), ()).square().flatten(2)
        total = power.new_zeros(*power.shape[:2], self.bands.count)
        return (total.index_add(2, self._index.to(power.device), power) / power.shape[2]).movedim(1, 2)


class ScoreGradient(ABC):
    """Gradient with respect to the pixels of a score of a network's logits and the labels.

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
        """Return the gradient of each picture's cross-entropy loss.

        Args:
            classify: Differentiable function from inputs (B, C, H, W) to logits (B, classes), in evaluation
                mode.
            normalise: Normalisation after the pixels with respect to which the gradient is computed.
        """
        return LossGradient(classify, normalise)

    @staticmethod
    def of_logit(classify: Callable[[Tensor], Any], normalise: InputNormalisation) -> ScoreGradient:
        """Return the gradient of the logit of each picture's label, which does not vanish at high confidence.

        Args:
            classify: Differentiable function from inputs (B, C, H, W) to logits (B, classes), in evaluation
                mode.
            normalise: Normalisation after the pixels with respect to which the gradient is computed.
        """
        return LogitGradient(classify, normalise)

    def __init__(self, classify: Callable[[Tensor], Any], normalise: InputNormalisation) -> None:
        self._classify = classify
        self._normalise = normalise

    def __call__(self, pixels: Tensor, labels: Tensor) -> Tensor:
        """Return the (B, C, H, W) gradients, without gradients of the network's parameters.

        Args:
            pixels: (B, C, H, W) pixels before normalisation.
            labels: (B,) classes from 0.

        Raises:
            InputError: If the network's outputs are not logits or are not differentiable with respect to the
                pixels.
        """
        with torch.enable_grad():
            inputs = pixels.detach().requires_grad_()
            logits = self._classify(self._normalise.apply(inputs))
            valid_logits = outputs(logits, len(pixels))
            numbers = class_numbers(labels, valid_logits.shape[1], len(pixels)).to(valid_logits.device)
            if not logits.requires_grad:
                raise InputError(
                    "logits that PyTorch can differentiate",
                    "logits without a graph",
                    "do not use no_grad, detach or NumPy, or pass a function that returns the gradient",
                    "function",
                )
            return torch.autograd.grad(self._score(logits, numbers).sum(), inputs)[0]

    @abstractmethod
    def _score(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the (B,) scores to differentiate."""


@final
class LossGradient(ScoreGradient):
    """Gradient of each picture's cross-entropy loss with respect to its pixels.

    Args:
        classify: Differentiable function from inputs (B, C, H, W) to logits (B, classes), in evaluation mode.
        normalise: `InputNormalisation` after the pixels with respect to which the gradient is computed.
    """

    def _score(self, logits: Tensor, labels: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(logits, labels, reduction="none")


@final
class LogitGradient(ScoreGradient):
    """Gradient of the logit of each picture's labelled class with respect to its pixels.

    Unlike the gradient of the loss, it does not vanish where the network is confident.

    Args:
        classify: Differentiable function from inputs (B, C, H, W) to logits (B, classes), in evaluation mode.
        normalise: `InputNormalisation` after the pixels with respect to which the gradient is computed.
    """

    def _score(self, logits: Tensor, labels: Tensor) -> Tensor:
        return logits.gather(1, labels[:, None])[:, 0]


@final
@dataclass(frozen=True)
class GradientSpectrum(SampleSpectra):
    """Power of input gradients per picture, band and channel; it sums over bands to their mean square.

    Attributes:
        bands: The bands, in cycles per pixel.
        power: (picture, band, channel) float64, in squared units of the score over that of the pixels.
        modes: (band,) int64 number of modes per band; the power of a white gradient is proportional to it.
        estimator: Name of the estimator in records.
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
    """Measure the power per band of radial frequency of the gradient with respect to each picture.

    With g = d score / d pixel of one picture and channel, H x W numbers, P_k = |c_k|^2 / (H W) at sqrt(f_y^2
    + f_x^2) cycles per pixel, with c the orthonormal coefficients of the even extension (DCT-II), as in
    `overtone.spectra.grid`. To first order, a perturbation of norm e in mode k changes the score by e |c_k|.
    The gradient describes infinitesimal changes; piecewise linear networks have rough gradients, whose high
    frequencies are less relevant to larger changes.

    Args:
        gradient: Function from pixels (B, C, H, W) and labels (B,) to gradients of the pixels' shape:
            `ScoreGradient.of_loss`, `ScoreGradient.of_logit`, or a custom function, which receives NumPy
            arrays if the pictures are arrays.
        pictures: (N, C, H, W) pixels before normalisation.
        labels: (N,) whole numbers, passed to `gradient`.
        bands: Bands, or ascending edges from 0, in cycles per pixel; None for `Bands.log`.
        batch: Maximum number of pictures per call.

    Raises:
        InputError: If pictures, labels or gradients do not have the required form.

    Example:
        >>> import torch
        >>> from overtone.spectra.sensitivity import gradient_spectrum
        >>> pictures = torch.zeros(2, 1, 4, 4)
        >>> def ones(x, labels):
        ...     return torch.ones_like(x)
        >>> spectrum = gradient_spectrum(ones, pictures, [0, 1], bands=[0, 0.1, 0.5])
        >>> spectrum.power[0, :2, 0].round(decimals=6).tolist()
        [1.0, 0.0]
    """
    pixels = pictures_of(pictures)
    arrays = not isinstance(pictures, Tensor)
    numbers = class_numbers(labels, torch.iinfo(torch.int64).max, len(pixels)).to(pixels.device)
    if batch < 1:
        raise InputError("at least one picture per call", f"{batch}", "pass a positive number", "batch")
    radial = RadialPower((pixels.shape[2], pixels.shape[3]), bands)
    parts = []
    for batch_pixels, batch_labels in zip(pixels.split(batch), numbers.split(batch), strict=True):
        gradients = (
            gradient(batch_pixels.cpu().numpy(), batch_labels.cpu().numpy())
            if arrays
            else gradient(batch_pixels, batch_labels)
        )
        parts.append(radial.per_picture(_checked(gradients, batch_pixels)))
    return GradientSpectrum(
        radial.bands, torch.cat(parts), radial.modes, f"input gradient, {radial.estimator}"
    )


def _checked(gradients: Any, pixels: Tensor) -> Tensor:
    """Validate gradients and convert them to (B, C, H, W) float64."""
    shape = getattr(gradients, "shape", None)
    if shape is None or tuple(shape) != tuple(pixels.shape):
        raise InputError(
            f"gradients of the pictures' shape {tuple(pixels.shape)}",
            f"a {type(gradients).__name__}" if shape is None else f"{tuple(shape)}",
            "return one number per pixel",
            "gradient",
        )
    tensor = gradients if isinstance(gradients, Tensor) else torch.from_numpy(gradients)
    return outputs(tensor.reshape(len(pixels), -1), len(pixels)).double().reshape(pixels.shape)

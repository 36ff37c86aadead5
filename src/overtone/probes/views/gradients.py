"""The view of the spatial frequencies at which a small change of a picture changes a network's answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.probes.samples import Batch, Samples
from overtone.probes.view import Row
from overtone.probes.views.measured import Measure, MeasuredView
from overtone.spectra import Bands
from overtone.spectra._outputs import class_numbers
from overtone.spectra.sensitivity import LossGradient, Normalise, RadialPower
from overtone.spectra.sensitivity._classifier import pictures_of

Score = Callable[[Callable[[Tensor], Any], Normalise], Callable[[Tensor, Tensor], Tensor]]
"""From a network and a normalisation to the gradient for pixels and labels: `LossGradient`, `LogitGradient`."""


def gradients(
    pictures: Any,
    labels: Any,
    *,
    normalise: Normalise,
    score: Score = LossGradient,
    bands: Bands | Sequence[float] | None = None,
    name: str = "gradients",
) -> MeasuredView:
    """Watch the spectrum of the input gradient, by `spectra.sensitivity.gradient_spectrum`.

    There is nothing to compare it with: `residual_power` is the mean power of the gradient itself, in squared units of
    the score over those of the pixels, and the record's target power is 0.

    Args:
        pictures: (N, C, H, W) pixels before normalisation.
        labels: (N,) true classes from 0.
        normalise: What is done to the pixels before the network sees them: `Standardise(mean, std)` or `AsIs()`.
        score: What is differentiated: `LossGradient` or `LogitGradient`.
        bands: Bands in cycles per pixel.
        name: Names the record.

    Raises:
        InputError: If pictures or labels are not as described.
    """
    pixels = pictures_of(pictures)
    numbers = class_numbers(labels, torch.iinfo(torch.int64).max, len(pixels)).to(pixels.device)
    size = (pixels.shape[2], pixels.shape[3])
    radial = RadialPower(size, bands)
    return MeasuredView(
        Gradients(pixels, numbers, normalise, score),
        GradientPower(radial, pixels.shape[1:]),
        name=name,
        attrs={
            "estimator": f"input gradient, {radial.estimator}",
            "frequency_unit": "cycles per pixel",
            "kind": "sensitivity",
            "nyquist": [0.5, 0.5],
            "geometry": {"samples": len(pixels), "shape": list(size)},
        },
    )


@final
class Gradients(Samples):
    """Pictures and labels, of which the gradient with respect to the pixels is read instead of the outputs.

    Args:
        pixels: (N, C, H, W) pictures.
        labels: (N,) true classes.
        normalise: Applied before the network, inside the gradient.
        score: What is differentiated.
    """

    def __init__(self, pixels: Tensor, labels: Tensor, normalise: Normalise, score: Score) -> None:
        self._batch = Batch((pixels, labels))
        self._normalise, self._score = normalise, score

    @property
    def count(self) -> int:
        """Number of pictures."""
        return self._batch.count

    def take(self, begin: int, end: int, device: torch.device, dtype: torch.dtype | None) -> Any:
        """Pixels and labels."""
        return self._batch.take(begin, end, device, dtype)

    def arrays(self) -> Any:
        """Pixels and labels; what is observed of them are gradients of the pixels' shape."""
        return self._batch.arrays()

    def answer(self, network: nn.Module, call: Callable[[Any], Any], given: Any) -> Tensor:
        """(B, C, H, W) gradients; the parameters get none."""
        del network
        return self._score(call, self._normalise)(*given)


@final
class GradientPower(Measure):
    """Mean power of gradients per band of radial frequency.

    Args:
        radial: For the pictures' size.
        shape: Channels, height and width.
    """

    def __init__(self, radial: RadialPower, shape: Sequence[int]) -> None:
        self._radial, self._shape = radial, tuple(shape)
        self.bands, self.channels = radial.bands, tuple(str(c) for c in range(shape[0]))
        self.target_power = np.zeros((radial.bands.count, shape[0]))

    def check(self, outputs: Tensor) -> None:
        """Refuse what is not one number a pixel."""
        if tuple(outputs.shape[1:]) != self._shape:
            raise InputError(
                f"gradients of shape (pictures, {', '.join(map(str, self._shape))})",
                f"{tuple(outputs.shape)}",
                "return one number a pixel",
                "score",
            )

    def row(self, outputs: Tensor) -> Row:
        """Their power; none of it is shared with a target."""
        power = self._radial.each(outputs).mean(0).numpy()
        return {"residual_power": power, "cross_power": np.zeros_like(power)}

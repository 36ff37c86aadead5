"""Loss that asks for the right amplitude and for coherence in each band of frequency, and does not reward blur."""

from __future__ import annotations

from typing import Protocol, final

import torch
from torch import Tensor, nn

from overtone.errors import InputError


class PowerTransform(Protocol):
    """A transform of fields with channels last to power per band, such as those of `overtone.spectra`."""

    def coefficients(self, values: Tensor) -> Tensor:
        """Return coefficients, linear in (*space, C) values."""
        ...

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """Return the (band, C) cross power."""
        ...


@final
class AmplitudeCoherence(nn.Module):
    """Mean square error of which the decorrelated part is not lowered by a smaller amplitude.

    With Pf and Pg the power of prediction and target in a band and coh their coherence, the loss of a field is

        sum over bands of (sqrt Pf - sqrt Pg)^2 + 2 max(Pf, Pg) (1 - coh),

    averaged over samples and channels (Subich et al. 2025, arXiv 2501.19374). With sqrt(Pf Pg) in place of the maximum
    it would be the mean square error, whose optimum under uncertainty has too little power. It equals the mean square
    error where the amplitudes or the phases are right, if the transform closes. Its optimum has the power of the
    target, which costs mean square error: power is added, but no skill (the coherence stays).

    Args:
        transform: Transform of one field, such as `spectra.GridTransform` or `spectra.SphereTransform`.
        epsilon: Power per band, relative to the target's, that is added to all powers; it bounds the gradient near a
            prediction without power, where it should still be clipped.

    Raises:
        InputError: If `epsilon` is not positive.

    Example:
        >>> import torch
        >>> from overtone import nn, spectra
        >>> loss = nn.losses.AmplitudeCoherence(spectra.GridTransform((8,), periodic=True))
        >>> wave = torch.cos(2 * torch.pi * torch.arange(8) / 8)[None, None]
        >>> round(float(loss(0.5 * wave, wave)), 4), round(float(loss(-wave, wave)), 4)
        (0.125, 2.0)
    """

    def __init__(self, transform: PowerTransform, epsilon: float = 1e-10) -> None:
        super().__init__()
        if not epsilon > 0:
            raise InputError("a positive number", f"{epsilon}", "pass for instance 1e-10", "epsilon")
        self._transform, self._epsilon = transform, epsilon

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss, a scalar in squared units of the value.

        Args:
            prediction: (sample, channel, *space) values.
            target: Values of the same shape.

        Raises:
            InputError: If the shapes differ.
        """
        if prediction.shape != target.shape:
            raise InputError(
                f"a prediction of the target's shape {tuple(target.shape)}",
                f"{tuple(prediction.shape)}",
                "pass the same samples of both",
                "prediction",
            )
        forecast, truth = (
            self._transform.coefficients(values.flatten(0, 1).movedim(0, -1))
            for values in (prediction, target)
        )
        true_power = self._transform.cross(truth, truth)
        # A square root of zero has no gradient.
        floor = self._epsilon * true_power.sum(0).clamp(min=torch.finfo(true_power.dtype).tiny)
        power, true_power = self._transform.cross(forecast, forecast) + floor, true_power + floor
        root, true_root = power.sqrt(), true_power.sqrt()
        coherence = (self._transform.cross(forecast, truth) + floor) / (root * true_root)
        bands = (root - true_root).square() + 2 * torch.maximum(power, true_power) * (1 - coherence)
        return bands.sum(0).mean().to(prediction.dtype)

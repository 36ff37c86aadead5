"""Losses with a weight per frequency band, fixed or adapted to the bands' errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.nn.losses._spectral import GridBasis, SpectralLoss, scale_to_residual, scale_to_white
from overtone.units._frequency import positive


@final
class BandWeighted(SpectralLoss):
    """A loss with a fixed weight per frequency band, w_k the weight of the band of mode k.

    The weights are scaled to a mean of 1 over the modes, so that the loss of a white residual is its mean square. A
    weight of zero excludes a band.

    Args:
        basis: The grid's transform; its bands are those of the weights.
        weights: (band,) or (band, channel) numbers of at least zero, not all zero; only their ratios matter.

    Raises:
        InputError: If there is not one weight per band, a weight is negative or not finite, or all are zero.

    Example:
        >>> import torch
        >>> from overtone import nn, spectra
        >>> basis = spectra.GridTransform((8,), periodic=True, bands=[0, 0.5, 2.5, 4.5])
        >>> loss = nn.losses.BandWeighted(basis, weights=[0.0, 1.0, 0.0])
        >>> round(loss(torch.ones(8, 1), torch.zeros(8, 1)).item(), 6)  # the mean lies in the first band
        0.0
    """

    weight: Tensor

    def __init__(self, basis: GridBasis, weights: Tensor | Sequence[float]) -> None:
        super().__init__(basis)
        table = per_band(weights, basis, "weights")
        if not bool((table.sum(0) > 0).all()):
            raise InputError(
                "a weight above zero",
                "zeros alone",
                "pass a weight above zero for at least one band",
                "weights",
            )
        mode_weights = table[basis.mode_band]
        self.register_buffer("weight", scale_to_white(mode_weights, self.modes), persistent=False)

    def weights(self, power: Tensor) -> Tensor:
        """Return the fixed weights (*stored, 1 or C)."""
        return self.weight.to(power)


def per_band(values: Tensor | Sequence[float], basis: GridBasis, name: str) -> Tensor:
    """Return checked numbers per band as (band, 1 or channel) float64.

    Raises:
        InputError: If there is not one per band, or one is negative or not finite.
    """
    table = torch.as_tensor(values, dtype=torch.float64, device="cpu").detach()
    if table.ndim not in (1, 2) or table.shape[0] != len(basis.modes):
        raise InputError(
            f"one of the {name} per band ({len(basis.modes)}), and per channel if they differ",
            f"shape {tuple(table.shape)}",
            "pass (band,) or (band, channel) numbers",
            name,
        )
    if not bool((table.isfinite() & (table >= 0)).all()):
        raise InputError(
            f"finite {name} of at least zero", f"{table.tolist()}", f"correct the {name} of the bands", name
        )
    return table.unsqueeze(-1) if table.ndim == 1 else table


@final
class BandFollowing(SpectralLoss):
    """A loss whose band weights follow the relative error, w_b ~ (max(R_b - noise_b, 0) / max(T_b, floor T))^exponent.

    R_b is the power of the residual in the band, averaged over steps as R <- memory R + (1 - memory) R_now, starting
    with the first residual; T_b is the power of the target and T that of all bands, so that a band of hardly any power
    cannot dominate. A band whose error is at the noise level has the weight zero until its error grows again. The
    weights are scaled at every step so that the loss of the current residual is its mean square; if all bands are at
    the noise level, the loss is the mean square.

    Args:
        basis: The grid's transform; its bands are those of the weights.
        target_power: (band,) or (band, channel) power of the target, in squared units of the values.
        noise_power: Power of the noise, of the same shape; None for no noise.
        exponent: Exponent of the relative error; 0 is the mean square of the bands above the noise.
        floor: Smallest power of a band in the denominator, as a share of the target's power.
        memory: Weight of the past in the average, in [0, 1). The average is updated in training mode only.

    Raises:
        InputError: If there is not one power per band, a number is impossible, or no band has target power above the
            noise.

    Example:
        >>> import torch
        >>> from overtone import nn, spectra
        >>> basis = spectra.GridTransform((16,), periodic=True)
        >>> target = torch.cos(2 * torch.pi * torch.arange(16) / 16)[:, None]
        >>> loss = nn.losses.BandFollowing(basis, basis.power(basis.coefficients(target)))
        >>> round(loss(2 * target, target).item(), 4)  # the mean square of the residual
        0.5
    """

    band: Tensor
    target_power: Tensor
    noise_power: Tensor
    error: Tensor

    def __init__(
        self,
        basis: GridBasis,
        target_power: Tensor | Sequence[float],
        noise_power: Tensor | Sequence[float] | None = None,
        exponent: float = 1.0,
        floor: float = 1e-3,
        memory: float = 0.9,
    ) -> None:
        super().__init__(basis)
        if not (math.isfinite(exponent) and exponent >= 0):
            raise InputError(
                "an exponent of at least zero", f"{exponent}", "pass for instance 1.0", "exponent"
            )
        if not 0 <= memory < 1:
            raise InputError("a memory in [0, 1)", f"{memory}", "pass 0.9, or 0 for none", "memory")
        target = per_band(target_power, basis, "target_power")
        noise = (
            torch.zeros_like(target) if noise_power is None else per_band(noise_power, basis, "noise_power")
        )
        target, noise = torch.broadcast_tensors(target, noise)
        if not bool((target > noise).any()):
            raise InputError(
                "a band with more target power than noise",
                "none",
                "use the mean square error instead, or check the noise power",
                "target_power",
            )
        self.exponent, self.memory = float(exponent), float(memory)
        self.floor = positive(floor, "floor")
        self.register_buffer("band", basis.mode_band.flatten(), persistent=False)
        self.register_buffer("target_power", target.contiguous())
        self.register_buffer("noise_power", noise.contiguous())
        self.register_buffer("error", torch.full_like(target, math.nan).contiguous())

    def weights(self, power: Tensor) -> Tensor:
        """Return the weight (*stored, C) of the band of each mode."""
        channels = power.shape[-1]
        band_power = power.new_zeros(len(self.basis.modes), channels)
        # `power` is divided by N C; times C it sums to the mean square of each channel.
        band_power.index_add_(0, self.band, power.reshape(-1, channels) * channels)
        smoothed = self._average(band_power)
        denominator = torch.maximum(self.target_power, self.floor * self.target_power.sum(0))
        # Dividing by the largest first keeps a large exponent from overflowing.
        relative = (smoothed - self.noise_power).clamp(min=0) / denominator.clamp(min=1e-300)
        scaled = relative / relative.amax().clamp(min=1e-300)
        mode_weights = torch.where(relative > 0, scaled**self.exponent, torch.zeros_like(scaled))
        return scale_to_residual(
            mode_weights[self.band].reshape(*power.shape[:-1], -1).expand(power.shape), power
        )

    def _average(self, current: Tensor) -> Tensor:
        """Return the averaged residual power (band, 1 or C); one for all channels if the target has one."""
        mode_weights = current if self.error.shape[1] == current.shape[1] else current.mean(1, keepdim=True)
        if self.error.shape[1] != mode_weights.shape[1]:
            raise InputError(
                f"values of {self.error.shape[1]} channels",
                f"{current.shape[1]}",
                "pass target_power with one column per channel",
                "BandFollowing",
            )
        # NaN marks that there is no previous step; `where` decides without a synchronisation with the device.
        previous = torch.where(self.error.isnan(), mode_weights, self.error)
        smoothed = self.memory * previous + (1 - self.memory) * mode_weights
        if self.training:
            self.error.copy_(smoothed)
        return smoothed

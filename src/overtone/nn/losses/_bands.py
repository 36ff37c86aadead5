"""Losses with one weight a band, fixed or adapted to the bands' errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.nn.losses._spectral import GridBasis, SpectralLoss, present, white
from overtone.units._frequency import positive


@final
class BandWeighted(SpectralLoss):
    """w_k is the weight of the band that holds mode k, with a mean weight of 1 over the modes.

    White: a residual of equal power at all modes has its mean square as loss. Weights of zero hide a band.

    Args:
        basis: The grid's transform; its `bands` are the bands.
        weights: (band,) or (band, channel) numbers of at least zero, not all zero; only their ratios matter.

    Raises:
        InputError: If there is not one weight per band, or they are not of this kind.
    """

    weight: Tensor

    def __init__(self, basis: GridBasis, weights: Tensor | Sequence[float]) -> None:
        super().__init__(basis)
        table = per_band(weights, basis, "weights")
        if not bool((table.sum(0) > 0).all()):
            raise InputError("a weight above zero", "zeros alone", "weigh at least one band", "weights")
        mode_weights = table[basis.mode_band]
        self.register_buffer("weight", white(mode_weights, self.modes), persistent=False)

    def weights(self, power: Tensor) -> Tensor:
        """(*stored, 1 or C), always the same."""
        return self.weight.to(power)


def per_band(values: Tensor | Sequence[float], basis: GridBasis, name: str) -> Tensor:
    """(band, 1 or channel) float64 numbers of at least zero.

    Raises:
        InputError: If they are not one per band, finite and at least zero.
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
        raise InputError(f"finite {name} of at least zero", f"{table.tolist()}", "check them", name)
    return table.unsqueeze(-1) if table.ndim == 1 else table


@final
class BandFollowing(SpectralLoss):
    """Each band weighs as what is still unlearned of it, w_b ~ (max(R_b - noise_b, 0) / max(T_b, floor T))^exponent.

    R_b is the residual's power in the band, averaged over steps as R <- memory R + (1 - memory) R_now from the
    first on; T_b the target's power and T that of all bands, so that a band with next to nothing in it cannot
    outweigh the rest. A band whose error is down to the noise weighs nothing until its error grows again.
    Present: the loss of the present residual is its mean square at every step; if no band has anything left to
    learn, the loss is the mean square.

    Args:
        basis: The grid's transform; its `bands` are the bands.
        target_power: (band,) or (band, channel) power of the target, in squared units of what is compared.
        noise_power: The same of the noise, or None for none.
        exponent: How strongly weights follow; 0 is the mean square of the bands above the noise.
        floor: Share of the target's power that every band is taken to have at least.
        memory: Share of the past in the average, in [0, 1). The average moves in training mode only.

    Raises:
        InputError: If there is not one power per band, a number is impossible, or no band has target power above the
            noise.
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
            raise InputError("an exponent of at least zero", f"{exponent}", "pass 1, or 0", "exponent")
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
                "use the plain mean square",
                "target_power",
            )
        self.exponent, self.memory = float(exponent), float(memory)
        self.floor = positive(floor, "floor")
        self.register_buffer("band", basis.mode_band.flatten(), persistent=False)
        self.register_buffer("target_power", target.contiguous())
        self.register_buffer("noise_power", noise.contiguous())
        self.register_buffer("error", torch.full_like(target, math.nan).contiguous())

    def weights(self, power: Tensor) -> Tensor:
        """(*stored, C), the weight of each mode's band."""
        channels = power.shape[-1]
        shown = power.new_zeros(len(self.basis.modes), channels)
        shown.index_add_(0, self.band, power.reshape(-1, channels) * channels)
        smooth = self._average(shown)
        minimum = torch.maximum(self.target_power, self.floor * self.target_power.sum(0))
        relative = (smooth - self.noise_power).clamp(min=0) / minimum.clamp(min=1e-300)
        scaled = relative / relative.amax().clamp(min=1e-300)
        mode_weights = torch.where(relative > 0, scaled**self.exponent, torch.zeros_like(scaled))
        return present(mode_weights[self.band].reshape(*power.shape[:-1], -1).expand(power.shape), power)

    def _average(self, now: Tensor) -> Tensor:
        """(band, 1 or C) residual power with the past in it; one for all channels if the target's is."""
        mode_weights = now if self.error.shape[1] == now.shape[1] else now.mean(1, keepdim=True)
        if self.error.shape[1] != mode_weights.shape[1]:
            raise InputError(
                f"values of {self.error.shape[1]} channels",
                f"{now.shape[1]}",
                "pass the power of the target per channel",
                "BandFollowing",
            )
        past = torch.where(self.error.isnan(), mode_weights, self.error)
        smooth = self.memory * past + (1 - self.memory) * mode_weights
        if self.training:
            self.error.copy_(smooth)
        return smooth

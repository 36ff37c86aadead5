"""Periodic activations: sine (SIREN), FINER and sinc."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from overtone import units
from overtone.nn.activations._base import SpectralActivation, fill, widened
from overtone.units._bandwidth import finer_bandwidth, sinc_bandwidth
from overtone.units._frequency import positive


@final
class Sine(SpectralActivation):
    """sin(omega z), with the initialisation that keeps activations alike at every depth.

    First layer W ~ U(-1/n, 1/n), later ones and the output W ~ U(-sqrt(6/n)/omega, sqrt(6/n)/omega), biases
    as PyTorch leaves them (Sitzmann et al. 2020, section 3.2, and the reference code). The inputs should lie
    in [-1, 1].

    Args:
        omega: The factor inside the sine, in radians per unit of z. 30 suits small pictures; it is not a law:
            recordings need thousands in the first layer.

    Raises:
        InputError: If `omega` is not positive and finite.
    """

    def __init__(self, omega: float = 30.0) -> None:
        super().__init__()
        self.omega = positive(omega, "omega")

    @staticmethod
    def from_bandwidth(bandwidth: float, inputs: int) -> Sine:
        """The activation of a first layer that reaches `bandwidth` along each of `inputs` axes.

        Args:
            bandwidth: In cycles per unit of the coordinate in [-1, 1].
            inputs: Number of coordinates.

        Returns:
            The activation.

        Raises:
            InputError: If `bandwidth` is not positive and finite, or `inputs` is below 1.
        """
        return Sine(units.sine_omega(bandwidth, inputs))

    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer of `inputs` coordinates, in cycles per unit of them."""
        return units.sine_bandwidth(self.omega, inputs)

    def scaled(self, factor: float) -> Sine:
        """With omega times `factor`."""
        return Sine(self.omega * factor)

    def forward(self, z: Tensor) -> Tensor:
        """sin(omega z) in the precision of z, its argument in float32 at least."""
        return torch.sin(self.omega * widened(z)).to(z.dtype)

    def initialise_first(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Weights U(-1/n, 1/n), which put frequencies up to omega / (2 pi n) on each axis."""
        fill(linear, 1 / linear.in_features, source)

    def initialise_later(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Weights U(-sqrt(6/n)/omega, sqrt(6/n)/omega), which bring omega z to a standard deviation of 1."""
        fill(linear, math.sqrt(6 / linear.in_features) / self.omega, source)

    def extra_repr(self) -> str:
        """The factor, for printing."""
        return f"omega={self.omega:g}"


@final
class Finer(SpectralActivation):
    """sin(omega (|z| + 1) z): the further from zero, the higher the frequency, so first biases choose the band.

    Weights begin as in SIREN, first biases ~ U(-k, k), later ones as PyTorch leaves them (Liu et al. 2024, FINER,
    section 3). Gradients are those of the function. The reference code takes |z| + 1 as constant in them, which
    `detached` repeats; derivatives with respect to coordinates are wrong then.

    Args:
        omega: In radians per unit of z.
        bias: k, the largest first bias; larger ones reach higher frequencies.
        detached: Whether |z| + 1 is a constant to the gradient.

    Raises:
        InputError: If `omega` or `bias` is not positive and finite.
    """

    def __init__(self, omega: float = 30.0, bias: float = 1.0, detached: bool = False) -> None:
        super().__init__()
        self.omega, self.bias = positive(omega, "omega"), positive(bias, "bias")
        self.detached = detached

    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer; see `finer_bandwidth`."""
        return finer_bandwidth(self.omega, self.bias, inputs)

    def scaled(self, factor: float) -> Finer:
        """With omega times `factor`."""
        return Finer(self.omega * factor, self.bias, self.detached)

    def forward(self, z: Tensor) -> Tensor:
        """sin(omega (|z| + 1) z) in the precision of z."""
        wide = widened(z)
        period = wide.detach().abs() + 1 if self.detached else wide.abs() + 1
        return torch.sin(self.omega * period * wide).to(z.dtype)

    def initialise_first(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Weights U(-1/n, 1/n), biases U(-k, k)."""
        fill(linear, 1 / linear.in_features, source, self.bias)

    def initialise_later(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Weights U(-sqrt(6/n)/omega, sqrt(6/n)/omega)."""
        fill(linear, math.sqrt(6 / linear.in_features) / self.omega, source)

    def extra_repr(self) -> str:
        """The factors, for printing."""
        return f"omega={self.omega:g}, bias={self.bias:g}" + (", detached" if self.detached else "")


@final
class Sinc(SpectralActivation):
    """sin(omega z) / (omega z), 1 at z = 0; all its frequencies up to omega / (2 pi) have one amplitude.

    Layers begin as PyTorch leaves them (Ramasinghe & Lucey 2022; Saratchandran et al. 2024, who show that its shifts
    span the band-limited signals). The factor is to be chosen per signal; 30 is no more than a start.

    Args:
        omega: In radians per unit of z.

    Raises:
        InputError: If `omega` is not positive and finite.
    """

    def __init__(self, omega: float = 30.0) -> None:
        super().__init__()
        self.omega = positive(omega, "omega")

    def bandwidth(self, inputs: int) -> float:
        """Bandwidth per axis of a first layer; see `sinc_bandwidth`."""
        return sinc_bandwidth(self.omega, inputs)

    def scaled(self, factor: float) -> Sinc:
        """With omega times `factor`."""
        return Sinc(self.omega * factor)

    def forward(self, z: Tensor) -> Tensor:
        """sin(omega z) / (omega z) in the precision of z."""
        return torch.sinc(self.omega / math.pi * widened(z)).to(z.dtype)

    def extra_repr(self) -> str:
        """The factor, for printing."""
        return f"omega={self.omega:g}"

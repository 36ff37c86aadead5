"""Periodic activations: sine (SIREN), FINER and sinc."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from overtone import units
from overtone.nn.activations._base import SpectralActivation, initialise_uniform, to_float32_at_least
from overtone.units._bandwidth import finer_bandwidth, sinc_bandwidth
from overtone.units._frequency import positive


@final
class Sine(SpectralActivation):
    """The sine sin(omega z) of SIREN, whose initialisation gives all layers the same distribution of activations.

    First layer W ~ U(-1/n, 1/n), later layers and the output W ~ U(-sqrt(6/n)/omega, sqrt(6/n)/omega), biases by
    PyTorch's default (Sitzmann et al. 2020, section 3.2, and the reference code). The inputs should lie in [-1, 1].

    Args:
        omega: The factor inside the sine, in radians per unit of z. 30 suits small images; audio recordings need
            thousands in the first layer.

    Raises:
        InputError: If `omega` is not positive and finite.

    Example:
        >>> from overtone import nn
        >>> siren = nn.MLP(2, 3, width=64, activation=nn.activations.Sine(30.0))
        >>> [round(b, 2) for b in siren.bandwidth]
        [2.15, 2.15]
    """

    def __init__(self, omega: float = 30.0) -> None:
        super().__init__()
        self.omega = positive(omega, "omega")

    @staticmethod
    def from_bandwidth(bandwidth: float, inputs: int) -> Sine:
        """Return the activation of a first layer with the bandwidth `bandwidth` along each of `inputs` axes.

        Args:
            bandwidth: In cycles per unit of the coordinate in [-1, 1].
            inputs: Number of coordinates.

        Raises:
            InputError: If `bandwidth` is not positive and finite, or `inputs` is below 1.

        Example:
            >>> from overtone.nn.activations import Sine
            >>> Sine.from_bandwidth(20.0, inputs=2)
            Sine(omega=279.253)
        """
        return Sine(units.sine_omega(bandwidth, inputs))

    def bandwidth(self, inputs: int) -> float:
        """Return the bandwidth of a first layer along each axis; see `units.sine_bandwidth`."""
        return units.sine_bandwidth(self.omega, inputs)

    def scaled(self, factor: float) -> Sine:
        """Return the activation with `omega` multiplied by `factor`."""
        return Sine(self.omega * factor)

    def forward(self, z: Tensor) -> Tensor:
        """Return sin(omega z) in the precision of z, its argument in float32 at least."""
        return torch.sin(self.omega * to_float32_at_least(z)).to(z.dtype)

    def initialise_first(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Initialise weights ~ U(-1/n, 1/n), which puts frequencies up to omega / (2 pi n) on each axis."""
        initialise_uniform(linear, 1 / linear.in_features, source)

    def initialise_later(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Initialise weights ~ U(-sqrt(6/n)/omega, sqrt(6/n)/omega), which gives omega z unit variance."""
        initialise_uniform(linear, math.sqrt(6 / linear.in_features) / self.omega, source)

    def extra_repr(self) -> str:
        """Return the parameters that `repr` shows."""
        return f"omega={self.omega:g}"


@final
class Finer(SpectralActivation):
    """The variable-period sine sin(omega (|z| + 1) z), whose frequency grows with |z|.

    Large biases of the first layer shift its units to high frequencies.

    Weights are initialised as in SIREN, biases of the first layer ~ U(-k, k), later ones by PyTorch's default (Liu et
    al. 2024, FINER, section 3). Gradients are those of the function. The reference code treats |z| + 1 as a constant in
    its gradients, as `detached` does; derivatives with respect to coordinates are then wrong.

    Args:
        omega: In radians per unit of z.
        bias: k, the bound of the first biases; a larger k gives a higher bandwidth.
        detached: Whether the gradient treats |z| + 1 as a constant.

    Raises:
        InputError: If `omega` or `bias` is not positive and finite.

    Example:
        >>> from overtone.nn.activations import Finer, Sine
        >>> Finer(30.0, bias=5.0).bandwidth(inputs=2) > 5 * Sine(30.0).bandwidth(inputs=2)
        True
    """

    def __init__(self, omega: float = 30.0, bias: float = 1.0, detached: bool = False) -> None:
        super().__init__()
        self.omega, self.bias = positive(omega, "omega"), positive(bias, "bias")
        self.detached = detached

    def bandwidth(self, inputs: int) -> float:
        """Return the bandwidth of a first layer along each axis; see `finer_bandwidth`."""
        return finer_bandwidth(self.omega, self.bias, inputs)

    def scaled(self, factor: float) -> Finer:
        """Return the activation with `omega` multiplied by `factor`."""
        return Finer(self.omega * factor, self.bias, self.detached)

    def forward(self, z: Tensor) -> Tensor:
        """Return sin(omega (|z| + 1) z) in the precision of z."""
        wide = to_float32_at_least(z)
        # |z| has no second derivative at 0; the product |z| z has a continuous first one.
        stretch = wide.detach().abs() + 1 if self.detached else wide.abs() + 1
        return torch.sin(self.omega * stretch * wide).to(z.dtype)

    def initialise_first(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Initialise weights ~ U(-1/n, 1/n) and biases ~ U(-k, k)."""
        initialise_uniform(linear, 1 / linear.in_features, source, self.bias)

    def initialise_later(self, linear: nn.Linear, source: torch.Generator) -> None:
        """Initialise weights ~ U(-sqrt(6/n)/omega, sqrt(6/n)/omega)."""
        initialise_uniform(linear, math.sqrt(6 / linear.in_features) / self.omega, source)

    def extra_repr(self) -> str:
        """Return the parameters that `repr` shows."""
        return f"omega={self.omega:g}, bias={self.bias:g}" + (", detached" if self.detached else "")


@final
class Sinc(SpectralActivation):
    """The cardinal sine sin(omega z) / (omega z), whose spectrum is flat up to omega / (2 pi) and zero above.

    Layers have PyTorch's default initialisation (Ramasinghe & Lucey 2022; Saratchandran et al. 2024, who show that
    its shifts span the band-limited signals). Choose `omega` for each signal; the default is only a starting point.

    Args:
        omega: In radians per unit of z.

    Raises:
        InputError: If `omega` is not positive and finite.

    Example:
        >>> import math, torch
        >>> from overtone.nn.activations import Sinc
        >>> Sinc(math.pi)(torch.tensor([0.0, 0.5, 1.0])).round(decimals=4).abs()
        tensor([1.0000, 0.6366, 0.0000])
    """

    def __init__(self, omega: float = 30.0) -> None:
        super().__init__()
        self.omega = positive(omega, "omega")

    def bandwidth(self, inputs: int) -> float:
        """Return the bandwidth of a first layer along each axis; see `sinc_bandwidth`."""
        return sinc_bandwidth(self.omega, inputs)

    def scaled(self, factor: float) -> Sinc:
        """Return the activation with `omega` multiplied by `factor`."""
        return Sinc(self.omega * factor)

    def forward(self, z: Tensor) -> Tensor:
        """Return sin(omega z) / (omega z) in the precision of z."""
        # torch.sinc(x) is sin(pi x) / (pi x), with the limit 1 at x = 0.
        return torch.sinc(self.omega / math.pi * to_float32_at_least(z)).to(z.dtype)

    def extra_repr(self) -> str:
        """Return the parameters that `repr` shows."""
        return f"omega={self.omega:g}"

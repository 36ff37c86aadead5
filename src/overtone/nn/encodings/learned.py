"""Random Fourier features whose frequencies are trained."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from overtone import units
from overtone.nn.checks import Numbers, per_axis, size
from overtone.nn.encodings.bounded import bounded, unbounded
from overtone.nn.encodings.fourier import Fourier
from overtone.nn.seeding import Seed, generator
from overtone.units import positive

HEADROOM = 2.0
"""How far above the initial bandwidth a frequency may wander."""


@final
class Learned(Fourier):
    """gamma(v) = [cos(2 pi B v), sin(2 pi B v)] with B trained, B_ij ~ N(0, sigma_j^2) at first.

    Made stable by three means: each frequency is bounded smoothly to twice the initial bandwidth along its axis,
    frequencies stay float32 when the network is cast, and `nn.parameter_groups` gives them a learning rate of their
    own. Training them is no sure gain: reports say better, equal and worse.

    Args:
        in_features: d, the number of coordinates.
        features: m, the number of frequencies; the encoding has 2 m outputs.
        sigma: Initial standard deviation of the frequencies in cycles per unit, one for all axes or one per axis.
        seed: A seed, or the generator to draw B from.
        pace: Factor of the frequencies' learning rate.

    Attributes:
        free: (m, d) float32 parameter; B = limit tanh(free / limit).
        limit: (d,) bound of |B| in cycles per unit.

    Raises:
        InputError: If a size is below 1, the number of sigmas is wrong, or a number is not positive and finite.
    """

    free: nn.Parameter
    limit: Tensor
    exact = ("free",)

    def __init__(
        self, in_features: int, features: int, sigma: Numbers, seed: Seed = 0, pace: float = 1.0
    ) -> None:
        axes, rows = size(in_features, "in_features"), size(features, "features")
        spread = torch.tensor(per_axis(sigma, axes, "sigma"), dtype=torch.float64, device="cpu")
        source = generator(seed, "frequencies")
        drawn = torch.randn(rows, axes, generator=source, dtype=torch.float64, device=source.device)
        self._spread = spread
        super().__init__(drawn.cpu() * spread)
        self.pace = {"free": positive(pace, "pace")}

    def _hold(self, frequencies: Tensor) -> None:
        limit = HEADROOM * units.gaussian_bandwidth(1.0) * self.__dict__.pop("_spread").float()
        self.register_buffer("limit", limit)
        self.register_parameter("free", nn.Parameter(unbounded(frequencies, limit)))

    @property
    def frequencies(self) -> Tensor:  # type: ignore[override]
        """(m, d) float32 present frequencies in cycles per unit."""
        return bounded(self.free, self.limit)

    @staticmethod
    def from_bandwidth(in_features: int, features: int, bandwidth: Numbers, seed: Seed = 0) -> Learned:
        """The encoding whose drawn frequencies begin with the given bandwidth.

        Args:
            in_features: d, the number of coordinates.
            features: m, the number of frequencies.
            bandwidth: In cycles per unit, one for all axes or one per axis.
            seed: A seed, or the generator to draw B from.

        Returns:
            The encoding.

        Raises:
            InputError: As for the class.
        """
        reach = per_axis(bandwidth, size(in_features, "in_features"), "bandwidth")
        drawn = Learned(in_features, features, [units.gaussian_sigma(b) for b in reach], seed)
        return drawn.with_bandwidth(reach)

    def _highest(self) -> float:
        return float(self.limit.sum())

    def _rescale(self, factor: Tensor) -> None:
        with torch.no_grad():
            scale = factor.to(self.free)
            self.free.mul_(scale)
            self.limit.mul_(scale)

    def describe(self) -> str:
        """One line for titles and records."""
        reach = ", ".join(f"{b:.4g}" for b in self.limit.tolist())
        return f"Learned({len(self.free)} features, limit {reach})"

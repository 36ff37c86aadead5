"""Scan: what a signal holds, before any training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from overtone._utils.torch_defaults import standard
from overtone.planning.bandwidth import Recommendation, recommend_bandwidth
from overtone.planning.needs import Needs
from overtone.planning.oscillation import Oscillation
from overtone.signals import Signal, require_grid
from overtone.spectra import NoiseFloor, Spectrum, grid, noise_floor


@dataclass(frozen=True)
class Scan:
    """What a signal holds.

    Attributes:
        signal: The signal.
        spectrum: Its power per band and channel, in squared value units.
        noise: Its noise floor.
        recommendation: The bandwidth that the simple rule picks, with its reasons.
    """

    signal: Signal
    spectrum: Spectrum
    noise: NoiseFloor
    recommendation: Recommendation

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """The recommended bandwidth per axis, in cycles per unit."""
        return self.recommendation.bandwidth

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, in sentences with figures."""
        return self.recommendation.reasons

    @property
    def needs(self) -> Needs:
        """What each encoding is to be set to for that bandwidth."""
        return Needs.of(self.bandwidth, self.signal.geometry)

    @cached_property
    def oscillation(self) -> Oscillation | None:
        """Barron constant and borders, measured when first asked for; None if no axis has four samples."""
        return Oscillation.of(self.signal)


@standard()
def scan(signal: Signal, device: torch.device | str = "cpu") -> Scan:
    """Measure spectrum and noise floor of a signal and recommend a bandwidth; nothing is trained.

    Args:
        signal: The signal, on a grid.
        device: Where the transform is computed.

    Returns:
        The scan.

    Raises:
        InputError: If it is no signal, or one without a grid.
    """
    noise = measure_noise(signal)
    geometry = signal.geometry
    spectrum = grid(
        signal.grid_values.to(device), geometry.spacing, periodic=geometry.periodic, channel_axis=-1
    )
    return Scan(signal, spectrum, noise, recommend_bandwidth(signal, noise))


def measure_noise(signal: Signal) -> NoiseFloor:
    """The noise floor of a signal, estimated from the signal alone; see `spectra.noise_floor`.

    Raises:
        InputError: If it is no signal, or one without a grid.
    """
    geometry = require_grid(signal, "its noise floor").geometry
    return noise_floor(signal.grid_values, geometry.spacing, periodic=geometry.periodic, channel_axis=-1)

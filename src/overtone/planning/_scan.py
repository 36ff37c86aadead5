"""Scan: what a signal holds, before any training."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, final

import torch

from overtone._utils.torch_defaults import standard
from overtone.planning._bandwidth import EncodingSettings, Recommendation, recommend_bandwidth
from overtone.probes import Window
from overtone.signals import Signal, require_grid
from overtone.spectra import NoiseFloor, Spectrum, grid, noise_floor
from overtone.theory import barron

SAMPLES = 1 << 18
"""Samples of the block that is looked at, at most."""

FEWEST = 4
"""Samples along an axis that the estimates need."""


@final
@dataclass(frozen=True)
class BarronSummary:
    """The Barron constant of the mean over channels, and what tells whether the borders fit each other.

    Attributes:
        lower: No continuation of the samples has a smaller constant, in value units times radians per coordinate unit.
        upper: The least of the continuations tried.
        growth: `upper` over that of every second sample: 1 if settled, 2 where the signal jumps, more for noise; None
            if it cannot be told.
        settled: Whether twice the samples would hardly change it, as far as can be told.
        jump: Per axis, the step from border to border over the largest step inside, on the whole axis; up to 1 it may
            wrap around. None for an axis known to wrap around, or too short.
        whole: Whether all samples were looked at, or one block, whose constant is no larger.
    """

    lower: float
    upper: float
    growth: float | None
    settled: bool
    jump: tuple[float | None, ...]
    whole: bool

    @staticmethod
    def of(signal: Signal) -> BarronSummary | None:
        """That of a signal; None if no axis has four samples."""
        grid = signal.geometry
        values = signal.grid_values.double().mean(-1)
        long = [axis for axis, n in enumerate(grid.shape) if n >= FEWEST]
        if not long:
            return None
        jumps = [
            None if wraps or axis not in long else barron.border_jump(values, axis)
            for axis, wraps in enumerate(grid.periodic)
        ]
        window = Window.where_it_varies(signal.values, grid, SAMPLES)
        for axis, (start, count) in enumerate(zip(window.start, window.shape, strict=True)):
            values = values.narrow(axis, start, count)
            if axis not in long:
                values = values.mean(axis, keepdim=True)
        values = values.reshape([window.shape[axis] for axis in long])
        inside = window.restrict(grid)
        found = barron.constant_on_grid(
            values, [grid.spacing[axis] for axis in long], periodic=[inside.periodic[axis] for axis in long]
        )
        growth = found.growth if math.isfinite(found.growth) else None
        return BarronSummary(
            found.lower,
            found.upper,
            growth,
            found.settled or math.isnan(found.growth),
            tuple(jumps),
            window.covers(grid),
        )

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON-able values."""
        return asdict(self)

    @property
    def border(self) -> str:
        """Whether the borders fit each other: the step across them against the largest inside, in a sentence."""
        told = [jump for jump in self.jump if jump is not None]
        if not told:
            return "Wraps around."
        steps = " and ".join(f"{jump:.2g}" for jump in told)
        verdict = "Does not" if max(told) > 1 else "May"
        return f"{verdict} wrap around: step {steps} times the largest inside."

    def sentence(self, unit: str) -> str:
        """The Barron constant, and how it grows with finer sampling if jumps or noise leave it unsettled.

        Args:
            unit: Of the coordinates.
        """
        part = "" if self.whole else ", of one block"
        lower, upper = (f"{float(f'{value:.2g}'):g}" for value in (self.lower, self.upper))
        text = f"{lower} to {upper} values x radians per {unit}{part}"
        if not self.settled:
            grows = "every second sample shows none of it"
            text += "; " + (grows if self.growth is None else f"{self.growth:.2g}-fold at half the spacing")
        return text + "."


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
    def needs(self) -> EncodingSettings:
        """What each encoding is to be set to for that bandwidth."""
        return EncodingSettings.of(self.bandwidth, self.signal.geometry)

    @cached_property
    def oscillation(self) -> BarronSummary | None:
        """Barron constant and borders, measured when first asked for; None if no axis has four samples."""
        return BarronSummary.of(self.signal)


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

"""Scan of a signal before training: spectrum, noise floor, recommended bandwidth, Barron constant."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, final

import torch

from overtone._utils.display import Displayed
from overtone._utils.torch_defaults import standard
from overtone.planning._bandwidth import EncodingSettings, Recommendation, recommend_bandwidth
from overtone.planning._reasons import Reason
from overtone.probes import Window
from overtone.signals import Grid, Signal, require_grid
from overtone.spectra import NoiseFloor, Spectrum, grid, noise_floor

SAMPLES = 1 << 18
"""Largest number of samples that the Barron constant is measured on."""

MIN_SAMPLES = 4
"""Samples along an axis that the estimates need."""


@final
@dataclass(frozen=True)
class BarronSummary:
    """Barron constant of the mean over channels, and whether opposite borders fit each other.

    Attributes:
        lower: No continuation of the samples has a smaller constant, in value units times radians per coordinate unit.
        upper: The smallest constant of the continuations tried.
        growth: `upper` over that of every second sample: 1 if settled, 2 where the signal jumps, more for noise; None
            if it is undetermined.
        settled: Whether twice the samples would hardly change it, as far as can be determined.
        jump: Per axis, the step from border to border over the largest step inside, on the whole axis; up to 1 the
            signal may be periodic. None for an axis that is periodic or too short.
        whole: Whether all samples were measured, or one block, whose constant is no larger.
    """

    lower: float
    upper: float
    growth: float | None
    settled: bool
    jump: tuple[float | None, ...]
    whole: bool

    @staticmethod
    def of(signal: Signal[Grid]) -> BarronSummary | None:
        """Summary of a signal; None if no axis has four samples."""
        from overtone.theory import barron
        from overtone.theory.barron._grid import border_jump

        grid = signal.geometry
        values = signal.grid_values.double().mean(-1)
        long = [axis for axis, n in enumerate(grid.shape) if n >= MIN_SAMPLES]
        if not long:
            return None
        jumps = [
            None if wraps or axis not in long else border_jump(values, axis)
            for axis, wraps in enumerate(grid.periodic)
        ]
        # One block bounds the cost; the constant of a block is a lower bound of the whole signal's.
        window = Window.of_variation(signal.values, grid, SAMPLES)
        for axis, (start, count) in enumerate(zip(window.start, window.shape, strict=True)):
            values = values.narrow(axis, start, count)
            # An axis too short for an estimate is averaged out, not dropped: its mean is part of the signal.
            if axis not in long:
                values = values.mean(axis, keepdim=True)
        values = values.reshape([window.shape[axis] for axis in long])
        inside = window.restrict(grid)
        constant = barron.constant_on_grid(
            values, [grid.spacing[axis] for axis in long], periodic=[inside.periodic[axis] for axis in long]
        )
        growth = constant.growth if math.isfinite(constant.growth) else None
        return BarronSummary(
            constant.lower,
            constant.upper,
            growth,
            constant.settled or math.isnan(constant.growth),
            tuple(jumps),
            window.covers(grid),
        )

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON-able values."""
        return asdict(self)

    @property
    def border(self) -> str:
        """Whether opposite borders fit each other: the step across them over the largest step inside, in words."""
        jumps = [jump for jump in self.jump if jump is not None]
        if not jumps:
            return "Periodic."
        steps = " and ".join(f"{jump:.2g}" for jump in jumps)
        verdict = "Not periodic" if max(jumps) > 1 else "Possibly periodic"
        return f"{verdict}: border step {steps} times the largest inside."

    def sentence(self, unit: str) -> str:
        """The Barron constant, and how it grows with finer sampling if jumps or noise leave it unsettled, in words.

        Args:
            unit: Unit of the coordinates.
        """
        part = "" if self.whole else ", of one block"
        lower, upper = (f"{float(f'{value:.2g}'):g}" for value in (self.lower, self.upper))
        text = f"{lower} to {upper} values x radians per {unit}{part}"
        if not self.settled:
            growth = "every second sample shows none of it"
            text += "; " + (growth if self.growth is None else f"{self.growth:.2g}-fold at half the spacing")
        return text + "."


@final
@dataclass(frozen=True, repr=False)
class Scan(Displayed):
    """Spectrum, noise floor and recommended bandwidth of a signal.

    Attributes:
        signal: The signal.
        spectrum: Power per band and channel, in squared value units.
        noise: Its noise floor.
        recommendation: The bandwidth that the spectrum recommends, with its reasons.
    """

    signal: Signal[Grid]
    spectrum: Spectrum
    noise: NoiseFloor
    recommendation: Recommendation

    _display = "scan_display"

    def __repr__(self) -> str:
        bandwidth = " x ".join(f"{value:.3g}" for value in self.bandwidth)
        unit, noise = self.signal.geometry.frequency_unit, self.noise.verdict.value
        return f"<Scan of {self.signal.name!r}: bandwidth {bandwidth} {unit}, noise: {noise}>"

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """The recommended bandwidth per axis, in cycles per unit."""
        return self.recommendation.bandwidth

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The reasons for the bandwidth: noise floor and spectrum."""
        return self.recommendation.reasons

    @property
    def encoding_settings(self) -> EncodingSettings:
        """The settings with which each encoding has that bandwidth."""
        return EncodingSettings.of(self.bandwidth, self.signal.geometry)

    @cached_property
    def barron_summary(self) -> BarronSummary | None:
        """Barron constant and borders, measured on first access; None if no axis has four samples."""
        return BarronSummary.of(self.signal)


@standard()
def scan(signal: Signal[Grid], device: torch.device | str = "cpu") -> Scan:
    """Measure spectrum and noise floor of a signal and recommend a bandwidth; nothing is trained.

    Args:
        signal: The signal, on a grid.
        device: Device of the transform.

    Returns:
        The scan.

    Raises:
        InputError: If it is no signal, or one without a grid.

    Example:
        >>> import overtone as ot
        >>> result = ot.scan(ot.signals.synthetic.harmonics([2, 5], samples=256))
        >>> round(result.bandwidth[0]), result.noise.verdict.value
        (5, 'clean')
    """
    noise = measure_noise(signal)
    geometry = signal.geometry
    spectrum = grid(
        signal.grid_values.to(device), geometry.spacing, periodic=geometry.periodic, channel_axis=-1
    )
    return Scan(signal, spectrum, noise, recommend_bandwidth(signal, noise))


def measure_noise(signal: Signal[Grid]) -> NoiseFloor:
    """Estimate the noise floor of a signal from the signal alone; see `spectra.noise_floor`.

    Args:
        signal: The signal, on a grid.

    Raises:
        InputError: If it is no signal, or one without a grid.

    Example:
        >>> from overtone import planning, signals
        >>> clean = signals.synthetic.power_law((64, 64), 4.0, seed=0)
        >>> noisy = signals.synthetic.add_noise(clean, fraction_of_range=0.1, seed=0)
        >>> planning.measure_noise(noisy).verdict.value
        'noise'
    """
    geometry = require_grid(signal, "its noise floor").geometry
    return noise_floor(signal.grid_values, geometry.spacing, periodic=geometry.periodic, channel_axis=-1)

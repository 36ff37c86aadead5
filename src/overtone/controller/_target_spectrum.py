"""What a steered run is measured by, and how far it may reach."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from overtone.planning._bandwidth import SAMPLING
from overtone.probes._grid_measurement import GridMeasurement
from overtone.probes._spread_measurement import SpreadMeasurement
from overtone.signals import Grid
from overtone.spectra import NoiseFloor, NoiseVerdict

NOISY = 0.5
"""First reach of signals that may be noisy, as a part of the recommended bandwidth."""

LEARNED = 0.1
"""Share of the power within reach that may be left when the next band is opened."""


@final
class TargetSpectrum:
    """What a steered run is measured by: power of the target and of the noise, band by band.

    Args:
        measurement: Of the target.
        noise: Its noise floor.

    Attributes:
        target: (band, channel) power, in squared value units.
        noise: (band, channel) power of the noise, 0 where none was found.
        variance: Of the noise, at the most where it cannot be told from detail; mean over channels.
        clean: Whether there is certainly no noise.
    """

    def __init__(self, measurement: GridMeasurement | SpreadMeasurement, noise: NoiseFloor) -> None:
        self.target = measurement.target_power.cpu().numpy()
        self.clean = noise.verdict is NoiseVerdict.CLEAN
        found = np.nan_to_num(measurement.noise_power(noise))
        self.noise = found if noise.verdict is NoiseVerdict.NOISE else np.zeros_like(found)
        self.variance = float(noise.std.square().mean())
        self._low, self._high = np.asarray(measurement.bands.low), np.asarray(measurement.bands.high)

    def begin(self, wanted: tuple[float, ...], planned: tuple[float, ...] | None) -> tuple[float, ...]:
        """The first reach per axis.

        That of a plan; by default half the bandwidth `wanted` that the spectrum recommends. Where there is certainly no
        noise, no less than `wanted`: more reach learns faster, and there is nothing to be learned too much of.
        """
        least = planned or tuple(NOISY * b for b in wanted)
        return tuple(map(max, least, wanted)) if self.clean else least

    def furthest(self, wanted: tuple[float, ...], grid: Grid) -> tuple[float, ...]:
        """The largest reach of the shape `wanted` within an eighth of Nyquist and the bands above the noise."""
        above = (self.target > 2 * self.noise).any(axis=1)
        limit = float(self._high[above].max()) if above.any() else 0.0
        room = [SAMPLING * n / b for n, b in zip(grid.nyquist, wanted, strict=True)]
        factor = max(1.0, min(min(room), limit / max(wanted)))
        return tuple(b * factor for b in wanted)

    def learned(self, residual: NDArray[np.float64], reach: float) -> bool:
        """Whether less than a tenth of the power within reach and above the noise is left."""
        inside = self._within(reach)
        own = np.clip(self.target - self.noise, 0, None)[inside].sum()
        left = np.clip(residual - self.noise, 0, None)[inside].sum()
        return bool(left <= LEARNED * own)

    def _within(self, reach: float) -> NDArray[np.bool_]:
        """The bands without the mean that begin below a frequency; the first of them at least."""
        inside = (self._low > 0) & (self._low < reach)
        inside[1:2] = True
        return inside

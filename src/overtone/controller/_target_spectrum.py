"""`TargetSpectrum`: power of target and noise per band, which bounds and advances the bandwidth of a controlled run."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from overtone.planning._bandwidth import SAMPLING
from overtone.probes._grid_measurement import GridMeasurement
from overtone.probes._spread_measurement import SpreadMeasurement
from overtone.signals import Grid
from overtone.spectra import NoiseFloor, NoiseVerdict

NOISY_SHARE = 0.5
"""Initial bandwidth of signals that may be noisy, as a part of the recommended one."""

LEARNED = 0.1
"""Part of the power within the bandwidth that may be unlearned when the bandwidth is increased."""


@final
class TargetSpectrum:
    """Power of the target and of its noise per band.

    Args:
        measurement: Measurement of the target.
        noise: Its noise floor.

    Attributes:
        target: (band, channel) power, in squared value units.
        noise: (band, channel) power of the noise, 0 where none was found.
        variance: Variance of the noise, an upper bound where it cannot be told from detail; mean over channels.
        clean: Whether there is certainly no noise.
    """

    def __init__(self, measurement: GridMeasurement | SpreadMeasurement, noise: NoiseFloor) -> None:
        self.target = measurement.target_power.cpu().numpy()
        self.clean = noise.verdict is NoiseVerdict.CLEAN
        power = np.nan_to_num(measurement.noise_power(noise))
        self.noise = power if noise.verdict is NoiseVerdict.NOISE else np.zeros_like(power)
        self.variance = float(noise.std.square().mean())
        self._low, self._high = np.asarray(measurement.bands.low), np.asarray(measurement.bands.high)

    def initial_bandwidth(
        self, recommended: tuple[float, ...], planned: tuple[float, ...] | None
    ) -> tuple[float, ...]:
        """Choose the initial bandwidth per axis.

        The planned one; by default half of what the spectrum recommends. Where there is certainly no noise, no less
        than recommended: more bandwidth learns faster, and there is no noise to be learned.

        Args:
            recommended: Bandwidth that the spectrum recommends, per axis.
            planned: Bandwidth of a plan, if there is one.
        """
        start = planned or tuple(NOISY_SHARE * b for b in recommended)
        return tuple(map(max, start, recommended)) if self.clean else start

    def max_bandwidth(self, recommended: tuple[float, ...], grid: Grid) -> tuple[float, ...]:
        """Return the largest bandwidth of the recommended shape within an eighth of Nyquist and the bands above noise.

        Args:
            recommended: Bandwidth that the spectrum recommends, per axis.
            grid: Positions of the samples.
        """
        # A band counts where its signal power exceeds its noise power: total power above twice the noise.
        above = (self.target > 2 * self.noise).any(axis=1)
        limit = float(self._high[above].max()) if above.any() else 0.0
        ratios = [SAMPLING * n / b for n, b in zip(grid.nyquist, recommended, strict=True)]
        factor = max(1.0, min(min(ratios), limit / max(recommended)))
        return tuple(b * factor for b in recommended)

    def learned(self, residual: NDArray[np.float64], bandwidth: float) -> bool:
        """Whether less than a tenth of the power within the bandwidth and above the noise is unlearned.

        Args:
            residual: (band, channel) residual power, in squared value units.
            bandwidth: In cycles per physical unit.
        """
        inside = self._within(bandwidth)
        signal = np.clip(self.target - self.noise, 0, None)[inside].sum()
        unlearned = np.clip(residual - self.noise, 0, None)[inside].sum()
        return bool(unlearned <= LEARNED * signal)

    def _within(self, bandwidth: float) -> NDArray[np.bool_]:
        """The bands without the mean that begin below a frequency; at least the first of them."""
        inside = (self._low > 0) & (self._low < bandwidth)
        # Below the first band's edge there is no band to judge by; the first one stands in.
        inside[1:2] = True
        return inside

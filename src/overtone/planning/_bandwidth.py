"""Bandwidths from the spectrum: the recommended one, encoding settings and aliasing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

import torch
from torch import Tensor

from overtone import units
from overtone._utils.text import format_per_axis, number
from overtone.errors import InputError
from overtone.planning._reasons import Reason, ReasonCode
from overtone.signals import Geometry, Grid, Signal
from overtone.spectra import Bands, GridTransform, NoiseFloor, NoiseVerdict, axis_grid, noise_sentence
from overtone.units._grids import Interpolation, lattice_range

SHARE = 0.9
"""Share of the power that the bandwidth covers, the definition of a bandwidth throughout."""

SAMPLING = 1 / 8
"""Part of the Nyquist frequency up to which an encoding still ties neighbouring samples together."""

RESOLUTION = 96
"""Bands per axis on which the rule is evaluated."""

OCTAVES = 2
"""Range to either side of the recommended bandwidth within which the spectrum's estimate is trusted."""

LEVELS, COARSEST = 16, 16.0
"""Levels of the hash grid, and cells of its coarsest (Mueller et al. 2022, table 1)."""


@final
@dataclass(frozen=True)
class Recommendation:
    """A recommended bandwidth with its reasons.

    Attributes:
        bandwidth: Per axis, in cycles per unit of that axis.
        reasons: The noise floor and the measured spectrum.
    """

    bandwidth: tuple[float, ...]
    reasons: tuple[Reason, ...]


def recommend_bandwidth(signal: Signal[Grid], noise: NoiseFloor) -> Recommendation:
    """Recommend how far a network's frequencies should extend, per axis, from the signal alone.

    Per axis: the power per band of |f_axis| minus the noise floor's share of it is the signal's own. The bandwidth is
    the frequency below which 90 % of that power lies, counted no further than where the spectrum meets the noise
    floor: the cut-off of the low-pass filter with the least expected error, beyond which noise outweighs signal.
    Without a noise floor it is the 90 % power frequency of the signal as it is. Power at frequency 0 of an axis needs
    no bandwidth along it and is left out.

    Never below half the axis' fundamental, and never above an eighth of its Nyquist frequency: a wider encoding fits
    each sample by itself and is unconstrained between them, whatever the signal; the network makes the higher
    frequencies from the lower ones.

    Args:
        signal: The signal.
        noise: Its noise floor.

    Returns:
        The bandwidth and the reasons.

    Example:
        >>> from overtone import planning, signals
        >>> signal = signals.synthetic.harmonics([2, 5], samples=256)
        >>> round(planning.recommend_bandwidth(signal, planning.measure_noise(signal)).bandwidth[0])
        5
    """
    variance = (
        noise.std.double().square()
        if noise.verdict is NoiseVerdict.NOISE
        else torch.zeros_like(noise.std).double()
    )
    grid = signal.geometry
    # Axes of a single sample have no spectrum; they keep their Nyquist frequency.
    bandwidth, axes = list(grid.nyquist), [axis for axis, n in enumerate(grid.shape) if n > 1]
    measured, crossings = [], []
    for axis in axes:
        frequency, crossing = _axis_bandwidth(signal.grid_values, grid, axis, variance)
        bandwidth[axis] = min(frequency, SAMPLING * grid.nyquist[axis])
        measured.append(frequency)
        crossings.append(crossing)
    noise_values = {
        "verdict": noise.verdict.value,
        "std": tuple(noise.std.tolist()),
        "description": noise_sentence(noise),
    }
    reasons = [Reason(ReasonCode.NOISE_FLOOR, noise_values)]
    if axes:
        values = {
            "measured": tuple(measured),
            "crossing": tuple(frequency for frequency in crossings if frequency is not None),
            "limit": tuple(SAMPLING * grid.nyquist[axis] for axis in axes),
            "nyquist": tuple(grid.nyquist[axis] for axis in axes),
        }
        reasons.append(Reason(ReasonCode.SPECTRUM_BANDWIDTH, values, grid.frequency_unit))
    return Recommendation(tuple(bandwidth), tuple(reasons))


def _axis_bandwidth(values: Tensor, grid: Grid, axis: int, variance: Tensor) -> tuple[float, float | None]:
    """Bandwidth along one axis, and the frequency at which the spectrum meets the noise floor, if it does."""
    n, spacing, periodic = grid.shape[axis], grid.spacing[axis], grid.periodic[axis]
    bands = Bands.log((n,), spacing, periodic=periodic, count=RESOLUTION)
    modes = GridTransform((n,), (spacing,), periodic, bands).modes.double()
    spectrum = axis_grid(values, axis, grid.spacing, periodic=grid.periodic, channel_axis=-1, bands=bands)
    power = spectrum.power[1:].cpu()
    # White noise spreads its variance evenly over all modes, so a band's share is its share of the modes.
    noise = (modes[1:] / modes.sum())[:, None].cpu() * variance.cpu()
    signal, noise = (power - noise).sum(1), noise.sum(1)
    # A low-pass filter at band k saves the signal power up to k and costs the noise power up to k: its expected
    # error is least where the cumulative difference is largest.
    gain = (signal - noise).cumsum(0)
    end = int(gain.argmax()) + 1 if float(gain.max()) > 0 else 0
    low, high = torch.from_numpy(bands.low[1:]), torch.from_numpy(bands.high[1:])
    crossing = float(low[end]) if end < len(signal) else None
    if end == 0:
        return float(low[0]), crossing
    cumulative = signal[:end].cumsum(0)
    target = SHARE * cumulative[-1]
    band = int((cumulative < target).sum())
    # Within the band, power is taken as spread evenly, so that the bandwidth moves continuously with the signal.
    part = (
        1 - (cumulative[band] - target) / signal[band] if signal[band] > 0 else torch.zeros((), device="cpu")
    )
    return float(low[band] + part * (high[band] - low[band])), crossing


def aliasing_reason(bandwidth: Sequence[float], geometry: Geometry) -> Reason | None:
    """Say what happens between the samples if an encoding extends beyond their Nyquist frequency.

    A wave of frequency f passes through the same samples as one of |f - 2 n N| for any whole n and the Nyquist
    frequency N, so beyond N training cannot tell the two apart.

    Args:
        bandwidth: Per axis, in cycles per unit.
        geometry: Positions of the samples.

    Returns:
        A reason with the frequencies concerned, or None where every axis stays within its Nyquist frequency.

    Raises:
        InputError: If there is not one bandwidth per axis.
    """
    if len(bandwidth) != geometry.axes:
        raise InputError(
            f"one bandwidth per axis ({geometry.axes})", f"{len(bandwidth)}", "pass that many", "bandwidth"
        )
    axes = [axis for axis, (b, n) in enumerate(zip(bandwidth, geometry.nyquist, strict=True)) if b > n]
    if not axes:
        return None
    values = {
        "axes": tuple(axes),
        "bandwidth": tuple(bandwidth[axis] for axis in axes),
        "alias": tuple(alias_frequency(bandwidth[axis], geometry.nyquist[axis]) for axis in axes),
        "nyquist": tuple(geometry.nyquist[axis] for axis in axes),
    }
    return Reason(ReasonCode.ALIASING, values, geometry.frequency_unit)


def alias_frequency(frequency: float, nyquist: float) -> float:
    """The frequency in [0, nyquist] that passes through the same samples."""
    remainder = frequency % (2 * nyquist)
    return min(remainder, 2 * nyquist - remainder)


@final
@dataclass(frozen=True)
class EncodingSettings:
    """Settings with which each encoding has a bandwidth, by the bandwidth laws of `overtone.units`.

    Attributes:
        sigma: Standard deviation of Gaussian Fourier features per axis, in cycles per extent (coordinates in [0, 1)).
        octaves: L of the positional encoding 2^0, ..., 2^(L-1) per axis, in cycles per extent (coordinates in [0, 1)).
        omega: omega_0 of the first layer of a sine network, in radians per unit of coordinates in [-1, 1]; for the axis
            of the largest bandwidth, since all axes share it.
        cells: Cells of the finest of 16 levels of a hash grid per axis, per extent.
    """

    sigma: tuple[float, ...]
    octaves: tuple[int, ...]
    omega: float
    cells: tuple[float, ...]

    @staticmethod
    def of(bandwidth: Sequence[float], grid: Grid) -> EncodingSettings:
        """The settings for a bandwidth on a grid.

        Args:
            bandwidth: Per axis, in cycles per unit of that axis.
            grid: Positions of the samples.

        Raises:
            InputError: If a bandwidth is not positive and finite.
        """
        cycles = [b * e for b, e in zip(bandwidth, grid.extent, strict=True)]
        linear = Interpolation.LINEAR
        return EncodingSettings(
            tuple(units.gaussian_sigma(c) for c in cycles),
            tuple(units.octave_count(c) for c in cycles),
            units.sine_omega(max(cycles) / 2, len(cycles)),
            tuple(lattice_range(c, COARSEST, LEVELS, linear)[1] for c in cycles),
        )

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON-able values."""
        return asdict(self)

    def __str__(self) -> str:
        """One line."""
        sigma = format_per_axis(self.sigma)
        octaves = " x ".join(map(str, self.octaves))
        cells = " x ".join(f"{c:.0f}" for c in self.cells)
        ending = "" if octaves == "1" else "s"
        return f"sigma {sigma}, {octaves} octave{ending}, omega_0 {number(self.omega)}, hash grid {cells}"

"""The first simple rule for a bandwidth: as far as nine tenths of the signal's power reach, noise left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

import torch
from torch import Tensor

from overtone import units
from overtone._utils.text import number, per_axis
from overtone.errors import InputError
from overtone.signals import Geometry, Grid, Signal
from overtone.spectra import Bands, GridTransform, NoiseFloor, NoiseVerdict, axis_grid
from overtone.spectra._noise_wording import noise_sentence

SHARE = 0.9
"""Share of the power that the bandwidth covers, the definition of a bandwidth throughout."""

SAMPLING = 1 / 8
"""Part of the Nyquist frequency up to which an encoding still ties neighbouring samples together."""

RESOLUTION = 96
"""Bands per axis in which the rule looks."""


@dataclass(frozen=True)
class Recommendation:
    """A bandwidth and why.

    Attributes:
        bandwidth: Per axis, in cycles per unit of that axis.
        reasons: Sentences with figures.
    """

    bandwidth: tuple[float, ...]
    reasons: tuple[str, ...]


def recommend_bandwidth(signal: Signal, noise: NoiseFloor) -> Recommendation:
    """How high a network's frequencies should reach, per axis, from the signal alone.

    Per axis: the power per band of |f_axis| minus the noise floor's share of it is the signal's own. The bandwidth is
    the frequency below which 90 % of that power lies, counted no further than where the spectrum meets the noise
    floor: the cut-off of the low-pass filter with the least expected error, beyond which noise outweighs signal.
    Without a noise floor it is the 90 % power frequency of the signal as it is. Power at frequency 0 of an axis needs
    no bandwidth along it and is left out.

    Never below half the axis' fundamental, and never above an eighth of its Nyquist frequency: an encoding that reaches
    further fits each sample by itself and is free between them, whatever the signal; the network makes the higher
    frequencies from the lower ones.

    Args:
        signal: The signal.
        noise: Its noise floor.

    Returns:
        The bandwidth and the reasons.
    """
    floor = (
        noise.std.double().square()
        if noise.verdict is NoiseVerdict.NOISE
        else torch.zeros_like(noise.std).double()
    )
    grid = signal.geometry
    bandwidth, found = list(grid.nyquist), []
    for axis, n in enumerate(grid.shape):
        if n < 2:
            continue
        reach, meets = _axis(signal.grid_values, grid, axis, floor)
        most = SAMPLING * grid.nyquist[axis]
        bandwidth[axis] = min(reach, most)
        found.append((reach, meets, most))
    reasons = (_reason(grid, found),) if found else ()
    return Recommendation(tuple(bandwidth), (noise_sentence(noise), *reasons))


def _axis(values: Tensor, grid: Grid, axis: int, floor: Tensor) -> tuple[float, float | None]:
    """Bandwidth along one axis, and where the spectrum meets the noise floor, if it does."""
    n, spacing, periodic = grid.shape[axis], grid.spacing[axis], grid.periodic[axis]
    bands = Bands.log((n,), spacing, periodic=periodic, count=RESOLUTION)
    modes = GridTransform((n,), (spacing,), periodic, bands).modes.double()
    spectrum = axis_grid(values, axis, grid.spacing, periodic=grid.periodic, channel_axis=-1, bands=bands)
    power = spectrum.power[1:].cpu()
    noise = (modes[1:] / modes.sum())[:, None].cpu() * floor.cpu()
    own, noise = (power - noise).sum(1), noise.sum(1)
    gain = (own - noise).cumsum(0)
    end = int(gain.argmax()) + 1 if float(gain.max()) > 0 else 0
    low, high = torch.from_numpy(bands.low[1:]), torch.from_numpy(bands.high[1:])
    meets = float(low[end]) if end < len(own) else None
    if end == 0:
        return float(low[0]), meets
    reached = own[:end].cumsum(0)
    wanted = SHARE * reached[-1]
    band = int((reached < wanted).sum())
    part = 1 - (reached[band] - wanted) / own[band] if own[band] > 0 else torch.zeros((), device="cpu")
    reach = float(low[band] + part * (high[band] - low[band]))
    return reach, meets


def _reason(grid: Grid, found: Sequence[tuple[float, float | None, float]]) -> str:
    """One sentence for all axes: how far nine tenths reach, where the floor is met, what the sampling supports."""
    unit = grid.frequency_unit
    reaches, meets, tops = zip(*found, strict=True)
    nyquist = per_axis(nyquist for nyquist, n in zip(grid.nyquist, grid.shape, strict=True) if n > 1)
    text = f"90 % of the signal's power lies below {per_axis(reaches)} {unit} (Nyquist {nyquist})"
    floors = [floor for floor in meets if floor is not None]
    if floors:
        text += f", counted up to {per_axis(floors)} {unit}, where the spectrum meets the noise floor"
    if any(reach > top for reach, top in zip(reaches, tops, strict=True)):
        text += f"; the sampling supports an encoding up to {per_axis(tops)} {unit}, an eighth of Nyquist"
    return text + "."


OCTAVES, PER_OCTAVE = 2, 1.5
"""How far the ladder goes to either side of where it begins, and its rungs per octave."""

SAME = 1.05
"""Rungs closer than this factor on every axis are one, the higher."""

DARING = (1 / 4, 1 / 2)
"""Parts of the Nyquist frequency that are tried although an encoding there hardly ties neighbours together."""


@final
@dataclass(frozen=True)
class BandwidthGrid:
    """Bandwidths in ascending order, all of the same shape.

    Attributes:
        usual: Rungs within four times of the one that the spectrum recommends and within an eighth of Nyquist.
        daring: Rungs beyond, which have to be much better to be believed.
    """

    usual: tuple[tuple[float, ...], ...]
    daring: tuple[tuple[float, ...], ...]

    @property
    def rungs(self) -> tuple[tuple[float, ...], ...]:
        """All of them, ascending."""
        return self.usual + self.daring


def bandwidth_grid(begin: tuple[float, ...], grid: Grid) -> BandwidthGrid:
    """Multiples of a bandwidth, each axis kept between half its fundamental and an eighth of its Nyquist frequency.

    Args:
        begin: The bandwidth that the spectrum recommends, per axis, in cycles per unit.
        grid: Where the samples lie.

    Returns:
        The ladder; rungs that the limits make nearly equal appear once.
    """
    count = round(OCTAVES * PER_OCTAVE)
    least = [0.5 / e for e in grid.extent]
    most = [max(SAMPLING * n, low) for n, low in zip(grid.nyquist, least, strict=True)]
    usual: list[tuple[float, ...]] = []
    for k in range(-count, count + 1):
        factor = 2 ** (k / PER_OCTAVE)
        rung = tuple(min(max(b * factor, low), high) for b, low, high in zip(begin, least, most, strict=True))
        if usual and all(r <= SAME * last for r, last in zip(rung, usual[-1], strict=True)):
            usual.pop()
        usual.append(rung)
    filled = max(b / n for b, n in zip(begin, grid.nyquist, strict=True))
    top = usual[-1]
    daring = [tuple(max(b * share / filled, x) for b, x in zip(begin, top, strict=True)) for share in DARING]
    return BandwidthGrid(tuple(usual), tuple(d for d in daring if d != top))


def geometric_mean(first: tuple[float, ...], last: tuple[float, ...]) -> tuple[float, ...]:
    """The geometric mean per axis."""
    return tuple(math.sqrt(a * b) for a, b in zip(first, last, strict=True))


def isotropic(bandwidth: tuple[float, ...], grid: Grid) -> tuple[float, ...]:
    """The bandwidth that is the same part of Nyquist on every axis and has the same geometric mean."""
    share = math.exp(
        sum(math.log(b / n) for b, n in zip(bandwidth, grid.nyquist, strict=True)) / len(bandwidth)
    )
    return tuple(share * n for n in grid.nyquist)


def aliasing_reason(bandwidth: Sequence[float], geometry: Geometry) -> str | None:
    """What happens between the samples if an encoding reaches beyond what they can hold.

    A wave of frequency f passes through the same samples as one of |f - 2 n N| for any whole n and the Nyquist
    frequency N, so beyond N training cannot tell the two apart.

    Args:
        bandwidth: Per axis, in cycles per unit.
        geometry: Where the samples lie; scattered points have no Nyquist frequency.

    Returns:
        A sentence with the frequencies concerned, or None where every axis stays within its Nyquist frequency.

    Raises:
        InputError: If there is not one bandwidth per axis.
    """
    if len(bandwidth) != geometry.axes:
        raise InputError(
            f"one bandwidth per axis ({geometry.axes})", f"{len(bandwidth)}", "pass that many", "bandwidth"
        )
    beyond = [
        f"{b:.3g} on axis {axis} passes through the samples as {folded(b, n):.3g} does (Nyquist {n:.3g})"
        for axis, (b, n) in enumerate(zip(bandwidth, geometry.nyquist, strict=True))
        if b > n
    ]
    if not beyond:
        return None
    return (
        f"Beyond Nyquist, in {geometry.frequency_unit}: {'; '.join(beyond)}: the network is free between the samples, "
        "and what it puts there is noise."
    )


def folded(frequency: float, nyquist: float) -> float:
    """The frequency in [0, nyquist] that passes through the same samples."""
    rest = frequency % (2 * nyquist)
    return min(rest, 2 * nyquist - rest)


LEVELS, COARSEST = 16, 16.0
"""Levels of the hash grid, and cells of its coarsest (Mueller et al. 2022, table 1)."""


@final
@dataclass(frozen=True)
class EncodingSettings:
    """Settings with which each encoding reaches a bandwidth, by the bandwidth laws of `overtone.units`.

    Attributes:
        sigma: Standard deviation of Gaussian Fourier features per axis, in cycles per extent (coordinates in [0, 1)).
        octaves: L of the positional encoding 2^0, ..., 2^(L-1) per axis, in cycles per extent (coordinates in [0, 1)).
        omega: omega_0 of the first layer of a sine network, in radians per unit of coordinates in [-1, 1]; for the axis
            that needs most, since it has one for all.
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
            grid: Where the samples lie.

        Raises:
            InputError: If a bandwidth is not positive and finite.
        """
        cycles = [b * e for b, e in zip(bandwidth, grid.extent, strict=True)]
        linear = units.Interpolation.LINEAR
        return EncodingSettings(
            tuple(units.gaussian_sigma(c) for c in cycles),
            tuple(units.octave_count(c) for c in cycles),
            units.sine_omega(max(cycles) / 2, len(cycles)),
            tuple(units.lattice_range(c, COARSEST, LEVELS, linear)[1] for c in cycles),
        )

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON-able values."""
        return asdict(self)

    def __str__(self) -> str:
        """One line."""
        sigma = per_axis(self.sigma)
        octaves = " x ".join(map(str, self.octaves))
        cells = " x ".join(f"{c:.0f}" for c in self.cells)
        ending = "" if octaves == "1" else "s"
        return f"sigma {sigma}, {octaves} octave{ending}, omega_0 {number(self.omega)}, hash grid {cells}"

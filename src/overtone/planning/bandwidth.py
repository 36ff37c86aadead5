"""The first simple rule for a bandwidth: as far as nine tenths of the signal's power reach, noise left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from overtone._utils.text import per_axis
from overtone.signals import Grid, Signal
from overtone.spectra import Bands, GridTransform, NoiseFloor, NoiseVerdict, axis_grid

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
    return Recommendation(tuple(bandwidth), (noise.sentence, *reasons))


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

"""From outputs along paths to power per band, built once and used for many sets of outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra.bands import Bands
from overtone.spectra.lattice import Lattice
from overtone.spectra.paths.path import Paths
from overtone.spectra.paths.unit import PathUnit, PerPath
from overtone.spectra.transform import forward

_UNIT = PerPath()
_ENTRIES = 1 << 20


@final
class PathTransform:
    """From outputs at evenly spaced positions of paths to power per band; see `spectrum` for definition and bias.

    Coefficients are linear in the outputs; power and cross power are means over the paths.

    Args:
        paths: The paths.
        samples: n, positions a path.
        unit: `PerPath()` or `PerLength()`.
        bands: Bands, or ascending edges from 0; what they do not reach is added at their end. None for `Bands.log`
            from the longest path's lowest frequency to the shortest path's highest.

    Attributes:
        paths: The paths.
        samples: n.
        unit: What frequencies are cycles per.
        bands: The bands, in cycles per `unit`.
        frequency: (path, mode) float64, in cycles per `unit`.
        estimator: How the power is found, for records.

    Raises:
        InputError: If there are fewer than two samples a path or the bands are impossible.
    """

    def __init__(
        self,
        paths: Paths,
        samples: int = 128,
        *,
        unit: PathUnit = _UNIT,
        bands: Bands | Sequence[float] | None = None,
    ) -> None:
        if samples < 2:
            raise InputError("at least two samples a path", f"{samples}", "pass for instance 128", "samples")
        self.paths, self.samples, self.unit = paths, samples, unit
        self._line = Lattice.of((samples,), periodic=paths.closed)
        extents = unit.extent(paths.lengths)
        self.bands = _covering(bands, self._line, extents)
        self.frequency = self._line.frequencies(0, extents.device) / extents[:, None]
        self._band = self.bands.index(self.frequency)
        self.estimator = f"paths: {'periodic' if paths.closed else 'even'}, {samples} samples"

    def coefficients(self, values: Tensor) -> Tensor:
        """Coefficients of each path and channel, the mean first.

        Args:
            values: (path x n, C) outputs, path after path as `Paths.inputs` gives their places, or (path, n, C).

        Returns:
            (path, mode, C), complex for closed paths, in float64. Squared moduli sum over the modes to the path's mean
            square; those of closed paths hold both signs of a frequency.

        Raises:
            InputError: If there are other than n outputs a path.
        """
        n, count = self.samples, len(self.paths)
        if values.numel() % (n * count) or values.shape[0] not in (count, n * count):
            raise InputError(
                f"{count * n} outputs, {n} for each of {count} paths",
                f"shape {tuple(values.shape)}",
                "pass the outputs at all places, path after path",
                "values",
            )
        field = values.double().reshape(count, n, -1)
        scale = (self._line.weights(0, field.device) / n).sqrt()[:, None]
        even, around = ((), (1,)) if self.paths.closed else ((1,), ())
        parts = []
        for some in field.split(max(1, _ENTRIES // field[0].numel())):
            mean = some.mean(1, keepdim=True)
            modes = forward(some - mean, even, around)
            modes[:, 0] += mean[:, 0] * math.sqrt(n)
            parts.append(modes * scale)
        return torch.cat(parts)

    def power(self, coefficients: Tensor) -> Tensor:
        """(band, C) float64 power, mean over the paths, in squared units of the outputs."""
        return self.cross(coefficients, coefficients)

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """(band, C) float64 Re<f, g> of two sets of outputs, mean over the paths."""
        return self.banded((coefficients * other.conj()).real).mean(0)

    def banded(self, modes: Tensor) -> Tensor:
        """(path, band, C) sums over the modes of each band.

        Args:
            modes: (path, mode, C) a number for each mode.
        """
        band = self._band.to(modes.device)[..., None].expand_as(modes)
        total = modes.new_zeros(len(modes), self.bands.count, modes.shape[2])
        return total.scatter_add(1, band, modes)


def _covering(bands: Bands | Sequence[float] | None, line: Lattice, extents: Tensor) -> Bands:
    shortest, longest = float(extents.min()), float(extents.max())
    if bands is None:
        count = max(2, round(line.samples * longest / shortest))
        bands = Bands.log((count,), longest / count, periodic=line.periodic)
    given = bands if isinstance(bands, Bands) else Bands(tuple(bands))
    return given.reaching(line.nyquist / shortest, line.top / shortest)

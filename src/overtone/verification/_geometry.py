"""Geometry of fields to verify: which transform suits them, which bands are reliable, and the unit of wavelengths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra import BandTransform, GridTransform, WindowedTransform
from overtone.spectra._grid_modes import GridModes
from overtone.spectra._pair_power import radial_slope, usable_bands

STEEPEST = 3.0
"""Exponent p of E(f) ~ f^-p up to which the even extension is right; steeper boxes get a window."""


class GeometryKind(Enum):
    """Where the fields lie; the value is the name in JSON."""

    BOX = "box"
    REGION = "region"
    SPHERE = "sphere"


@final
@dataclass(frozen=True)
class FieldGeometry:
    """Positions of the values of a field.

    Attributes:
        kind: A box, a region of the sphere that is treated as one, or the whole sphere.
        shape: Samples per axis.
        spacing: Distance between neighbouring samples per axis in `unit`; of a region, at its central latitude.
        periodic: Whether each axis wraps around.
        unit: Unit of the wavelengths.
        latitude: Latitudes in degrees of the whole sphere, else empty.
        longitude: Longitudes in degrees of the whole sphere, else empty.
    """

    kind: GeometryKind
    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    periodic: tuple[bool, ...]
    unit: str
    latitude: tuple[float, ...] = ()
    longitude: tuple[float, ...] = ()

    @staticmethod
    def box(
        shape: Sequence[int],
        spacing: float | Sequence[float] | None,
        periodic: bool | Sequence[bool],
        unit: str | None,
    ) -> FieldGeometry:
        """Return a box; without a spacing, lengths are counted in samples.

        Raises:
            InputError: If the grid is invalid.
        """
        modes = GridModes.of(shape, 1.0 if spacing is None else spacing, periodic)
        return FieldGeometry(
            GeometryKind.BOX,
            modes.shape,
            modes.spacing,
            modes.periodic,
            unit or ("samples" if spacing is None else "units"),
        )

    @property
    def frequency_unit(self) -> str:
        """Unit of the bands."""
        return f"cycles/{self.unit}"

    def wavelength(self, frequency: float) -> float:
        """Return the wavelength in `unit` of a frequency of the bands, at most the longest side of the box."""
        longest = max(n * s for n, s in zip(self.shape, self.spacing, strict=True))
        return min(1 / frequency, longest) if frequency > 0 else longest

    def transform(self, target: Tensor) -> tuple[BandTransform, str]:
        """Return the transform that suits these fields, and the name of the estimator.

        A box with open axes gets the even extension where the spectrum of the target is not steeper than f^-3, which
        closes and varies less, and plane detrend with a Hann window otherwise.

        Args:
            target: (channel, *space) one target. The steepest channel decides for all.
        """
        if all(self.periodic):
            return GridTransform(self.shape, self.spacing, True), "periodic"
        windowed = WindowedTransform(self.shape, self.spacing, self.periodic)
        power = windowed.power(windowed.coefficients(target.double().movedim(0, -1)))
        slopes = [
            radial_slope(windowed.bands, windowed.modes, column, windowed.reliable_from)
            for column in power.unbind(1)
        ]
        known = [slope for slope in slopes if math.isfinite(slope)]
        if known and max(known) <= STEEPEST:
            return GridTransform(self.shape, self.spacing, self.periodic), "even extension"
        return windowed, "plane detrend and Hann window"

    def reported(self, transform: BandTransform) -> list[bool]:
        """Return for each band whether it is reliable: three waves per open axis or more, and below Nyquist's corner.

        Raises:
            InputError: If there is no such band.
        """
        box = GridModes.of(self.shape, self.spacing, self.periodic)
        lengths = [self.shape[axis] * self.spacing[axis] for axis in box.even if self.shape[axis] > 1]
        usable = list(usable_bands(transform.bands, 3 / min(lengths) if lengths else 0.0, math.inf))
        if not any(usable):
            raise InputError(
                "a box of at least three waves of its finest scale",
                f"{' x '.join(map(str, self.shape))} samples",
                "verify a larger box, or state which axes are periodic",
                "shape",
            )
        return usable


def tensor_of(values: object) -> Tensor:
    """Return an array or tensor as a tensor on the CPU, without gradients."""
    import numpy as np

    if isinstance(values, Tensor):
        return values.detach().cpu()
    array = np.asarray(values)
    # PyTorch supports no read-only memory; a file mapped as copy-on-write counts as writeable.
    return torch.from_numpy(array if array.flags.writeable else array.copy())

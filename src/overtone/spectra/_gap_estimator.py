"""Which estimator suits fields with missing cells, from one of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.spectra._band_transform import BandTransform
from overtone.spectra._bands import Bands
from overtone.spectra._field_geometry import FieldGeometry
from overtone.spectra._fill import laplace_fill
from overtone.spectra._masked import MaskedGeometry, MaskedTransform
from overtone.spectra._masked_bias import masked_bias
from overtone.spectra._masked_box import MaskedBox
from overtone.spectra._masked_sphere import MaskedSphere
from overtone.spectra._masked_sums import MaskedRows
from overtone.spectra._pair_power import radial_slope
from overtone.spectra._sphere import SphereTransform
from overtone.spectra._windowed import WindowedTransform

_FLATTEST, _STEEPEST = 0.0, 6.0
"""Exponents between which the slope of the power law is taken."""


@final
@dataclass(frozen=True)
class GapEstimator:
    """Estimator of fields with missing cells.

    Attributes:
        periodic: Whether each axis wraps around.
        geometries: Masked geometry of each channel, all with the same bands.
        transform: Transform of filled fields, with the same bands.
        mask: Mask of the first sample, for which `bias` is measured.
        slopes: Exponent p of E(f) ~ f^-p of each channel.
    """

    geometries: tuple[MaskedGeometry, ...]
    transform: BandTransform
    periodic: tuple[bool, ...]
    mask: Tensor
    slopes: tuple[float, ...]

    @property
    def name(self) -> str:
        """Name of the estimator."""
        orders = sorted({order for geometry in self.geometries for order in geometry.orders[1:]})
        return (
            f"differences of order {', '.join(map(str, orders))}, corrected for the coupling of modes by the missing "
            "cells"
        )

    @property
    def plan(self) -> MaskedRows:
        """Measurements of each sample."""
        return MaskedRows(self.geometries, self.transform, self.periodic)

    def bias(self, reported: Tensor) -> tuple[float, float]:
        """Return the median and the largest error of the ratios over bands and channels, see `masked_bias`.

        Args:
            reported: (band, channel) bands to include.
        """
        errors = [
            masked_bias(geometry, self.mask[channel]).cpu()[reported[:, channel].cpu()]
            for channel, geometry in enumerate(self.geometries)
            if bool(reported[:, channel].any())
        ]
        values = torch.cat(errors) if errors else torch.full((1,), math.nan, device="cpu")
        return float(values.median()), float(values.max())


def gap_estimator(geometry: FieldGeometry, target: Tensor, mask: Tensor) -> GapEstimator:
    """Return the estimator for fields with missing cells.

    The spectra of the filled target give a first slope for each channel; those of the masked one, with differences of
    the order that suits it, give the slope. Bands are merged where the mask cannot tell them apart, in any channel.

    Args:
        geometry: Geometry of the fields.
        target: (channel, *space) one target.
        mask: (channel, *space) where it is valid.
    """
    transform = _gapless(geometry, None)
    slopes = []
    for values, valid in zip(target.double(), mask, strict=True):
        filled = laplace_fill(values[..., None], valid, geometry.periodic)
        first = _slope(geometry, transform, transform.power(transform.coefficients(filled))[:, 0])
        if not math.isfinite(first) or not bool(valid.any()):
            slopes.append(2.0 if not math.isfinite(first) else first)
            continue
        masked = MaskedTransform(_masked(geometry, None, first), valid)
        second = _slope(geometry, masked, masked.power(masked.coefficients(values[..., None]))[:, 0])
        slopes.append(second if math.isfinite(second) else first)
    bands: Bands | None = None
    for valid, slope in zip(mask, slopes, strict=True):
        if bool(valid.any()):
            bands = _masked(geometry, bands, slope).prepared(valid).bands
    geometries = tuple(_masked(geometry, bands, slope) for slope in slopes)
    for prepared, valid in zip(geometries, mask, strict=True):
        prepared.choose_orders(valid if bool(valid.any()) else torch.ones_like(valid))
    return GapEstimator(
        geometries, _gapless(geometry, geometries[0].bands), geometry.periodic, mask, tuple(slopes)
    )


def _masked(geometry: FieldGeometry, bands: Bands | None, slope: float) -> MaskedGeometry:
    if geometry.rows_and_columns is not None:
        return MaskedSphere(geometry.rows_and_columns, bands, slope)
    return MaskedBox(geometry.shape, geometry.spacing, geometry.periodic, bands, slope)


def _gapless(geometry: FieldGeometry, bands: Bands | None) -> SphereTransform | WindowedTransform:
    if geometry.rows_and_columns is not None:
        return SphereTransform(geometry.rows_and_columns, bands)
    return WindowedTransform(geometry.shape, geometry.spacing, geometry.periodic, bands)


def _slope(geometry: FieldGeometry, transform: BandTransform, power: Tensor) -> float:
    modes = torch.ones_like(power)
    lowest = (
        0.0
        if geometry.sphere is not None
        else WindowedTransform(
            geometry.shape, geometry.spacing, geometry.periodic, transform.bands
        ).reliable_from
    )
    slope = radial_slope(transform.bands, modes, power, lowest)
    return min(max(slope, _FLATTEST), _STEEPEST) if math.isfinite(slope) else slope

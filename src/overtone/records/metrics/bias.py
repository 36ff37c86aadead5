"""One number for how much better the low half of the spectrum is learned than the high half."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overtone.records.metrics.content import combine_channels, mean_bands

if TYPE_CHECKING:
    import xarray


def spectral_bias_index(record: xarray.Dataset, cutoff: float | None = None) -> xarray.DataArray:
    """(E_high - E_low) / (E_high + E_low): 0 without bias, 1 if only low frequencies are learned, -1 if only high ones.

    E_low and E_high are residual power over target power below and above the cutoff, without the mean; channels are
    combined. The power of the band that the cutoff divides is shared out as if it were spread evenly within the band.
    After Kiessling and Thor 2022, "A Computable Definition of the Spectral Bias" (AAAI), who divide the target's
    variance into equal halves.

    Args:
        record: From `load` or `concat`.
        cutoff: In the record's frequency unit; by default where the target's power without the mean is halved.

    Returns:
        (step), dimensionless; NaN where one side holds nothing or nothing is left to learn.
    """
    together = combine_channels(record)
    target = together.target_power.where(~mean_bands(together), 0.0)
    if cutoff is None:
        below = target.cumsum("band") - target
        share = (0.5 * target.sum("band") - below) / target.where(target > 0)
    else:
        share = (cutoff - together.band_low) / (together.band_high - together.band_low)
    low = share.clip(0.0, 1.0).fillna(0.0)
    residual = together.residual_power.where(~mean_bands(together), 0.0)
    e_low = _error(residual, target, low)
    e_high = _error(residual, target, 1.0 - low)
    return ((e_high - e_low) / (e_high + e_low)).rename("spectral_bias_index").assign_attrs(units="1")


def _error(
    residual: xarray.DataArray, target: xarray.DataArray, weight: xarray.DataArray
) -> xarray.DataArray:
    power = (weight * target).sum("band")
    return (weight * residual).sum("band", skipna=False) / power.where(power > 0)

"""Relative error and learned fraction of every band."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overtone.records.metrics.content import has_content

if TYPE_CHECKING:
    import xarray


def relative_error(record: xarray.Dataset) -> xarray.DataArray:
    """sqrt(residual power / target power) per step, band and channel: 1 for a prediction of zero, 0 for a perfect one.

    The usual quantity of the frequency-principle literature (Xu et al. 2020, "Frequency Principle: Fourier Analysis
    Sheds Light on Deep Neural Networks"). For all channels together pass `combine_channels(record)`.

    Args:
        record: From `load` or `concat`.

    Returns:
        (step, band, channel), dimensionless; NaN in bands with nothing to learn (see `has_content`).
    """
    power = record.target_power.where(has_content(record))
    return ((record.residual_power / power) ** 0.5).rename("relative_error").assign_attrs(units="1")


def learned_fraction(record: xarray.Dataset) -> xarray.DataArray:
    """Re<prediction, target> / <target, target> per step, band and channel: 0 untouched, 1 learned, above 1 overshoot.

    Args:
        record: From `load` or `concat`; channels are put together by `combine_channels`.

    Returns:
        (step, band, channel), dimensionless; NaN in bands with nothing to learn (see `has_content`).
    """
    power = record.target_power.where(has_content(record))
    return (record.cross_power / power).rename("learned_fraction").assign_attrs(units="1")

"""Pairs from xarray data: forecast, truth and further forecasts, whose samples are paired by their coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._field_geometry import FieldGeometry
from overtone.verification._datasets import (
    Indices,
    check_components,
    check_same_pixels,
    common_variables,
    geometry_of,
    no_overlap,
    order_along,
    paired_samples,
    space_axes,
)
from overtone.verification._pairs import Batch, no_infinity, real_tensor, wind_channels

if TYPE_CHECKING:
    from xarray import DataArray


@final
@dataclass(frozen=True)
class Source:
    """Variables of one data set, and where the paired samples stand in it.

    Attributes:
        name: Name in error messages.
        arrays: Variables with axes of space, and possibly of samples, members and lead time.
        sample: Name of the samples' axis, or None; then all samples are the same field.
        member: Name of the axis of members, or None.
        lead: Name of the axis of lead time, or None.
        space: Names of the axes of space.
        order: For each axis of space the place here of each place in the forecast.
        samples: For each lead time the places of the paired samples.
        places: For each lead time its place along `lead`.
    """

    name: str
    arrays: tuple[DataArray, ...]
    sample: str | None
    member: str | None
    lead: str | None
    space: tuple[str, ...]
    order: tuple[Indices, ...]
    samples: tuple[Indices, ...]
    places: tuple[int, ...]

    def read(self, lead: int, part: slice) -> Tensor:
        """Return (sample, channel, *space) values, with members as the second axis if there are any."""
        fields = [self._field(array, self.samples[lead][part], self.places[lead]) for array in self.arrays]
        result = torch.stack(fields, dim=1 if self.member is None else 2)
        first = result.ndim - len(self.space)
        for axis, order in enumerate(self.order):
            if not np.array_equal(order, np.arange(result.shape[first + axis])):
                result = result.index_select(first + axis, torch.from_numpy(order))
        return result

    def _field(self, array: DataArray, samples: Indices, place: int) -> Tensor:
        if self.lead is not None:
            array = array.isel({self.lead: place})
        array = (
            array.expand_dims(__sample=len(samples))
            if self.sample is None
            else array.isel({self.sample: _slice(samples)})
        )
        members = () if self.member is None else (self.member,)
        try:
            values = array.transpose(self.sample or "__sample", *members, *self.space).values
        except (OSError, ValueError, RuntimeError, EOFError) as error:
            raise InputError(
                "values that can be read", f"{error}", "write the file again", f"{self.name}, {array.name}"
            ) from error
        return no_infinity(real_tensor(values, self.name), f"{self.name}, {array.name}")


@final
@dataclass(frozen=True)
class DatasetPairs:
    """Pairs from xarray data, read in parts; attributes beside these as of `Pairs`.

    Attributes:
        sources: Forecast, truth, and the further forecasts.
    """

    sources: tuple[Source, ...]
    variables: tuple[str, ...]
    leads: tuple[str, ...] | None
    geometry: FieldGeometry
    paired: tuple[int, int, int]
    winds: tuple[int, int] | None = None

    @property
    def members(self) -> int:
        """Members of the ensemble; 0 without an axis of members."""
        forecast = self.sources[0]
        return 0 if forecast.member is None else int(forecast.arrays[0].sizes[forecast.member])

    @property
    def others(self) -> tuple[str, ...]:
        """Names of the further forecasts."""
        return tuple(source.name for source in self.sources[2:])

    def count(self, lead: int) -> int:
        """Return the paired samples of a lead time."""
        return len(self.sources[0].samples[lead])

    def read(self, lead: int, part: slice) -> Batch:
        """Return paired samples of a lead time."""
        forecast, truth, *others = (source.read(lead, part) for source in self.sources)
        means = (
            values if source.member is None else values.mean(1)
            for source, values in zip(self.sources[2:], others, strict=True)
        )
        return Batch(truth, forecast, tuple(means))


def _slice(indices: Indices) -> Indices | slice:
    """Return neighbouring indices as a slice, which files are read fastest by."""
    if len(indices) and np.array_equal(indices, np.arange(indices[0], indices[0] + len(indices))):
        return slice(int(indices[0]), int(indices[0]) + len(indices))
    return indices


@final
@dataclass(frozen=True)
class Axes:
    """Names of axes as the caller states them; None for those that are recognised or absent.

    Attributes:
        space: Axes of space.
        lead: The forecast's axis of lead time.
        member: The forecast's axis of members.
        periodic: Whether the axes of a box wrap around.
        winds: Names of the eastward and northward component of a wind.
        healpix: Order of the pixels of a HEALPix grid.
    """

    space: Sequence[str] | None = None
    lead: str | None = None
    member: str | None = None
    periodic: bool | tuple[bool, ...] = False
    winds: Sequence[str] | None = None
    healpix: str | None = None


def dataset_pairs(
    forecast: Any,
    truth: Any,
    variables: tuple[str, ...] | None,
    axes: Axes,
    against: Mapping[str, Any] | None = None,
    persistence: bool = False,
) -> DatasetPairs:
    """Pair xarray data by their coordinates.

    Args:
        forecast: DataArray or Dataset.
        truth: The same.
        variables: Names to verify; all common ones if None.
        axes: Names of axes.
        against: Further forecasts by name.
        persistence: Whether the truth at the initial time is one more forecast.

    Raises:
        InputError: If they cannot be paired.
    """
    forecast_arrays, truth_arrays, names = common_variables(
        forecast, truth, variables, axes.space, axes.healpix
    )
    for axis, name in ((axes.lead, "lead"), (axes.member, "member")):
        if axis is not None and axis not in forecast_arrays[0].dims:
            raise InputError(
                f"one of the axes {', '.join(map(str, forecast_arrays[0].dims))}",
                repr(axis),
                "choose among them",
                name,
            )
    first, second = _source("forecast", forecast_arrays, axes), _source("truth", truth_arrays, axes)
    if first.member is not None and forecast_arrays[0].sizes[first.member] < 2:
        raise InputError("at least two members", "one", "leave member out", "forecast")
    if second.member is not None:
        raise InputError("a truth without members", f"the axis {second.member}", "select one", "truth")
    geometry = geometry_of(forecast_arrays[0], first.space, axes.periodic, axes.healpix)
    check_same_pixels(geometry, truth_arrays[0], second.space, axes.healpix)
    leads, indices = paired_samples(
        forecast_arrays[0], truth_arrays[0], first.sample, second.sample, axes.lead
    )
    if not any(len(pair[0]) for pair in indices):
        raise no_overlap(forecast_arrays[0], truth_arrays[0], first.sample, second.sample)
    placed = [_placed(first, first, [i[0] for i in indices], [i[2] for i in indices])]
    placed.append(_placed(second, first, [i[1] for i in indices], [i[3] for i in indices]))
    others = []
    for name, data in (against or {}).items():
        shared = names if hasattr(data, "data_vars") else None
        arrays = common_variables(data, truth, shared, axes.space, axes.healpix)[0]
        source = _source(name, arrays, axes)
        others.append(_aligned(source, placed[0], placed[1], leads))
    if persistence:
        others.append(_persistence(placed[0], placed[1]))
    sources, common = _intersected(placed, others)
    used = [lead for lead, count in enumerate(common) if count]
    if not used:
        raise InputError(
            "samples that the truth and all forecasts have",
            "none",
            "choose data of the same period",
            "against",
        )
    sizes = (
        _size(forecast_arrays[0], first.sample),
        _size(truth_arrays[0], second.sample),
        min(common[i] for i in used),
    )
    if axes.lead is not None and axes.lead not in truth_arrays[0].dims:
        # A truth at valid times has more times than pairs, by its nature.
        sizes = (sizes[0], sizes[2], sizes[2])
    winds, shown = wind_channels(axes.winds, names)
    if winds is not None:
        check_components(forecast_arrays[winds[0]], forecast_arrays[winds[1]])
    return DatasetPairs(
        tuple(_at_leads(source, used) for source in sources),
        shown,
        None if leads is None else tuple(leads[i] for i in used),
        geometry,
        sizes,
        winds,
    )


def _source(name: str, arrays: tuple[DataArray, ...], axes: Axes) -> Source:
    """Return a source with its axes, not yet with its samples.

    Raises:
        InputError: If variables have different axes, or an axis is left over.
    """
    dims = [str(d) for d in arrays[0].dims]
    for array in arrays[1:]:
        if set(array.dims) != set(dims):
            raise InputError(
                "variables with the same axes",
                f"{', '.join(dims)} and {', '.join(map(str, array.dims))}",
                "verify them one by one",
                name,
            )
    space = space_axes(arrays[0], axes.space, name, axes.healpix)
    member = axes.member if axes.member in dims else None
    lead = axes.lead if axes.lead in dims else None
    others = [d for d in dims if d not in (*space, lead, member)]
    if len(others) > 1:
        # Axes of one place, such as a single level, are no samples.
        single = [d for d in others if arrays[0].sizes[d] == 1][: len(others) - 1]
        arrays = tuple(array.isel(dict.fromkeys(single, 0)) for array in arrays)
        others = [d for d in others if d not in single]
    if len(others) > 1:
        raise InputError(
            "one axis of samples beside those of space, lead time and members",
            ", ".join(others),
            "select one place of the others (.isel), or name the lead time (lead) or the members (member)",
            name,
        )
    return Source(name, arrays, others[0] if others else None, member, lead, space, (), (), ())


def _placed(source: Source, forecast: Source, samples: Sequence[Indices], places: Sequence[int]) -> Source:
    """Return a source with the places of its samples, on the grid of the forecast."""
    order = tuple(
        order_along(forecast.arrays[0], source.arrays[0], forecast_axis, source_axis)
        for forecast_axis, source_axis in zip(forecast.space, source.space, strict=True)
    )
    return replace(source, order=order, samples=tuple(samples), places=tuple(places))


def _aligned(source: Source, forecast: Source, truth: Source, leads: Sequence[str] | None) -> Source:
    """Return a further forecast with the places of the truth's samples; -1 where it has none."""
    array, truth_array, places = source.arrays[0], truth.arrays[0], [0] * len(truth.samples)
    if source.sample is None:
        # One field for all times, such as a mean over years.
        return _placed(source, forecast, [np.zeros(len(s), np.int64) for s in truth.samples], places)
    labels, pairs = paired_samples(array, truth_array, source.sample, truth.sample, source.lead)
    result = []
    for lead, places_there in enumerate(truth.samples):
        at = lead if labels is not None else 0
        if labels is not None and leads is not None:
            at = labels.index(leads[lead]) if leads[lead] in labels else -1
        if at < 0:
            result.append(np.full(len(places_there), -1))
            continue
        source_index, truth_index, places[lead], _ = pairs[at]
        table = np.full(_size(truth_array, truth.sample), -1)
        table[truth_index] = source_index
        result.append(table[places_there])
    return _placed(source, forecast, result, places)


def _persistence(forecast: Source, truth: Source) -> Source:
    """Return the truth at the initial times as a forecast; -1 where it has none.

    Raises:
        InputError: If there is no lead time.
    """
    array, sample = truth.arrays[0], forecast.sample
    if forecast.lead is None or sample is None or truth.lead is not None:
        raise InputError(
            "initial times and lead times of the forecast, and a truth at valid times, for persistence",
            "no lead time" if forecast.lead is None else "a truth with lead times",
            "name the lead time (lead), or leave persistence out",
            "baselines",
        )
    at = array.indexes[str(truth.sample)].get_indexer(forecast.arrays[0].indexes[sample]).astype(np.int64)
    named = replace(truth, name="persistence")
    return _placed(
        named, forecast, [at[samples] for samples in forecast.samples], [0] * len(forecast.samples)
    )


def _intersected(placed: Sequence[Source], others: Sequence[Source]) -> tuple[list[Source], list[int]]:
    """Return sources with the samples that all have, and the number of these per lead time."""
    sources = [*placed, *others]
    masks = [
        np.logical_and.reduce([source.samples[lead] >= 0 for source in sources])
        for lead in range(len(placed[0].samples))
    ]
    result = [
        replace(source, samples=tuple(s[mask] for s, mask in zip(source.samples, masks, strict=True)))
        for source in sources
    ]
    return result, [int(mask.sum()) for mask in masks]


def _at_leads(source: Source, leads: Sequence[int]) -> Source:
    return replace(
        source,
        samples=tuple(source.samples[i] for i in leads),
        places=tuple(source.places[i] for i in leads),
    )


def _size(array: DataArray, sample: str | None) -> int:
    return 1 if sample is None else int(array.sizes[sample])

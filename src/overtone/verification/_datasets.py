"""Coordinates of xarray data: axes recognised by their names and attributes, places and samples that both have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from overtone.errors import InputError
from overtone.spectra._field_geometry import FieldGeometry, common_step
from overtone.spectra._healpix import HealpixGrid
from overtone.verification._pairs import chosen
from overtone.verification._pixels import has_pixels, healpix_axis, with_grid_mapping

if TYPE_CHECKING:
    from xarray import DataArray

Indices = NDArray[np.int64]

_LATITUDE, _LONGITUDE = ("lat", "latitude", "nav_lat", "rlat"), ("lon", "longitude", "nav_lon", "rlon")
_HOURS = {
    "h": 1.0,
    "hr": 1.0,
    "hour": 1.0,
    "d": 24.0,
    "day": 24.0,
    "min": 1 / 60,
    "minute": 1 / 60,
    "s": 1 / 3600,
    "second": 1 / 3600,
}


def common_variables(
    forecast: Any,
    truth: Any,
    variables: tuple[str, ...] | None,
    space: Sequence[str] | None,
    healpix: str | None = None,
) -> tuple[tuple[DataArray, ...], tuple[DataArray, ...], tuple[str, ...]]:
    """Return the variables of both, and their names."""
    tables = []
    for data in (forecast, truth):
        if hasattr(data, "data_vars"):
            # Bounds and other variables without space are no fields.
            arrays = {str(n): with_grid_mapping(data, a) for n, a in data.data_vars.items()}
            tables.append({n: a for n, a in arrays.items() if _has_space(a, space, healpix)})
        else:
            tables.append({str(data.name or "values"): data})
    if not any(hasattr(data, "data_vars") for data in (forecast, truth)) and variables is None:
        # Two single arrays are meant as a pair, whatever their names.
        ((name, forecast_array),), ((_, truth_array),) = tables[0].items(), tables[1].items()
        names: tuple[str, ...] = (name,)
        pairs = [(forecast_array, truth_array)]
    else:
        names = chosen(tuple(tables[0]), tuple(tables[1]), variables)
        pairs = [(tables[0][name], tables[1][name]) for name in names]
    for name, (forecast_array, truth_array) in zip(names, pairs, strict=True):
        units = forecast_array.attrs.get("units"), truth_array.attrs.get("units")
        if None not in units and _canonical(units[0]) != _canonical(units[1]):
            raise InputError(
                "the same unit in both", f"{units[0]!r} and {units[1]!r}", "convert one of them", name
            )
    return tuple(a for a, _ in pairs), tuple(b for _, b in pairs), names


def check_components(east: DataArray, north: DataArray) -> None:
    """Refuse components of a wind that their attributes contradict.

    Args:
        east: The component named as the eastward one.
        north: That named as the northward one.

    Raises:
        InputError: If units differ, or the standard names are exchanged.
    """
    units = east.attrs.get("units"), north.attrs.get("units")
    if None not in units and _canonical(units[0]) != _canonical(units[1]):
        raise InputError(
            "one unit for both components", f"{units[0]!r} and {units[1]!r}", "convert one of them", "winds"
        )
    if str(east.attrs.get("standard_name", "")).startswith("northward") or str(
        north.attrs.get("standard_name", "")
    ).startswith("eastward"):
        raise InputError(
            "the eastward component first", f"{east.name}, {north.name}", "exchange them", "winds"
        )


def _canonical(unit: Any) -> str:
    """Return a unit in one spelling: exponents without sign, divisions as exponents, kelvin as K."""
    text = str(unit).strip().replace("**", "").replace("^", "")
    over, *under = text.split("/")
    parts = [over.strip(), *(f"{part.strip()}-1" for part in under)]
    text = " ".join(part for part in parts if part not in ("", "1"))
    return "K" if text.lower() in ("k", "kelvin", "degk", "deg_k") else text


def _is_coordinate(array: DataArray, dim: str, names: Sequence[str], unit: str, standard: str) -> bool:
    attributes = array[dim].attrs if dim in array.coords else {}
    return (
        dim.lower() in names
        or str(attributes.get("units", "")).startswith(unit)
        or attributes.get("standard_name") == standard
    )


def globe_axes(array: DataArray) -> tuple[str, str] | None:
    """Return the axes of latitude and longitude of an array, if there are both with coordinates."""
    dims = [str(d) for d in array.dims]
    rows = [d for d in dims if _is_coordinate(array, d, _LATITUDE, "degrees_n", "latitude")]
    columns = [d for d in dims if _is_coordinate(array, d, _LONGITUDE, "degrees_e", "longitude")]
    if len(rows) == len(columns) == 1 and rows[0] in array.coords and columns[0] in array.coords:
        return rows[0], columns[0]
    return None


def _has_space(array: DataArray, space: Sequence[str] | None, healpix: str | None) -> bool:
    if space is not None:
        return all(axis in array.dims for axis in space)
    if has_pixels(array, healpix):
        return True
    return globe_axes(array) is not None or any(axis in array.dims for axis in "xyz")


def space_axes(
    array: DataArray, space: Sequence[str] | None, source: str, healpix: str | None = None
) -> tuple[str, ...]:
    """Return the names of the axes of space."""
    dims = ", ".join(map(str, array.dims))
    pixels = healpix_axis(array, healpix, space)
    if pixels is not None and space is None:
        return (pixels[0],)
    if space is not None:
        for axis in space:
            if axis not in array.dims:
                raise InputError(
                    f"one of the axes {dims}", repr(axis), "choose among them", f"{source}, space"
                )
        return tuple(space)
    globe = globe_axes(array)
    if globe is not None:
        return globe
    axes = tuple(axis for axis in "zyx" if axis in array.dims)
    if not axes:
        raise InputError(
            "axes of latitude and longitude, or of x, y and z", dims, "name the axes of space (space)", source
        )
    return axes


def geometry_of(
    array: DataArray,
    space: tuple[str, ...],
    periodic: bool | tuple[bool, ...],
    healpix: str | None = None,
) -> FieldGeometry:
    pixels = healpix_axis(array, healpix, space)
    if pixels is not None and space == (pixels[0],):
        return FieldGeometry.healpix(pixels[1])
    if globe_axes(array) == space:
        return FieldGeometry.of_coordinates(*(array[axis].values for axis in space))
    shape = [array.sizes[axis] for axis in space]
    if not all(axis in array.coords for axis in space):
        return FieldGeometry.box(shape, None, periodic, None)
    steps = [common_step(array[axis].values.astype(np.float64), axis) for axis in space]
    units = {str(array[axis].attrs.get("units", "units")) for axis in space}
    if len(units) > 1:
        raise InputError(
            "one unit for all axes of space", " and ".join(sorted(units)), "convert the coordinates", "space"
        )
    directions = [1 if step > 0 else -1 for step in steps]
    return FieldGeometry.box(shape, [abs(step) for step in steps], periodic, units.pop(), directions)


def check_same_pixels(
    geometry: FieldGeometry, truth: DataArray, space: tuple[str, ...], healpix: str | None
) -> None:
    """Refuse HEALPix pixels that forecast and truth number in different orders.

    Args:
        geometry: Geometry of the forecast.
        truth: The truth.
        space: Its axes of space.
        healpix: Order of the pixels as stated by the caller.

    Raises:
        InputError: If one has pixels in ring order, and the other one in nested order or none.
    """
    pixels = healpix_axis(truth, healpix, space)
    other = pixels[1] if pixels is not None and space == (pixels[0],) else None
    grid = geometry.sphere if isinstance(geometry.sphere, HealpixGrid) else None
    if grid != other:
        kinds = [_named(grid) for grid in (grid, other)]
        raise InputError(
            "forecast and truth on one HEALPix grid", " and ".join(kinds), "convert one of them", "truth"
        )


def _named(grid: HealpixGrid | None) -> str:
    if grid is None:
        return "no such grid"
    return f"nside {grid.nside} in {'nested' if grid.nested else 'ring'} order"


def order_along(forecast: DataArray, truth: DataArray, first: str, second: str) -> Indices:
    """Return the place in the truth of each place of the forecast along an axis of space."""
    n, m = forecast.sizes[first], truth.sizes[second]
    if first not in forecast.coords or second not in truth.coords:
        if n != m:
            raise InputError(
                f"{n} places along {first}", f"{m} in the truth", "interpolate one of them", "truth"
            )
        return np.arange(n)
    a, b = (x.values.astype(np.float64) for x in (forecast[first], truth[second]))
    distance = a[:, None] - b
    if _is_coordinate(forecast, first, _LONGITUDE, "degrees_e", "longitude"):
        distance = np.mod(distance + 180, 360) - 180
    distance = np.abs(distance)
    step = float(np.median(np.abs(np.diff(a)))) if n > 1 else 1.0
    nearest = distance.argmin(1)
    matched = distance.min(1) < 0.02 * step
    if not matched.all() or _covers_less(b, step):
        raise InputError(
            f"the forecast's {n} places along {first} in the truth",
            f"{m} places from {b.min():g} to {b.max():g}, which share {int(matched.sum())}",
            "interpolate one of them to the grid of the other",
            "truth",
        )
    return nearest.astype(np.int64)


def _covers_less(b: NDArray[np.float64], step: float) -> bool:
    """Return whether a truth is finer than the step of the forecast, which would take every second or third place."""
    finer = float(np.median(np.abs(np.diff(b)))) if len(b) > 1 else step
    return finer < 0.9 * step


def paired_samples(
    forecast: DataArray,
    truth: DataArray,
    forecast_sample: str | None,
    truth_sample: str | None,
    lead: str | None,
) -> tuple[list[str] | None, list[tuple[Indices, Indices, int, int]]]:
    """Return the lead times as text, and for each the paired samples with the place of the lead in both."""
    if (forecast_sample is None) != (truth_sample is None):
        present, absent = ("forecast", "truth") if truth_sample is None else ("truth", "forecast")
        raise InputError(
            f"samples along {forecast_sample or truth_sample} in both",
            f"them in the {present} alone",
            "select one sample, or add the axis (.expand_dims)",
            absent,
        )
    if lead is None:
        return None, [(*_common(forecast, truth, forecast_sample, truth_sample), 0, 0)]
    places = range(forecast.sizes[lead])
    labels = [_label(forecast, lead, place) for place in places]
    if lead in truth.dims:
        order = _order_of_leads(forecast, truth, lead)
        pair = _common(forecast, truth, forecast_sample, truth_sample)
        return labels, [
            (*pair, place, int(order[place])) if order[place] >= 0 else (pair[0][:0], pair[1][:0], place, 0)
            for place in places
        ]
    if forecast_sample is None or forecast_sample not in forecast.coords or truth_sample not in truth.coords:
        raise InputError(
            "initial times of the forecast and times of the truth as coordinates",
            "none",
            "add them (.assign_coords)",
            "lead",
        )
    start, valid = forecast.indexes[forecast_sample], truth.indexes[str(truth_sample)]
    _check_calendars(start, valid, forecast_sample)
    result = []
    for place in places:
        at = valid.get_indexer(start + _duration(forecast, lead, place))
        result.append((np.flatnonzero(at >= 0), at[at >= 0].astype(np.int64), place, 0))
    return labels, result


def _common(
    forecast: DataArray, truth: DataArray, forecast_sample: str | None, truth_sample: str | None
) -> tuple[Indices, Indices]:
    """Return the places of the samples that both have, in the order of the forecast."""
    if forecast_sample is None or truth_sample is None:
        return np.arange(1), np.arange(1)
    if forecast_sample in forecast.indexes and truth_sample in truth.indexes:
        first, second = forecast.indexes[forecast_sample], truth.indexes[truth_sample]
        _check_calendars(first, second, forecast_sample)
        if not (first.is_unique and second.is_unique):
            raise InputError(
                "each sample once", f"repeated values of {forecast_sample}", "remove them", "samples"
            )
        at = second.get_indexer(first)
        return np.flatnonzero(at >= 0), at[at >= 0].astype(np.int64)
    n, m = forecast.sizes[forecast_sample], truth.sizes[truth_sample]
    if n != m:
        raise InputError(
            f"{n} samples, as without coordinates of {forecast_sample} they are paired in order",
            f"{m}",
            "add coordinates to both, or select the same samples",
            "truth",
        )
    return np.arange(n), np.arange(n)


def _check_calendars(first: Any, second: Any, sample: str) -> None:
    """Refuse times of different calendars.

    Raises:
        InputError: If they differ.
    """
    # Times of NumPy have no name of a calendar; the standard one is theirs.
    names = [
        getattr(index, "calendar", "standard" if index.dtype.kind == "M" else None)
        for index in (first, second)
    ]
    standard = ("standard", "gregorian", "proleptic_gregorian")
    plain = ["standard" if name in standard else name for name in names]
    mixed = first.dtype.kind != second.dtype.kind and None not in names
    if plain[0] != plain[1] or mixed:
        raise InputError(
            f"one calendar along {sample}",
            " and ".join(str(name or first.dtype) for name in names),
            "convert one of them (.convert_calendar)",
            "truth",
        )


def _order_of_leads(forecast: DataArray, truth: DataArray, lead: str) -> Indices:
    if lead in forecast.indexes and lead in truth.indexes:
        return truth.indexes[lead].get_indexer(forecast.indexes[lead]).astype(np.int64)
    if forecast.sizes[lead] != truth.sizes[lead]:
        raise InputError(
            f"{forecast.sizes[lead]} lead times", f"{truth.sizes[lead]}", "select the same ones", "truth"
        )
    return np.arange(forecast.sizes[lead])


def _hours(array: DataArray, lead: str, place: int) -> float | None:
    """Return a lead time in hours, or None if it has no unit of time."""
    if lead not in array.coords:
        return None
    value = array[lead].values[place]
    if isinstance(value, np.timedelta64):
        return float(value / np.timedelta64(1, "s")) / 3600
    unit = str(array[lead].attrs.get("units", "")).strip().lower()
    factor = _HOURS.get(unit, _HOURS.get(unit.removesuffix("s")))
    return None if factor is None else float(value) * factor


def _duration(array: DataArray, lead: str, place: int) -> Any:
    import pandas

    hours = _hours(array, lead, place)
    if hours is None:
        raise InputError(
            "lead times with a unit of time, such as hours",
            f"{array[lead].dtype} without one" if lead in array.coords else "no coordinate",
            f'set forecast["{lead}"].attrs["units"] = "hours"',
            "lead",
        )
    return pandas.Timedelta(hours=hours)


def _label(array: DataArray, lead: str, place: int) -> str:
    hours = _hours(array, lead, place)
    if hours is None:
        return str(array[lead].values[place]) if lead in array.coords else str(place)
    return f"{hours:g} h" if hours % 24 or hours == 0 else f"{hours / 24:g} d"


def no_overlap(
    forecast: DataArray, truth: DataArray, forecast_sample: str | None, truth_sample: str | None
) -> InputError:
    ranges = []
    for array, sample in ((forecast, forecast_sample), (truth, truth_sample)):
        index = array.indexes[str(sample)]
        ranges.append(f"{index.min()} to {index.max()}" if len(index) else "none")
    return InputError(
        f"samples that both have along {forecast_sample}",
        f"{ranges[0]} in the forecast and {ranges[1]} in the truth",
        "choose files of the same period",
        "truth",
    )

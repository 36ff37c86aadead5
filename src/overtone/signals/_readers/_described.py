"""Conversion of xarray and pandas objects and quantities with a unit to `LabelledArray`."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from overtone._utils.missing_values import entire
from overtone.errors import InputError

_CHANNELS = (
    "channel",
    "channels",
    "band",
    "bands",
    "component",
    "components",
    "variable",
    "rgb",
    "rgba",
    "color",
    "colour",
)
_FILLS = ("_FillValue", "missing_value", "fill_value", "nodata")
_USED = (
    "units",
    "long_name",
    "standard_name",
    "axis",
    "calendar",
    "positive",
    "scale_factor",
    "add_offset",
    *_FILLS,
)
_RANGE = ("valid_min", "valid_max", "valid_range")


@dataclass(frozen=True)
class Axis:
    """One axis of a labelled array.

    Attributes:
        name: Name of the axis.
        labels: (n,) coordinates, dates or words; None without labels.
        unit: Unit of the coordinates, "" if unknown.
        kind: The standard name, or "".
    """

    name: str
    labels: np.ndarray | None
    unit: str = ""
    kind: str = ""

    @property
    def named(self) -> bool:
        """Whether the entries have names or the axis is named as a channel axis, not one of space or time."""
        words = self.labels is not None and self.labels.dtype.kind in "US"
        words = words or (
            self.labels is not None
            and self.labels.dtype.kind == "O"
            and all(isinstance(label, str) for label in self.labels)
        )
        return words or self.name.lower() in _CHANNELS


@dataclass(frozen=True)
class LabelledArray:
    """Values with the description of their axes.

    Attributes:
        values: The numbers, an array or tensor.
        axes: Description of each axis of the values.
        name: Name of the quantity, "" if unknown.
        unit: Unit of the values, "" if unknown.
        table: Whether the values are columns of a table, each with a separate scale.
        notes: Notes on applied conversions and unused labels.
    """

    values: Any
    axes: tuple[Axis, ...]
    name: str = ""
    unit: str = ""
    table: bool = False
    notes: tuple[str, ...] = field(default=())


def extract_labels(values: Any, key: str | None, location: str) -> LabelledArray | None:
    """Extract the labels of an array, or return None if it has no labels.

    Args:
        values: Any object.
        key: Name of the variable in a Dataset of several.
        location: Name of the argument in error messages.

    Raises:
        InputError: If a Dataset has several variables and no key names one, or values are marked as missing.
    """
    module = type(values).__module__.partition(".")[0]
    if module == "xarray":
        return _xarray(select_variable(values, key, location), location)
    if module in ("pandas", "geopandas") and hasattr(values, "index") and hasattr(values, "to_numpy"):
        return _pandas(values)
    return _quantity(values)


def refuse_described(values: Any, location: str) -> None:
    """Raise an error for an array whose coordinates or unit a reader of unlabelled arrays would drop.

    Raises:
        InputError: If it has labels or a unit; `signals.array` uses them.
    """
    array = extract_labels(values, None, location)
    if array is not None and (
        array.unit or array.notes or any(axis.labels is not None for axis in array.axes)
    ):
        raise InputError(
            "an array without labels",
            f"a {type(values).__name__} with coordinates, attributes or a unit",
            "pass it to signals.array, which uses them, or pass its numbers alone (numpy.asarray)",
            location,
        )


def _quantity(values: Any) -> LabelledArray | None:
    """Convert quantities of pint (`magnitude`, `units`) and astropy (`value`, `unit`)."""
    for number, unit in (("magnitude", "units"), ("value", "unit")):
        if hasattr(values, number) and hasattr(values, unit) and hasattr(values, "to"):
            bare = getattr(values, number)
            axes = tuple(Axis(f"axis {i}", None) for i in range(np.ndim(bare)))
            return LabelledArray(bare, axes, unit=str(getattr(values, unit)))
    return None


def select_variable(values: Any, key: str | None, location: str) -> Any:
    """Select the one variable of a Dataset, or return the array itself.

    Raises:
        InputError: If there are several variables of numbers and no key names one.
    """
    if not hasattr(values, "data_vars"):
        if key is not None:
            raise InputError("no key, as there is one array", f"key={key!r}", "leave it out", location)
        return values
    names = {name: values[name] for name in values.data_vars}
    aside: set[Hashable] = set()
    # Variables that others refer to (cell bounds, projections) are metadata.
    for variable in [*names.values(), *(values[c] for c in values.coords)]:
        for attribute in ("bounds", "grid_mapping", "climatology"):
            aside.add({**variable.encoding, **variable.attrs}.get(attribute))
    usable = [n for n, v in names.items() if n not in aside and v.ndim and v.dtype.kind in "biufc"]
    if key is not None and key in names:
        return names[key]
    if key is not None or len(usable) != 1:
        listed = ", ".join(map(str, usable[:8])) or "none"
        raise InputError(
            "one variable of numbers" if key is None else f"a variable named {key!r}",
            f"{len(usable)} ({listed})" if key is None else listed,
            "pass key=" if usable else "pass a variable of numbers",
            location,
        )
    return names[usable[0]]


def _xarray(array: Any, location: str) -> LabelledArray:
    attributes = dict(array.attrs)
    values, notes = _unpacked(array.values, attributes, location)
    axes = tuple(_axis(array, dim) for dim in array.dims)
    coords = getattr(array, "coords", {})
    others = [_described(name, coords[name]) for name in coords if name not in array.dims]
    unused = [str(name) for name in attributes if name not in _USED and name not in _RANGE]
    if others:
        notes += (f"coordinates beside the axes are not used: {', '.join(others[:8])}",)
    if unused:
        notes += (f"attributes that are not used: {', '.join(unused[:12])}",)
    name = str(
        getattr(array, "name", None) or attributes.get("long_name") or attributes.get("standard_name") or ""
    )
    return LabelledArray(values, axes, name, str(attributes.get("units", "")), notes=notes)


def _axis(array: Any, dim: Hashable) -> Axis:
    coords = getattr(array, "coords", {})
    if dim not in coords:
        return Axis(str(dim), None)
    coordinate = coords[dim]
    return Axis(
        str(dim),
        coordinate.values,
        str(coordinate.attrs.get("units", "")),
        str(coordinate.attrs.get("standard_name", "")),
    )


def _described(name: Hashable, coordinate: Any) -> str:
    if coordinate.ndim:
        return f"{name} ({', '.join(map(str, coordinate.dims))})"
    return f"{name} = {str(coordinate.values)[:40]}"


def _unpacked(values: Any, attributes: Mapping[Hashable, Any], location: str) -> tuple[Any, tuple[str, ...]]:
    """Apply the scale and offset of a packed variable; raise an error for missing values."""
    array = np.asarray(entire(values, location))
    if array.dtype.kind not in "biuf":
        return array, ()
    # Fill values are compared before scaling, as the convention (CF 2.5.1) defines them.
    for name in _FILLS:
        for mark in np.atleast_1d(attributes.get(name, [])):
            _refuse(array == mark, f"{name} = {mark}", location)
    low, high = np.atleast_1d(attributes.get("valid_range", (-np.inf, np.inf)))[:2]
    low, high = attributes.get("valid_min", low), attributes.get("valid_max", high)
    _refuse(
        (array < low) | (array > high),
        f"the valid range {low} to {high}",
        location,
    )
    slope, offset = attributes.get("scale_factor", 1), attributes.get("add_offset", 0)
    if slope == 1 and offset == 0:
        return array, ()
    note = f"values multiplied by scale_factor = {slope} and shifted by add_offset = {offset}"
    return array.astype(np.float64) * float(slope) + float(offset), (note,)


def _refuse(bad: np.ndarray, words: str, location: str) -> None:
    if not bad.any():
        return
    place = tuple(int(i[0]) for i in np.nonzero(np.atleast_1d(bad)))
    raise InputError(
        "values without gaps",
        f"{int(bad.sum())} of {bad.size} marked as missing by {words}, the first at index "
        f"{place[0] if len(place) == 1 else place}",
        "fill or remove them, or pass the coordinates and values of the valid samples to signals.points",
        location,
    )


def _pandas(frame: Any) -> LabelledArray:
    index, columns = _pandas_axis(frame.index), getattr(frame, "columns", None)
    if columns is None:
        return LabelledArray(
            frame.to_numpy(), (index,), "" if frame.name is None else str(frame.name), table=True
        )
    for number, (name, kind) in enumerate(zip(columns, frame.dtypes, strict=True)):
        words = (
            getattr(kind, "kind", "O") == "O"
            and frame.iloc[:, number].map(lambda v: isinstance(v, str)).any()
        )
        if getattr(kind, "kind", "") == "M" or str(kind).startswith(("string", "str")) or words:
            dates = getattr(kind, "kind", "") == "M"
            raise InputError(
                "columns of numbers",
                f"{'dates' if dates else 'text'} in column {str(name)!r}",
                f"make it the index (frame.set_index({str(name)!r}))"
                if dates
                else "drop it, or encode it as numbers",
                "array",
            )
    across = _pandas_axis(columns, "columns")
    if across.labels is not None and across.labels.dtype.kind == "O":
        across = Axis(across.name, np.array([str(label) for label in across.labels]))
    return LabelledArray(frame.to_numpy(), (index, across), table=across.named)


def _pandas_axis(index: Any, fallback: str = "index") -> Axis:
    name = "" if index.name is None else str(index.name)
    # Periods become their start and zoned times become UTC, both as datetime64 without a zone.
    if type(index).__name__ == "PeriodIndex":
        index = index.to_timestamp()
    if getattr(index, "tz", None) is not None:
        index = index.tz_convert("UTC").tz_localize(None)
    if type(index).__name__ == "RangeIndex" and (index.start, index.step) == (0, 1):
        return Axis(name or "row", None)
    labels = index.to_numpy()
    return Axis(name or ("time" if labels.dtype.kind in "Mm" else fallback), labels)

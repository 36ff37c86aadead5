"""Reader of labelled arrays (xarray, pandas): coordinates become the grid, names become the channels."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from overtone.errors import InputError
from overtone.signals._construction import check_shape, make_signal
from overtone.signals._geometry import Grid
from overtone.signals._readers._described import Axis, LabelledArray
from overtone.signals._readers._numbers import to_tensor_with_notes
from overtone.signals._readers._table import split_unit
from overtone.signals._readers._times import DURATIONS, calendar_months
from overtone.signals._signal import Signal

_KINDS = {1: "series", 2: "array", 3: "volume"}
_TOLERANCE, _OFF_LINE = 0.01, 0.25
_LONGITUDE = re.compile(r"lon|long|longitude|x_?lon|nav_lon|rlon", re.I)
_EAST = re.compile(r"degrees?_?(east|e)|degrees?E", re.I)
_DEGREES = re.compile(r"deg.*|°.*", re.I)
_SINCE = re.compile(
    r"\s*(seconds?|secs?|s|minutes?|mins?|hours?|hrs?|h|days?|d|months?|years?)\s+since\s+(.+)", re.I
)
_CIRCLE, _CLOSE = 360.0, 1e-3


LENGTHS = {
    "nm nanometer nanometers nanometre nanometres": 1e-9,
    "um µm μm micrometer micrometers micrometre micrometres micron microns": 1e-6,
    "mm millimeter millimeters millimetre millimetres": 1e-3,
    "cm centimeter centimeters centimetre centimetres": 1e-2,
    "m meter meters metre metres": 1.0,
    "km kilometer kilometers kilometre kilometres": 1e3,
}
"""Names of units of length, and their metres."""


@dataclass(frozen=True)
class GridOptions:
    """Options of the caller, which override the labels of the array.

    Attributes:
        grid: Function from a shape to the geometry with the caller's spacing, or None.
        periodic: Whether axes wrap around; None to infer it from the coordinates.
        channel_axis: The channel axis, or None.
        unit: Unit of the spacing, or of dates.
    """

    grid: Callable[[tuple[int, ...]], Grid] | None
    periodic: bool | tuple[bool, ...] | None
    channel_axis: int | None
    unit: str | None


@dataclass(frozen=True)
class _Line:
    """An axis of the grid."""

    spacing: float
    origin: float
    unit: str
    periodic: bool = False
    reversed: bool = False
    notes: tuple[str, ...] = ()


def from_labelled(array: LabelledArray, options: GridOptions, name: str, location: str) -> Signal:
    """Create the signal of a labelled array.

    Evenly spaced coordinates give the grid its origin, spacing and units; descending coordinates are reversed;
    longitudes that cover the whole circle are periodic; dates are converted to the time since the first date;
    named entries are channels. Notes list unused attributes.

    Args:
        array: The array.
        options: Options of the caller.
        name: Name in titles if the array has no name.
        location: Name of the argument in error messages.

    Raises:
        InputError: If coordinates are not evenly spaced, or the values are not finite or do not vary.
    """
    axis = _channel_axis(array, options.channel_axis, location)
    samples, conversion_notes = to_tensor_with_notes(array.values, location)
    axes = [a for i, a in enumerate(array.axes) if i != axis]
    samples = samples.unsqueeze(-1) if axis is None else samples.movedim(axis, -1)
    shape = tuple(samples.shape[:-1])
    check_shape(shape, location)
    if options.grid is not None:
        grid = options.grid(shape)
        line_notes = tuple(
            f"the coordinates {a.name} are not used, as spacing= is given"
            for a in axes
            if a.labels is not None
        )
        lines: list[_Line] = []
    else:
        bare = all(a.labels is None for a in axes)
        if bare and options.unit is not None:
            raise InputError(
                "a spacing with the unit", f"unit {options.unit!r} alone", "pass spacing= too", location
            )
        lines = [_line(a, n, options.unit, bare, location) for a, n in zip(axes, shape, strict=True)]
        lines = _in_one_unit(lines, axes)
        reversed_axes = [i for i, line in enumerate(lines) if line.reversed]
        samples = samples.flip(reversed_axes) if reversed_axes else samples
        line_notes = tuple(note for line in lines for note in line.notes)
        grid = _grid(shape, lines, options.periodic, location)
    channels, unit, split = _channel_names(array, axis, samples.shape[-1])
    return make_signal(
        samples.reshape(-1, samples.shape[-1]).contiguous(),
        grid,
        kind=_KINDS[len(shape)],
        name=array.name or name,
        location=location,
        channels=channels,
        value_unit=unit,
        per_channel=array.table,
        notes=(*conversion_notes, *array.notes, *split, *line_notes, *_order(axes)),
        locate=_place(axes, shape, lines, channels),
    )


def _channel_axis(array: LabelledArray, requested: int | None, location: str) -> int | None:
    count = len(array.axes)
    if requested is not None:
        if not -count <= requested < count:
            raise InputError(
                f"a channel axis within the {count} axes", f"{requested}", "pass another", location
            )
        return requested % count
    named = [i for i, axis in enumerate(array.axes) if axis.named]
    if len(named) > 1:
        raise InputError(
            "one axis of names",
            f"{len(named)} ({', '.join(array.axes[i].name for i in named)})",
            "select one entry along the other axes",
            location,
        )
    return named[0] if named else None


def _channel_names(
    array: LabelledArray, axis: int | None, count: int
) -> tuple[tuple[str, ...] | None, str, tuple[str, ...]]:
    if axis is None:
        short, in_brackets = split_unit(array.name) if array.table else (array.name, None)
        return ((short,) if short else None), array.unit or in_brackets or "", ()
    labels = array.axes[axis].labels
    prefix = f"{array.axes[axis].name} "
    names = None
    if labels is not None:
        words = labels.dtype.kind in "USO"
        names = tuple(str(label) if words else f"{prefix}{label}" for label in labels.tolist())
    units = {split_unit(name)[1] for name in names} if names and array.table else set()
    # A unit in brackets is the values' unit only if all columns share it.
    shared = units.pop() if len(units) == 1 else None
    if names and shared:
        names = tuple(split_unit(name)[0] for name in names)
    if names is not None and len(set(names)) < count:
        names = None
    return names, array.unit or shared or "", (f"the axis {array.axes[axis].name} was read as the channels",)


def _line(axis: Axis, count: int, unit: str | None, bare: bool, location: str) -> _Line:
    if axis.labels is None:
        if bare:
            return _Line(1.0 / count, 0.0, "array")
        return _Line(
            1.0, 0.0, f"sample of {axis.name}", notes=(f"{axis.name} has no coordinates and counts samples",)
        )
    labels = axis.labels
    if labels.dtype.kind == "O":
        labels = _durations(labels, axis, location)
    if labels.dtype.kind in "Mm":
        return _dated(labels, axis, unit, location)
    if labels.dtype.kind not in "iuf":
        raise InputError(
            f"coordinates {axis.name} of numbers or dates",
            f"{labels.dtype}",
            _uneven_advice(axis.name),
            location,
        )
    since = _SINCE.fullmatch(axis.unit)
    units = unit or axis.unit or axis.name
    notes: tuple[str, ...] = ()
    if since is not None:
        units, notes = unit or _time_unit(since[1]), (f"{axis.name} counted from {since[2].strip()}",)
    units = "s" if units.lower() in ("s", "sec", "second", "seconds") else units
    coordinates, is_longitude = labels.astype(np.float64), _is_longitude(axis)
    # Longitudes that jump from 359 to 0 (or 180 to -180) are unwrapped.
    if is_longitude and (np.abs(np.diff(coordinates)) > _CIRCLE / 2).any():
        coordinates = np.unwrap(coordinates, period=_CIRCLE)
        notes += (f"{axis.name} was continued across the meridian where it starts again",)
    line = _even(coordinates, axis.name, units, location)
    return (
        _wrap_longitude(line, axis, count, notes)
        if is_longitude
        else replace(line, notes=(*line.notes, *notes))
    )


def _in_one_unit(lines: list[_Line], axes: list[Axis]) -> list[_Line]:
    """Express all lengths in the unit of the first: frequencies of several axes are added, whatever their units."""
    factors = [
        next((f for names, f in LENGTHS.items() if line.unit in names.split()), None) for line in lines
    ]
    first = next((i for i, factor in enumerate(factors) if factor is not None), None)
    reference = None if first is None else factors[first]
    converted = []
    for line, axis, factor in zip(lines, axes, factors, strict=True):
        if first is not None and reference is not None and factor is not None and factor != reference:
            unit, scale = lines[first].unit, factor / reference
            note = f"{axis.name} was converted from {line.unit} to {unit}"
            line = replace(
                line,
                spacing=line.spacing * scale,
                origin=line.origin * scale,
                unit=unit,
                notes=(*line.notes, note),
            )
        converted.append(line)
    return converted


def _time_unit(word: str) -> str:
    first = word.lower()
    if first.startswith("month"):
        return "months"
    return {"s": "s", "m": "min", "h": "h", "d": "days", "y": "years"}[first[0]]


def _durations(labels: np.ndarray, axis: Axis, location: str) -> np.ndarray:
    """Convert times of any calendar (cftime, datetime) to durations since the first one."""
    try:
        return np.array(
            [np.timedelta64(round((label - labels[0]).total_seconds() * 1e6), "us") for label in labels]
        )
    except (TypeError, AttributeError) as error:
        raise InputError(
            f"coordinates {axis.name} of numbers or dates",
            f"objects such as {labels[0]!r}",
            _uneven_advice(axis.name),
            location,
        ) from error


def _dated(labels: np.ndarray, axis: Axis, unit: str | None, location: str) -> _Line:
    if np.isnat(labels).any():
        raise InputError(
            f"coordinates {axis.name} without gaps",
            f"none at index {int(np.flatnonzero(np.isnat(labels))[0])}",
            "drop these entries",
            location,
        )
    if unit is not None and unit not in DURATIONS:
        raise InputError(
            f"a unit of dates among {', '.join(DURATIONS)}", repr(unit), "pass one of them", "unit"
        )
    dated = labels.dtype.kind == "M"
    first = f"{axis.name} counted from {_written(labels[0])}" if dated else f"{axis.name} as time passed"
    # Months have unequal numbers of days, so monthly dates are counted in calendar months.
    months = calendar_months(labels) if labels.dtype.kind == "M" and unit is None else None
    if months is not None:
        named = "years" if (months % 12 == 0).all() else "months"
        line = _even(months / (12 if named == "years" else 1), axis.name, named, location)
        return _Line(line.spacing, 0.0, named, notes=(first, f"{named} of the calendar, of unequal length"))
    named = unit or "days"
    size = 1e9 * DURATIONS[named]
    passed = (labels - labels[0]) / np.timedelta64(1, "ns") / size
    begin = 0.0 if labels.dtype.kind == "M" else float(labels[0] / np.timedelta64(1, "ns") / size)
    line = _even(passed, axis.name, named, location)
    return _Line(line.spacing, begin, named, reversed=line.reversed, notes=(first, *line.notes))


def _written(moment: np.datetime64) -> str:
    text = str(moment.astype("datetime64[us]"))
    return text.removesuffix(".000000").removesuffix("T00:00:00")


def _even(coordinates: np.ndarray, name: str, unit: str, location: str) -> _Line:
    if not np.isfinite(coordinates).all():
        raise InputError(
            f"finite coordinates {name}",
            f"{coordinates[~np.isfinite(coordinates)][0]} at index {int(np.flatnonzero(~np.isfinite(coordinates))[0])}",
            "drop these entries",
            location,
        )
    steps = np.diff(coordinates)
    descending = bool(len(steps)) and bool((steps < 0).all())
    notes = (f"{name} is descending and was reversed, so that coordinates increase",) if descending else ()
    coordinates = coordinates[::-1] if descending else coordinates
    steps = np.diff(coordinates)
    if not len(steps):
        return _Line(1.0, float(coordinates[0]), unit, notes=notes)
    # The median step is robust to a single gap; the mean step averages the rounding of all samples.
    median, mean = float(np.median(steps)), float(coordinates[-1] - coordinates[0]) / len(steps)
    odd = np.abs(steps - median) > _TOLERANCE * abs(median)
    deviation = np.abs(coordinates - coordinates[0] - mean * np.arange(len(coordinates)))
    if median <= 0 or odd.any() or deviation.max() > _OFF_LINE * mean:
        at = int(np.argmax(odd)) if odd.any() else int(np.argmax(deviation)) - 1
        raise InputError(
            f"evenly spaced coordinates {name} (steps within 1 % of the median, {median:.6g})",
            f"a step of {steps[at]:.6g} from {coordinates[at]:.6g}",
            _uneven_advice(name),
            location,
        )
    return _Line(mean, float(coordinates[0]), unit, reversed=descending, notes=notes)


def _uneven_advice(name: str) -> str:
    return (
        f"bring {name} to even steps (xarray: values.interp), pass spacing= to count samples instead, or pass "
        "coordinates and values to signals.points"
    )


def _is_longitude(axis: Axis) -> bool:
    named = bool(_LONGITUDE.fullmatch(axis.name) and (not axis.unit or _DEGREES.match(axis.unit)))
    return named or bool(_EAST.fullmatch(axis.unit)) or axis.kind == "longitude"


def _wrap_longitude(line: _Line, axis: Axis, count: int, more_notes: tuple[str, ...]) -> _Line:
    """Make longitudes that cover the whole circle periodic."""
    notes, wraps = (*line.notes, *more_notes), False
    # n samples of spacing 360 / n wrap around; n + 1 samples contain one meridian twice.
    if abs(count * line.spacing - _CIRCLE) < _CLOSE * _CIRCLE / count:
        wraps = True
        notes += (f"{axis.name} goes once around and is periodic",)
    elif abs((count - 1) * line.spacing - _CIRCLE) < _CLOSE * _CIRCLE / count:
        notes += (
            f"{axis.name} holds one meridian at both ends: drop the last one, and the axis is periodic",
        )
    notes += (
        "coordinates in degrees are used as they are; towards the poles a degree of longitude is a shorter distance",
    )
    return _Line(line.spacing, line.origin, line.unit, wraps, line.reversed, notes)


def _grid(shape: tuple[int, ...], lines: list[_Line], periodic: Any, location: str) -> Grid:
    wraps = tuple(line.periodic for line in lines)
    if periodic is not None:
        wraps = (periodic,) * len(shape) if isinstance(periodic, bool) else tuple(periodic)
        if len(wraps) != len(shape):
            raise InputError(
                f"one periodic, or one per axis ({len(shape)})",
                f"{len(wraps)}",
                "pass as many as axes",
                location,
            )
    return Grid(
        shape,
        tuple(line.spacing for line in lines),
        tuple(line.origin for line in lines),
        tuple(line.unit for line in lines),
        tuple(bool(w) for w in wraps),
    )


def _order(axes: list[Axis]) -> tuple[str, ...]:
    return (
        (f"axes in the order {', '.join(a.name for a in axes)}",)
        if len(axes) > 1 and any(a.labels is not None for a in axes)
        else ()
    )


def _place(
    axes: list[Axis], shape: tuple[int, ...], lines: list[_Line], channels: tuple[str, ...] | None
) -> Any:
    def words(sample: int, channel: int) -> str:
        index = np.unravel_index(sample, shape)
        parts = []
        for i, (axis, at) in enumerate(zip(axes, index, strict=True)):
            turned = bool(lines) and lines[i].reversed
            row = shape[i] - 1 - int(at) if turned else int(at)
            label = "" if axis.labels is None else f" ({axis.name} = {axis.labels[row]})"
            parts.append(f"{row}{label}")
        return f"index {', '.join(parts)}" + (
            f", {channels[channel]}" if channels and len(channels) > 1 else ""
        )

    return words

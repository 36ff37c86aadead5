"""Reader of scattered points: measurements at any positions, or the rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from overtone.errors import InputError
from overtone.signals.geometry import Points
from overtone.signals.normalisation import Normalisation
from overtone.signals.readers.described import labelled
from overtone.signals.readers.numbers import with_notes
from overtone.signals.sentinels import sentinel_notes
from overtone.signals.signal import Signal
from overtone.signals.summary import summarise


def points(
    coords: Any,
    values: Any,
    *,
    units: Sequence[str] | None = None,
    channels: Sequence[str] | None = None,
    kind: str = "points",
    name: str = "points",
) -> Signal[Points]:
    """Make a signal at scattered points.

    Args:
        coords: (N, d) coordinates or, of a table, features; (N,) for one.
        values: (N, C) or (N,) values.
        units: Unit of each coordinate; if None the names of a data frame's columns, else "coordinate" for all. Of a
            table, the columns' names.
        channels: Name of each value; if None the names of a data frame's columns, if it has any.
        kind: "points" or "table".
        name: For titles.

    Returns:
        The samples, with nothing held out.

    Raises:
        InputError: If shapes do not fit, a number is not finite, all places coincide or all values are the same.
    """
    (places, lost, named), (found, notes, columns) = _columns(coords, "coords"), _columns(values, "values")
    notes = tuple(dict.fromkeys((*lost, *notes)))
    units, channels = named if units is None else units, columns if channels is None else channels
    if len(places) != len(found) or len(places) < 2:
        raise InputError(
            "two samples or more, with as many values as places",
            f"{len(places)} places and {len(found)} values",
            "pass one row of each per sample",
            name,
        )
    for part, what in ((places, "coordinates"), (found, "values")):
        summary = summarise(part)
        if summary.first_bad is not None:
            row, column = summary.first_bad
            raise InputError(
                f"finite {what}",
                f"{float(part[row, column])} in row {row}, column {column}",
                "fill or drop the row",
                name,
            )
        if bool((summary.low == summary.high).all()):
            raise InputError(f"{what} that vary", "the same in every row", "pass others", name)
    axes, count = places.shape[1], found.shape[1]
    given = ("coordinate",) * axes if units is None else tuple(units)
    if len(given) != axes:
        raise InputError(f"one unit per coordinate ({axes})", f"{len(given)}", "pass that many", "units")
    names = ("value",) if count == 1 else tuple(f"channel {c + 1}" for c in range(count))
    names = names if channels is None else tuple(channels)
    if len(names) != count:
        raise InputError(f"one name per value ({count})", f"{len(names)}", "pass that many", "channels")
    labels = tuple(given) if len(set(given)) == axes else tuple(f"coordinate {a + 1}" for a in range(axes))
    for part, said in ((places, labels), (found, names)):
        summary = summarise(part)
        notes = (*notes, *sentinel_notes(part, summary.low, summary.high, said))
    return Signal(
        values=found,
        geometry=Points(places.double(), given),
        kind=kind,
        name=name,
        channels=names,
        value_unit="",
        peak=float(found.max() - found.min()),
        normalisation=Normalisation.of(found, per_channel=True, where=name),
        notes=notes,
    )


def _columns(numbers: Any, where: str) -> tuple[Tensor, tuple[str, ...], tuple[str, ...] | None]:
    """The numbers as (N, columns), what was lost, and the columns' names where they have any."""
    speaking = labelled(numbers, None, where)
    names: tuple[str, ...] | None = None
    told: tuple[str, ...] = ()
    if speaking is not None:
        numbers, told = speaking.values, speaking.notes
        last = speaking.axes[-1] if speaking.axes else None
        if last is not None and len(speaking.axes) == 2 and last.named and last.labels is not None:
            names = tuple(str(label) for label in last.labels)
        elif len(speaking.axes) == 1 and speaking.name:
            names = (speaking.name,)
        if speaking.axes and speaking.axes[0].labels is not None:
            told += (f"the {speaking.axes[0].name} of the {where} is not used",)
        told += (f"the {where} are in {speaking.unit}",) if speaking.unit else ()
    try:
        tensor, notes = with_notes(numbers, where)
    except InputError as error:
        if error.got.startswith("complex"):
            parts = (error.expected, error.got, "pass real and imaginary parts as two columns")
        elif error.got.startswith(("rows of", "an array of")):
            parts = ("rows of numbers, all of one length", error.got, "pass an array of numbers")
        else:
            raise
        raise InputError(*parts, where) from error
    tensor = tensor[:, None] if tensor.ndim == 1 else tensor
    if tensor.ndim != 2 or not tensor.numel():
        raise InputError(
            "one row per sample", f"shape {tuple(tensor.shape)}", "pass (N,) or (N, columns)", where
        )
    return tensor, (*told, *notes), names

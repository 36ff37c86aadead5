"""Where the samples of a TIFF lie: lengths, times, pixels, or fractions of the array where nothing is known."""

from __future__ import annotations

from overtone.errors import InputError
from overtone.signals.geometry import Grid
from overtone.signals.readers.physical import Distances

_NAMES = {"T": "frame", "Z": "slice"}


def placed(axes: str, shape: tuple[int, ...], known: Distances) -> tuple[Grid, tuple[str, ...]]:
    """The grid of a stored picture or stack.

    A picture without a size is counted in pixels, a stack without one in fractions of the array. Where only some
    axes of a stack have a distance, all are fractions of the array, unless one of them is time, which shares no
    unit with the others anyway.

    Args:
        axes: One letter for each axis, as `Stored` has them.
        shape: Samples per axis.
        known: Distances of neighbours, of the axes whose distance is stored.

    Returns:
        The grid, and notes on what was assumed.
    """
    stated = [axis in known for axis in axes]
    flat = len(axes) == 2
    if all(stated) or flat or ("T" in axes and any(stated)):
        each = [known.get(axis, (1.0, _NAMES.get(axis, "pixel"))) for axis in axes]
        spacing, units = zip(*each, strict=True)
        n = len(axes)
        grid = Grid(shape, spacing, (0.0,) * n, units, (False,) * n)
        return grid, _assumed(axes, known) + _mixed(units)
    notes = _pages(axes, any(stated))
    if "T" in axes:
        notes = ("the first axis is time; its interval is not stored",)
    return Grid.unit_box(shape), notes


def _assumed(axes: str, known: Distances) -> tuple[str, ...]:
    if "T" in axes and "T" not in known:
        return ("time is counted in frames, since their interval is not stored",)
    return ()


def _mixed(units: tuple[str, ...]) -> tuple[str, ...]:
    names = list(dict.fromkeys(units))
    if len(names) < 2:
        return ()
    listed = " and ".join(names)
    return (f"axes in {listed}: a band's frequency mixes the two, so it depends on these units",)


def _pages(axes: str, stated: bool) -> tuple[str, ...]:
    notes = []
    if "I" in axes or "Q" in axes:
        notes.append("pages taken as slices of a volume, since the file does not say what they are")
    if stated:
        notes.append("pixel size ignored, since the distance of the slices is not stored")
    return tuple(notes)


def grid_with_spacing(
    axes: str, shape: tuple[int, ...], spacing: float | tuple[float, ...], where: str
) -> Grid:
    """The grid for distances that the caller gives: mm in space, seconds in time.

    Raises:
        InputError: If there are not as many as axes, or one for lengths and time together.
    """
    alone = isinstance(spacing, int | float)
    if alone and "T" in axes and len(axes) > 1:
        time = axes.index("T") + 1
        raise InputError(
            f"a distance for each of the {len(axes)} axes, since axis {time} is time",
            f"{spacing:g} for all",
            f"pass {len(axes)} numbers, in s for axis {time} and in mm for the others",
            where,
        )
    distances = (float(spacing),) * len(axes) if isinstance(spacing, int | float) else tuple(spacing)
    if len(distances) != len(axes):
        raise InputError(
            f"one spacing, or one per axis ({len(axes)})", f"{len(distances)}", "pass as many as axes", where
        )
    units = tuple("s" if axis == "T" else "mm" for axis in axes)
    return Grid(shape, tuple(map(float, distances)), (0.0,) * len(axes), units, (False,) * len(axes))

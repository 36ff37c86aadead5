"""How far apart the samples of a TIFF lie, where the file states a measurement and not a printer's default."""

from __future__ import annotations

import math
from typing import Any

import tifffile

from overtone.signals.readers.geotiff import pixel_scale

Distances = dict[str, tuple[float, str]]
"""(distance of neighbours, unit) of each axis that has one: X, Y and Z for lengths, T for times."""

_MM = {
    "pm": 1e-9,
    "å": 1e-7,
    "angstrom": 1e-7,
    "nm": 1e-6,
    "nanometer": 1e-6,
    "nanometre": 1e-6,
    "µm": 1e-3,
    "um": 1e-3,
    "micron": 1e-3,
    "microns": 1e-3,
    "micrometer": 1e-3,
    "micrometre": 1e-3,
    "mm": 1.0,
    "millimeter": 1.0,
    "millimetre": 1.0,
    "cm": 10.0,
    "centimeter": 10.0,
    "centimetre": 10.0,
    "m": 1e3,
    "meter": 1e3,
    "metre": 1e3,
    "km": 1e6,
    "inch": 25.4,
    "inches": 25.4,
    "in": 25.4,
}
_SECONDS = {
    "ns": 1e-9,
    "µs": 1e-6,
    "us": 1e-6,
    "usec": 1e-6,
    "ms": 1e-3,
    "msec": 1e-3,
    "s": 1.0,
    "sec": 1.0,
    "secs": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "min": 60.0,
    "minute": 60.0,
    "minutes": 60.0,
    "h": 3600.0,
    "hr": 3600.0,
    "hour": 3600.0,
    "hours": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "days": 86400.0,
}
_CENTIMETRE = 3


def distances(tif: tifffile.TiffFile, page: tifffile.TiffPage) -> Distances:
    """The distances stored as a map's grid, by OME or ImageJ, or as a resolution in pixels per centimetre.

    A resolution in pixels per inch is what scanners, cameras and editors fill in for printing; it is ignored.

    Args:
        tif: An open TIFF.
        page: The page of the picture.

    Returns:
        Distances of neighbours along the stored axes; lengths in mm and times in s, on maps in their own unit.
        An axis whose distance or unit is unknown is left out.
    """
    grid = pixel_scale(page)
    if grid is not None:
        return {"Y": (grid.row, grid.unit), "X": (grid.column, grid.unit)}
    if tif.ome_metadata:
        return _from_ome(tifffile.xml2dict(tif.ome_metadata))
    down, across = _resolution(page)
    if tif.imagej_metadata:
        return _from_imagej(tif.imagej_metadata, down, across)
    if page.resolutionunit != _CENTIMETRE:
        return {}
    return _known({"Y": (_over(10.0, down), "mm"), "X": (_over(10.0, across), "mm")})


def _resolution(page: tifffile.TiffPage) -> tuple[float, float]:
    try:
        across, down = page.resolution
    except (ZeroDivisionError, ValueError, TypeError):
        return 0.0, 0.0
    return float(down), float(across)


def _from_imagej(metadata: dict[str, Any], down: float, across: float) -> Distances:
    unit = _MM.get(_plain(metadata.get("unit", "")), 0.0)
    second = _SECONDS.get(_plain(metadata.get("tunit", "sec")), 0.0)
    interval = _measured_number(metadata.get("finterval")) or _over(
        1.0, _measured_number(metadata.get("fps"))
    )
    return _known(
        {
            "Z": (abs(_measured_number(metadata.get("spacing"))) * unit, "mm"),
            "Y": (_over(unit, down), "mm"),
            "X": (_over(unit, across), "mm"),
            "T": (interval * second, "s"),
        }
    )


def _from_ome(metadata: dict[str, Any]) -> Distances:
    pixels = ome_pixels(metadata)
    lengths = {
        axis: (
            _measured_number(pixels.get(f"PhysicalSize{axis}"))
            * _MM.get(_plain(pixels.get(f"PhysicalSize{axis}Unit", "µm")), 0.0),
            "mm",
        )
        for axis in "ZYX"
    }
    second = _SECONDS.get(_plain(pixels.get("TimeIncrementUnit", "s")), 0.0)
    return _known({**lengths, "T": (_measured_number(pixels.get("TimeIncrement")) * second, "s")})


def ome_pixels(metadata: dict[str, Any]) -> dict[str, Any]:
    """What OME says about the first picture's pixels.

    Args:
        metadata: OME's XML as nested dictionaries.
    """
    found = metadata.get("OME", {}).get("Image", {})
    pixels = (found[0] if isinstance(found, list) else found).get("Pixels", {})
    return pixels if isinstance(pixels, dict) else {}


def _known(found: Distances) -> Distances:
    """The usable ones; rows and columns only together, since half a pixel's size is none."""
    usable = {axis: value for axis, value in found.items() if math.isfinite(value[0]) and value[0] > 0}
    half = ("X" in usable) != ("Y" in usable)
    return {axis: value for axis, value in usable.items() if not (half and axis in "XY")}


def _measured_number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0.0


def _over(value: float, divisor: float) -> float:
    return value / divisor if divisor > 0 else 0.0


def _plain(unit: object) -> str:
    return str(unit).replace("\\u00B5", "µ").replace("μ", "µ").strip().strip("\0").lower()

"""Metadata of a TIFF: distances of samples, scale of values, and value of missing data."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from overtone._utils.optional import OptionalModule
from overtone.errors import InputError
from overtone.signals._readers._pixels import Coverage, Pixels

if TYPE_CHECKING:
    import tifffile
else:
    tifffile = OptionalModule("tifffile", "tiff")

_NO_DATA, _METADATA = 42113, 42112
_MAP_TAGS = (33550, 34264, 34735)
_LINEAR = {9001: "m", 9002: "foot", 9003: "US survey foot", 9036: "km"}
_ANGULAR = {9101: "radian", 9102: "degree", 9105: "arc-second", 9104: "arc-second"}
_METRIC = ((32601, 32660), (32701, 32760), (25828, 25838), (3857, 3857), (2154, 2154), (3034, 3035))
_MODEL, _ANGULAR_UNIT, _PROJECTED, _LINEAR_UNIT = 1024, 2054, 3072, 3076
_GEOGRAPHIC = 2
_FEW_DIGITS = 1e18


@dataclass(frozen=True)
class PixelScale:
    """Distances of neighbouring pixels on a map.

    Attributes:
        row: Distance of rows.
        column: Distance of columns.
        unit: Unit of both distances.
    """

    row: float
    column: float
    unit: str


@dataclass(frozen=True)
class Scaling:
    """Scale of stored numbers per band: value = stored * slope + offset.

    Attributes:
        slope: (bands,) factors.
        offset: (bands,) values of a stored 0.
        unit: Unit of the values, empty if unknown or different between bands.
        names: Names of the bands, or None if a band has no name.
    """

    slope: np.ndarray
    offset: np.ndarray
    unit: str
    names: tuple[str, ...] | None

    @property
    def scales(self) -> bool:
        """Whether values differ from the stored numbers."""
        return bool(np.any(self.slope != 1) or np.any(self.offset != 0))


def is_map(page: tifffile.TiffPage) -> bool:
    """Return whether the page is a map or a raster of measurements, not a photograph."""
    return any(tag in page.tags for tag in (*_MAP_TAGS, _NO_DATA, _METADATA))


def pixel_scale(page: tifffile.TiffPage) -> PixelScale | None:
    """Return the ground size of pixels if the coordinate system has a unit, else None."""
    size = _pixel_size(page)
    unit = _unit(page)
    return None if size is None or unit is None else PixelScale(*size, unit)


def unit_is_missing(page: tifffile.TiffPage) -> bool:
    """Return whether the file has a pixel size in an unknown unit."""
    return _pixel_size(page) is not None and _unit(page) is None


def _pixel_size(page: tifffile.TiffPage) -> tuple[float, float] | None:
    scale, matrix = page.tags.valueof(33550), page.tags.valueof(34264)
    if scale is not None and len(scale) >= 2:
        across, down = abs(float(scale[0])), abs(float(scale[1]))
    elif matrix is not None and len(matrix) == 16:
        # The affine matrix may rotate the map: the columns' lengths are the distances of pixels.
        across, down = (math.hypot(float(matrix[i]), float(matrix[4 + i])) for i in (0, 1))
    else:
        return None
    usable = all(math.isfinite(s) and s > 0 for s in (across, down))
    return (down, across) if usable else None


def _unit(page: tifffile.TiffPage) -> str | None:
    """Return the unit of the map's coordinates from its keys, or from codes of coordinate systems in metres."""
    keys = _keys(page)
    if keys.get(_MODEL) == _GEOGRAPHIC:
        return _ANGULAR.get(keys.get(_ANGULAR_UNIT, 9102))
    if _LINEAR_UNIT in keys:
        return _LINEAR.get(keys[_LINEAR_UNIT])
    code = keys.get(_PROJECTED, 0)
    return "m" if any(low <= code <= high for low, high in _METRIC) else None


def _keys(page: tifffile.TiffPage) -> dict[int, int]:
    """Return the keys of the coordinate system whose values are stored in the directory."""
    directory = page.tags.valueof(34735)
    if not isinstance(directory, tuple) or len(directory) < 8:
        return {}
    # Entries are (key, tag of the value, count, value); tag 0 means that the entry contains the value.
    entries = [directory[i : i + 4] for i in range(4, len(directory) - 3, 4)]
    return {int(key): int(value) for key, tag, _, value in entries if tag == 0}


def check_gaps(samples: np.ndarray, page: tifffile.TiffPage, location: str) -> None:
    """Raise an error for samples that the file declares as missing.

    Args:
        samples: (..., bands) as stored, before any scaling.
        page: Page of the samples.
        location: File name in error messages.

    Raises:
        InputError: If a sample has the "no data" value.
    """
    for band, value in enumerate(_no_data(page, samples.shape[-1])):
        if value is None:
            continue
        one = samples[..., band]
        missing = _equal(one, value)
        count = int(np.count_nonzero(missing))
        if count:
            first = ", ".join(str(int(i)) for i in np.argwhere(missing)[0])
            place = f"({first})" if samples.shape[-1] == 1 else f"({first}), band {band + 1}"
            raise InputError(
                "a raster without gaps",
                f"{count} of {one.size} samples with the value {value:g}, which the file declares as no data "
                f"(first at {place})",
                "fill them in, or cut out a part without them",
                location,
            )


def _no_data(page: tifffile.TiffPage, bands: int) -> list[float | None]:
    text = str(page.tags.valueof(_NO_DATA, "")).replace(",", " ").strip("\0 ")
    values = [_number(part) for part in text.split()]
    if not values:
        return [None] * bands
    return values if len(values) == bands else [values[0]] * bands


def _number(text: str) -> float | None:
    if text.lower().lstrip("+-").startswith("nan"):
        return math.nan
    try:
        return float(text)
    except ValueError:
        return None


def _equal(samples: np.ndarray, value: float) -> np.ndarray:
    """Return whether each sample equals the value up to rounding; large values have few stored digits."""
    if math.isnan(value):
        return np.isnan(samples)
    if samples.dtype.kind != "f":
        return np.asarray(samples == value)
    # GDAL writes the value in decimal, often with fewer digits than the samples have.
    limits = np.finfo(samples.dtype)
    rounded = samples.dtype.type(np.clip(value, limits.min, limits.max) if math.isfinite(value) else value)
    if not _FEW_DIGITS <= abs(value) < math.inf:
        return np.asarray(samples == rounded)
    with np.errstate(over="ignore", invalid="ignore"):
        near = np.abs(samples.astype(np.float64) - float(rounded)) <= 1e-5 * abs(float(rounded))
    return np.asarray(near)


def scaling(page: tifffile.TiffPage, bands: int) -> Scaling:
    """Read GDAL's scale, offset, unit and description of each band."""
    slope, offset = np.ones(bands), np.zeros(bands)
    units, names = [""] * bands, [""] * bands
    for item in _items(page):
        band = int(item.get("sample", "-1")) if re.fullmatch(r"\d+", item.get("sample", "")) else -1
        role, text = (item.get("role") or item.get("name") or "").lower(), (item.text or "").strip()
        if not 0 <= band < bands:
            continue
        number = _number(text)
        if role in ("scale", "offset") and number is not None and math.isfinite(number):
            (slope if role == "scale" else offset)[band] = number
        elif role == "unittype":
            units[band] = text
        elif role == "description":
            names[band] = text
    # Channels with repeated or missing names would be indistinguishable.
    distinct = len(set(names)) == bands and all(names)
    unit = units[0] if len(set(units)) == 1 else ""
    return Scaling(slope, offset, unit, tuple(names) if distinct else None)


def _items(page: tifffile.TiffPage) -> list[ElementTree.Element]:
    text = page.tags.valueof(_METADATA)
    # Entity declarations could expand a small file to gigabytes.
    if not text or "<!" in str(text):
        return []
    try:
        return list(ElementTree.fromstring(str(text).strip("\0 ")).iter("Item"))
    except ElementTree.ParseError:
        return []


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
    """Return the stored distances of a map, of OME or ImageJ, or of a resolution in pixels per centimetre.

    A resolution in pixels per inch is ignored, because scanners, cameras and editors set it for printing.

    Args:
        tif: An open TIFF.
        page: The page of the picture.

    Returns:
        Distances of neighbouring samples per stored axis, lengths in mm, times in s, and maps in their unit,
        for axes of known distance and unit.
    """
    grid = pixel_scale(page)
    if grid is not None:
        return {"Y": (grid.row, grid.unit), "X": (grid.column, grid.unit)}
    if tif.ome_metadata:
        return _from_ome(tifffile.xml2dict(tif.ome_metadata))
    down, across = _resolution(page)
    if tif.imagej_metadata:
        return _from_imagej(tif.imagej_metadata, down, across)
    # Pixels per inch are a default for printing in most files, not a measurement.
    if page.resolutionunit != _CENTIMETRE:
        return {}
    return _usable({"Y": (_ratio(10.0, down), "mm"), "X": (_ratio(10.0, across), "mm")})


def _resolution(page: tifffile.TiffPage) -> tuple[float, float]:
    try:
        across, down = page.resolution
    except (ZeroDivisionError, ValueError, TypeError):
        return 0.0, 0.0
    return float(down), float(across)


def _from_imagej(metadata: dict[str, Any], down: float, across: float) -> Distances:
    unit = _MM.get(_plain(metadata.get("unit", "")), 0.0)
    second = _SECONDS.get(_plain(metadata.get("tunit", "sec")), 0.0)
    interval = _measured_number(metadata.get("finterval")) or _ratio(
        1.0, _measured_number(metadata.get("fps"))
    )
    return _usable(
        {
            "Z": (abs(_measured_number(metadata.get("spacing"))) * unit, "mm"),
            "Y": (_ratio(unit, down), "mm"),
            "X": (_ratio(unit, across), "mm"),
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
    return _usable({**lengths, "T": (_measured_number(pixels.get("TimeIncrement")) * second, "s")})


def ome_pixels(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return OME's description of the first picture's pixels.

    Args:
        metadata: OME's XML as nested dictionaries.
    """
    image = metadata.get("OME", {}).get("Image", {})
    pixels = (image[0] if isinstance(image, list) else image).get("Pixels", {})
    return pixels if isinstance(pixels, dict) else {}


def _usable(distances_stated: Distances) -> Distances:
    """Return the valid distances, with rows and columns only if both are valid."""
    usable = {
        axis: value for axis, value in distances_stated.items() if math.isfinite(value[0]) and value[0] > 0
    }
    # A pixel size along only one axis is a fault of the file, not a measurement.
    half = ("X" in usable) != ("Y" in usable)
    return {axis: value for axis, value in usable.items() if not (half and axis in "XY")}


def _measured_number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0.0


def _ratio(value: float, divisor: float) -> float:
    return value / divisor if divisor > 0 else 0.0


def _plain(unit: object) -> str:
    return str(unit).replace("\\u00B5", "µ").replace("μ", "µ").strip().strip("\0").lower()


@dataclass(frozen=True)
class Stored:
    """Stored numbers of the picture or stack in a TIFF, in upright orientation.

    Attributes:
        samples: (*grid, bands) numbers of the stored type; alpha is the last band.
        axes: One letter per grid axis: X, Y and Z in space, T in time, I for pages of unknown meaning.
        coverage: Whether the last band is alpha.
        white: The stored number of white, or None if the type has no full range.
        names: Names of the bands without alpha, or None for numbers.
        distances: Distance of neighbouring samples of axes with known distance.
        scaling: GDAL's scale, offset, unit and names of the bands.
        is_map: Whether the metadata identify a map or measurements.
        notes: Notes on how the file was read.
    """

    samples: np.ndarray
    axes: str
    coverage: Coverage
    white: float | None
    names: tuple[str, ...] | None
    distances: Distances
    scaling: Scaling
    is_map: bool
    notes: tuple[str, ...] = ()

    @staticmethod
    def of(pixels: Pixels) -> Stored:
        """Wrap the pixels of a format without distances and scales."""
        bands = pixels.stored.shape[-1]
        plain = Scaling(np.ones(bands), np.zeros(bands), "", None)
        return Stored(
            pixels.stored, "YX", pixels.coverage, pixels.white, pixels.names, {}, plain, False, pixels.notes
        )

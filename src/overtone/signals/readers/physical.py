"""The physical size of a TIFF's pixels, where it is a measurement and not a printer's default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tifffile

_MM = {
    "nm": 1e-6,
    "µm": 1e-3,
    "μm": 1e-3,
    "um": 1e-3,
    "micron": 1e-3,
    "microns": 1e-3,
    "micrometer": 1e-3,
    "mm": 1.0,
    "millimeter": 1.0,
    "cm": 10.0,
    "m": 1000.0,
    "inch": 25.4,
}
_CENTIMETRE = 3


@dataclass(frozen=True)
class PixelSize:
    """Distances of neighbouring samples in mm.

    Attributes:
        slices: Distance of slices, or None if the file does not say.
        row: Distance of rows.
        column: Distance of columns.
    """

    slices: float | None
    row: float
    column: float

    @property
    def picture(self) -> tuple[float, float]:
        """(row, column)."""
        return self.row, self.column

    @property
    def volume(self) -> tuple[float, float, float] | None:
        """(slice, row, column), or None if the distance of slices is unknown."""
        return None if self.slices is None else (self.slices, self.row, self.column)


def pixel_size(tif: tifffile.TiffFile) -> PixelSize | None:
    """The pixel size stored by OME or ImageJ, or by a resolution in pixels per centimetre.

    A resolution in pixels per inch is what scanners, cameras and editors fill in for printing; it is ignored.

    Args:
        tif: An open TIFF.

    Returns:
        The size in mm, or None.
    """
    if tif.ome_metadata:
        return _from_ome(tifffile.xml2dict(tif.ome_metadata))
    across, down = tif.pages[0].resolution
    if not (across > 0 and down > 0):
        return None
    if tif.imagej_metadata:
        unit = _MM.get(_plain(tif.imagej_metadata.get("unit", "")))
        depth = tif.imagej_metadata.get("spacing")
        if unit is None:
            return None
        return PixelSize(float(depth) * unit if depth else None, unit / down, unit / across)
    if tif.pages[0].resolutionunit == _CENTIMETRE:
        return PixelSize(None, 10.0 / down, 10.0 / across)
    return None


def _from_ome(metadata: dict[str, Any]) -> PixelSize | None:
    image = metadata.get("OME", {}).get("Image", {})
    pixels = (image[0] if isinstance(image, list) else image).get("Pixels", {})
    sizes = []
    for axis in "ZYX":
        size = pixels.get(f"PhysicalSize{axis}")
        unit = _MM.get(_plain(pixels.get(f"PhysicalSize{axis}Unit", "µm")))
        sizes.append(float(size) * unit if size and unit else None)
    depth, row, column = sizes
    return None if row is None or column is None else PixelSize(depth, row, column)


def _plain(unit: object) -> str:
    return str(unit).replace("\\u00B5", "µ").strip().lower()

"""The accessor `overtone` of xarray's arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np
import xarray as xr

from overtone.errors import InputError

if TYPE_CHECKING:
    from overtone.spectra._field_geometry import FieldGeometry


@final
@xr.register_dataarray_accessor("overtone")
class FieldAccessor:
    """Spectra of xarray's arrays, as `array.overtone`, once `overtone.verification` is imported.

    Args:
        array: The array.

    Example:
        >>> import numpy as np
        >>> import xarray as xr
        >>> import overtone.verification
        >>> x = xr.DataArray(np.arange(8) * 5.0, dims="x", attrs={"units": "km"})
        >>> wave = xr.DataArray(np.cos(2 * np.pi * x / 20), coords={"x": x}, dims="x", attrs={"units": "m"})
        >>> spectrum = wave.overtone.spectrum(dims=("x",), periodic=True)
        >>> round(float(spectrum.power.sum()), 6), spectrum.power.units, spectrum.frequency.units
        (0.5, 'm^2', 'cycles/km')
    """

    def __init__(self, array: xr.DataArray) -> None:
        self._array = array

    def spectrum(
        self,
        dims: Sequence[str] | None = None,
        *,
        periodic: bool | Sequence[bool] = False,
        healpix: str | None = None,
    ) -> xr.Dataset:
        """Return the power by frequency, or by degree of spherical harmonics around the globe.

        On the sphere, along periodic axes and with the even extension the powers sum to the mean square (on the sphere
        weighted by area). Boxes with open borders and spectra steeper than f^-3 are measured with plane detrend and
        a Hann window instead; the attribute `estimator` names what was used.

        Args:
            dims: Axes of space; latitude and longitude, or those of z, y and x that exist, by default.
            periodic: Whether the axes of a box wrap around, one value or one per axis.
            healpix: "ring" or "nested": the order of the pixels of a HEALPix grid, if the metadata do not say.

        Returns:
            `power` in squared units of the values along `frequency` or `degree` and all other axes, with the coordinate
            `wavelength`, and the bands' edges `low` and `high` beside `frequency`.

        Raises:
            InputError: If an axis is absent, the grid is irregular, or a cell is missing.
        """
        import torch

        from overtone.verification._datasets import geometry_of, globe_axes, space_axes
        from overtone.verification._pairs import CHUNK, finite, real_tensor

        array = self._array
        globe = globe_axes(array)
        # The rows of a globe are its latitudes, in whichever order the axes are named.
        rows = globe if globe and dims and set(dims) == set(globe) else None
        axes = rows or space_axes(array, dims, "spectrum", healpix)
        around = tuple(periodic) if isinstance(periodic, Sequence) else periodic
        geometry = geometry_of(array, axes, around, healpix)
        others = [dim for dim in array.dims if dim not in axes]
        sizes = [array.sizes[dim] for dim in others]
        ordered = array.transpose(*axes, *others)
        transform = None
        columns = []
        for block in _blocks(sizes, max(1, CHUNK // math.prod(geometry.shape))):
            # Fields are read block by block: arrays on disk may be larger than the memory.
            part = ordered.isel(dict(zip(others, block, strict=True))).values
            values = finite(real_tensor(part, "spectrum"), "spectrum").double().reshape(*geometry.shape, -1)
            if transform is None:
                transform, estimator = geometry.transform(values[..., :1].movedim(-1, 0))
            coefficients = transform.coefficients(values)
            by_degree = getattr(transform, "by_degree", None)
            power: Any = transform.power(coefficients) if by_degree is None else by_degree(coefficients)
            columns.append(torch.as_tensor(power, device="cpu"))
        if transform is None:
            raise InputError(
                "at least one field", f"sizes {tuple(array.shape)}", "choose another range", "spectrum"
            )
        table = torch.cat(columns, dim=1).reshape(-1, *sizes).numpy()
        name, coordinates = _coordinates(geometry, transform.bands, len(table))
        attributes = {"units": f"{array.units}^2"} if array.attrs.get("units") else {}
        beside = {str(dim): array[dim] for dim in others if dim in array.coords}
        return xr.Dataset(
            {"power": ((name, *others), table, attributes)},
            coordinates | beside,
            {"estimator": estimator, "variable": str(array.name or "values")},
        )


def _blocks(sizes: Sequence[int], at_once: int) -> Iterator[tuple[slice, ...]]:
    """Yield the places of at most `at_once` neighbouring fields, in row-major order.

    Args:
        sizes: Fields along each axis other than those of space.
        at_once: Fields of a block.
    """
    if not sizes:
        yield ()
        return
    inner = math.prod(sizes[1:])
    rows = max(1, at_once // max(1, inner))
    for first in range(0, sizes[0], rows):
        # A row that is too large is divided along its further axes.
        for remainder in (
            _blocks(sizes[1:], at_once) if inner > at_once else [(slice(None),) * (len(sizes) - 1)]
        ):
            yield (slice(first, first + rows), *remainder)


def _coordinates(geometry: FieldGeometry, bands: Any, count: int) -> tuple[str, dict[str, Any]]:
    """Return the name of the axis of the spectrum, and its coordinates."""
    name = "frequency" if geometry.sphere is None else "degree"
    places = bands.centre if geometry.sphere is None else np.arange(count)
    units = {"units": geometry.frequency_unit if geometry.sphere is None else "1"}
    lengths = [geometry.wavelength(float(place)) if place else np.inf for place in places]
    result = {
        name: (name, np.asarray(places), units),
        "wavelength": (name, np.array(lengths), {"units": geometry.unit}),
    }
    if geometry.sphere is None:
        result |= {"low": (name, bands.low, units), "high": (name, bands.high, units)}
    return name, result

"""The accessor `overtone` of xarray's arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np
import xarray as xr

from overtone.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from overtone.spectra import Bands
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

        NaN marks missing cells. Differences of the field are measured then and the coupling of modes by the mask is
        inverted, in bands (also of degrees) that the mask of the first such field can tell apart. Estimates vary around
        the power of the whole field, and may be negative where there is little.

        Args:
            dims: Axes of space; latitude and longitude, or those of z, y and x that exist, by default.
            periodic: Whether the axes of a box wrap around, one value or one per axis.
            healpix: "ring" or "nested": the order of the pixels of a HEALPix grid, if the metadata do not say.

        Returns:
            `power` in squared units of the values along `frequency` or `degree` and all other axes, with the coordinate
            `wavelength`, and the edges `low` and `high` of bands. With missing cells also `filled`, the power of fields
            filled by Laplace's equation: where both differ, the power is not determined.

        Raises:
            InputError: If an axis is absent, the grid is irregular, or no cell is valid.
        """
        from overtone.verification._datasets import geometry_of, globe_axes, space_axes

        array = self._array
        globe = globe_axes(array)
        # The rows of a globe are its latitudes, in whichever order the axes are named.
        rows = globe if globe and dims and set(dims) == set(globe) else None
        axes = rows or space_axes(array, dims, "spectrum", healpix)
        around = tuple(periodic) if isinstance(periodic, Sequence) else periodic
        geometry = geometry_of(array, axes, around, healpix)
        others = [str(dim) for dim in array.dims if dim not in axes]
        sizes = [array.sizes[dim] for dim in others]
        if not math.prod(array.shape):
            raise InputError(
                "at least one field", f"sizes {tuple(array.shape)}", "choose another range", "spectrum"
            )
        ordered = array.transpose(*axes, *others)
        tables, bands, estimator, by_degree = _powers(ordered, geometry, others)
        size = len(tables["power"])
        name, coordinates = _coordinates(geometry, bands, size if by_degree else None)
        attributes = {"units": f"{array.units}^2"} if array.attrs.get("units") else {}
        beside = {dim: array[dim] for dim in others if dim in array.coords}
        return xr.Dataset(
            {key: ((name, *others), x.reshape(-1, *sizes).numpy(), attributes) for key, x in tables.items()},
            coordinates | beside,
            {"estimator": estimator, "variable": str(array.name or "values")},
        )


def _powers(
    ordered: xr.DataArray, geometry: FieldGeometry, others: Sequence[str]
) -> tuple[dict[str, Tensor], Bands, str, bool]:
    """Return the (row, field) powers of all fields, with bands, estimator, and whether rows are degrees.

    Args:
        ordered: Array with the axes of space first.
        geometry: Geometry of the fields.
        others: The other axes.

    Raises:
        InputError: If a value is infinite, or missing on a HEALPix grid.
    """
    import torch

    from overtone.spectra._legendre import DegreeTransform

    transform, estimator, columns = None, "", []
    for values in _read(ordered, geometry, others):
        if bool(torch.isnan(values).any()):
            return _masked_powers(ordered, geometry, others)
        values = values.double().movedim(0, -1)
        if transform is None:
            transform, estimator = geometry.transform(values[..., :1].movedim(-1, 0))
        coefficients = transform.coefficients(values)
        if isinstance(transform, DegreeTransform):
            columns.append(transform.by_degree(coefficients))
        else:
            columns.append(transform.power(coefficients))
    assert transform is not None
    return {"power": torch.cat(columns, 1)}, transform.bands, estimator, geometry.sphere is not None


def _masked_powers(
    ordered: xr.DataArray, geometry: FieldGeometry, others: Sequence[str]
) -> tuple[dict[str, Tensor], Bands, str, bool]:
    """Return what `_powers` returns for fields with missing cells, beside it the power of the filled fields."""
    import torch

    from overtone.spectra._gap_estimator import gap_estimator
    from overtone.verification._gaps import no_valid_cells, single_powers

    if geometry.sphere is not None and geometry.rows_and_columns is None:
        raise InputError("values in every pixel", "missing ones", "fill them", "spectrum")
    gaps = None
    for values in _read(ordered, geometry, others):
        # The first field with gaps and more than a few valid cells decides on the bands of all.
        valid = ~torch.isnan(values)
        shares = valid.double().flatten(1).mean(1)
        suitable = ((shares > 0.25) & (shares < 1)).nonzero()[:, 0].tolist() or (shares > 0).nonzero()[
            :, 0
        ].tolist()
        if suitable:
            place = slice(suitable[0], suitable[0] + 1)
            gaps = gap_estimator(geometry, values[place], valid[place])
            break
    if gaps is None:
        raise no_valid_cells(None)
    columns = [single_powers(gaps, values) for values in _read(ordered, geometry, others)]
    power, check = (torch.cat(parts, 1) for parts in zip(*columns, strict=True))
    name = f"{gaps.name} and checked by filling them"
    return {"power": power, "filled": check}, gaps.transform.bands, name, False


def _read(ordered: xr.DataArray, geometry: FieldGeometry, others: Sequence[str]) -> Iterator[Tensor]:
    """Yield (field, *space) values block by block: arrays on disk may be larger than the memory."""
    from overtone.verification import _pairs

    sizes = [ordered.sizes[dim] for dim in others]
    for block in _blocks(sizes, max(1, _pairs.CHUNK // math.prod(geometry.shape))):
        part = ordered.isel(dict(zip(others, block, strict=True))).values
        values = _pairs.no_infinity(_pairs.real_tensor(part, "spectrum"), "spectrum")
        yield values.reshape(*geometry.shape, -1).movedim(-1, 0)


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


def _coordinates(geometry: FieldGeometry, bands: Bands, degrees: int | None) -> tuple[str, dict[str, Any]]:
    """Return the name of the axis of the spectrum, and its coordinates.

    Args:
        geometry: Geometry of the fields.
        bands: The bands.
        degrees: Number of degrees, if rows are degrees and not bands.
    """
    name = "frequency" if geometry.sphere is None else "degree"
    places = bands.centre if degrees is None else np.arange(degrees)
    units = {"units": geometry.frequency_unit if geometry.sphere is None else "1"}
    lengths = [geometry.wavelength(float(place)) if place else np.inf for place in places]
    result = {
        name: (name, np.asarray(places), units),
        "wavelength": (name, np.array(lengths), {"units": geometry.unit}),
    }
    if degrees is None:
        result |= {"low": (name, bands.low, units), "high": (name, bands.high, units)}
    return name, result

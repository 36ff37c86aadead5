"""HEALPix grids of xarray data, recognised by their metadata or stated by the caller."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from overtone.errors import InputError
from overtone.spectra._healpix import SCHEMES, HealpixGrid

if TYPE_CHECKING:
    from xarray import DataArray


def scheme_is_nested(scheme: str) -> bool:
    """Return whether a scheme is the nested one.

    Raises:
        InputError: If it is neither ring nor nested.
    """
    text = str(scheme).strip().lower()
    if text in ("nest", "nested", "ring"):
        return text != "ring"
    raise InputError(
        f"one of the orders {' and '.join(SCHEMES)} of pixels", repr(scheme), "convert the order", "healpix"
    )


def with_grid_mapping(data: Any, array: DataArray) -> DataArray:
    """Return an array of a Dataset with the variable of its grid mapping as a coordinate, if that is HEALPix.

    Args:
        data: The Dataset.
        array: One of its variables.
    """
    name = array.attrs.get("grid_mapping") or array.encoding.get("grid_mapping")
    if name is None or name not in data.variables or name in array.coords:
        return array
    mapping = data[name]
    if mapping.attrs.get("grid_mapping_name") != "healpix" or mapping.ndim:
        return array
    return array.assign_coords({name: mapping.variable})


def healpix_axis(
    array: DataArray, scheme: str | None = None, space: Sequence[str] | None = None
) -> tuple[str, HealpixGrid] | None:
    """Return the axis of HEALPix pixels and their grid, or None if neither metadata nor the caller says that it is one.

    Metadata are a grid mapping "healpix" of CF with nside or level and order, or a coordinate with the attribute
    `grid_name` = "healpix", as of xdggs.

    Args:
        array: The array.
        scheme: Order of the pixels as stated by the caller.
        space: Axis of the pixels as stated by the caller.

    Raises:
        InputError: If metadata and statements contradict each other, or the pixels are not complete and in order.
    """
    stated = None if scheme is None else scheme_is_nested(scheme)
    recognised = _by_metadata(array)
    if recognised is None and stated is None:
        return None
    axis, attributes = recognised or (None, {})
    order = attributes.get("indexing_scheme", attributes.get("healpix_order"))
    nested = stated if order is None else scheme_is_nested(order)
    if nested is None:
        raise InputError("the order of the pixels", "none in the metadata", "state healpix", str(array.name))
    if stated is not None and nested != stated:
        raise InputError(
            f"pixels in {SCHEMES[nested]} order, as the metadata say",
            repr(scheme),
            "leave healpix out",
            "healpix",
        )
    axis = _axis(array, axis, attributes, space)
    grid = HealpixGrid.of_size(int(array.sizes[axis]), nested)
    _check_order(array, axis, grid)
    return axis, grid


def has_pixels(array: DataArray, scheme: str | None) -> bool:
    """Return whether an array may have an axis of HEALPix pixels: by its metadata, or by its sizes with a scheme.

    Args:
        array: The array.
        scheme: Order of the pixels as stated by the caller.
    """
    return _by_metadata(array) is not None or (
        scheme is not None and any(_pixel_count(int(size)) for size in array.shape)
    )


def _by_metadata(array: DataArray) -> tuple[str | None, Mapping[str, Any]] | None:
    """Return the axis, if it is known, and the attributes that describe the grid."""
    for coordinate in array.coords.values():
        attributes = coordinate.attrs
        if attributes.get("grid_name") == "healpix" and coordinate.ndim == 1:
            return str(coordinate.dims[0]), attributes
    name = array.attrs.get("grid_mapping") or array.encoding.get("grid_mapping")
    if name in array.coords and array.coords[name].attrs.get("grid_mapping_name") == "healpix":
        return None, array.coords[name].attrs
    return None


def _nside(attributes: Mapping[str, Any]) -> int | None:
    for name in ("healpix_nside", "nside"):
        if name in attributes:
            return int(attributes[name])
    for name in ("refinement_level", "level"):
        if name in attributes:
            return 1 << int(attributes[name])
    return None


def _axis(
    array: DataArray, axis: str | None, attributes: Mapping[str, Any], space: Sequence[str] | None
) -> str:
    """Return the axis of the pixels."""
    nside = _nside(attributes)
    if axis is None and space is not None and len(space) == 1 and space[0] in array.dims:
        axis = str(space[0])
    if axis is None:
        sizes = {str(dim): int(array.sizes[dim]) for dim in array.dims}
        suitable = [
            dim for dim, size in sizes.items() if (size == 12 * nside**2 if nside else _pixel_count(size))
        ]
        if len(suitable) != 1:
            expected = f"an axis of {12 * nside**2} pixels" if nside else "one axis of 12 nside^2 pixels"
            raise InputError(
                expected,
                f"axes of sizes {', '.join(f'{dim} {size}' for dim, size in sizes.items())}",
                "name the axis of pixels (space), and pass all pixels of the sphere",
                str(array.name),
            )
        axis = suitable[0]
    elif nside and array.sizes[axis] != 12 * nside**2:
        raise InputError(
            f"{12 * nside**2} pixels along {axis}",
            f"{array.sizes[axis]}",
            "pass all pixels of the sphere",
            str(array.name),
        )
    return axis


def _pixel_count(size: int) -> bool:
    return size >= 12 and size % 12 == 0 and math.isqrt(size // 12) ** 2 == size // 12


def _check_order(array: DataArray, axis: str, grid: HealpixGrid) -> None:
    """Refuse numbers of pixels that are not 0, 1, 2, ...

    Raises:
        InputError: If they are others.
    """
    for coordinate in array.coords.values():
        if coordinate.dims != (axis,) or coordinate.dtype.kind not in "iu":
            continue
        numbers = np.asarray(coordinate.values)
        if coordinate.attrs.get("grid_name") != "healpix" and coordinate.name != axis:
            continue
        if not np.array_equal(numbers, np.arange(grid.pixels)):
            raise InputError(
                f"pixels 0 to {grid.pixels - 1} in order along {axis}",
                f"numbers from {numbers.min()} to {numbers.max()} in another order or with gaps",
                f"sort them (.sortby('{coordinate.name}'))",
                str(array.name),
            )

"""Pairs of forecast and truth in chunks, from arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict, final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.missing_values import entire
from overtone.errors import InputError
from overtone.spectra._field_geometry import FieldGeometry, tensor_of
from overtone.spectra._healpix import HealpixGrid
from overtone.verification._pixels import scheme_is_nested

CHUNK = 1 << 23
"""Values of one field set that are read at once by the accessor."""


@final
@dataclass(frozen=True)
class Batch:
    """Paired samples in the order of time.

    Attributes:
        target: (sample, channel, *space) true fields.
        forecast: (sample, channel, *space) fields, or (sample, member, channel, *space) of an ensemble.
        others: Further forecasts of the same samples, (sample, channel, *space).
    """

    target: Tensor
    forecast: Tensor
    others: tuple[Tensor, ...] = ()


class Pairs(Protocol):
    """Paired samples of several variables on one geometry."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables, in the order of the channels."""
        ...

    @property
    def winds(self) -> tuple[int, int] | None:
        """Channels of the eastward and northward component of a wind, or None."""
        ...

    @property
    def leads(self) -> tuple[str, ...] | None:
        """Lead times as text, or None without a lead axis."""
        ...

    @property
    def members(self) -> int:
        """Members of the ensemble; 0 without an axis of members."""
        ...

    @property
    def others(self) -> tuple[str, ...]:
        """Names of the further forecasts."""
        ...

    @property
    def geometry(self) -> FieldGeometry:
        """The geometry of the fields."""
        ...

    @property
    def paired(self) -> tuple[int, int, int]:
        """Samples of the forecast, of the truth and of the pairs."""
        ...

    def count(self, lead: int) -> int:
        """Return the paired samples of a lead time."""
        ...

    def read(self, lead: int, part: slice) -> Batch:
        """Return paired samples of a lead time."""
        ...


@final
@dataclass(frozen=True)
class ArrayPairs:
    """Pairs from arrays (sample, channel, *space); attributes as of `Pairs`.

    Attributes:
        forecast: (sample, channel, *space), or (sample, member, channel, *space) values.
        truth: (sample, channel, *space) values.
        others: Names of the further forecasts.
        further: Their (sample, channel, *space) values.
    """

    forecast: Tensor
    truth: Tensor
    variables: tuple[str, ...]
    geometry: FieldGeometry
    others: tuple[str, ...] = ()
    further: tuple[Tensor, ...] = ()
    winds: tuple[int, int] | None = None
    leads: None = None

    @property
    def members(self) -> int:
        """Members of the ensemble; 0 without an axis of members."""
        return self.forecast.shape[1] if self.forecast.ndim > self.truth.ndim else 0

    @property
    def paired(self) -> tuple[int, int, int]:
        """Samples of the forecast, of the truth and of the pairs."""
        return (len(self.forecast), len(self.truth), len(self.truth))

    def count(self, lead: int) -> int:  # noqa: ARG002
        """Return the number of samples."""
        return len(self.truth)

    def read(self, lead: int, part: slice) -> Batch:  # noqa: ARG002
        """Return paired samples."""
        return Batch(
            no_infinity(self.truth[part], "truth"),
            no_infinity(self.forecast[part], "forecast"),
            tuple(
                no_infinity(values[part], name)
                for name, values in zip(self.others, self.further, strict=True)
            ),
        )


def chosen(
    forecast: tuple[str, ...], truth: tuple[str, ...], variables: tuple[str, ...] | None
) -> tuple[str, ...]:
    """Return the names of the variables to verify.

    Raises:
        InputError: If a requested variable is absent, or none is common.
    """
    common = tuple(name for name in forecast if name in truth)
    for name in variables or ():
        for source, names in (("forecast", forecast), ("truth", truth)):
            if name not in names:
                raise InputError(
                    f"one of the variables {', '.join(names) or '(there are none)'}",
                    repr(name),
                    "choose among them",
                    source,
                )
    if not common:
        raise InputError(
            "variables of the same name in both",
            f"{', '.join(forecast) or 'none'} and {', '.join(truth) or 'none'}",
            "rename them",
            "variables",
        )
    return variables or common


def real_tensor(values: Any, source: str) -> Tensor:
    """Return real values as a tensor.

    Raises:
        InputError: If they are masked, complex or no numbers.
    """
    values = entire(values, source)
    if not isinstance(values, Tensor):
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise InputError("an array of real numbers", f"dtype {array.dtype}", "convert it", source)
        values = array.astype(np.float64) if array.dtype.kind != "f" or array.dtype.itemsize > 8 else array
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
    tensor = tensor_of(values)
    if tensor.is_complex():
        raise InputError("real numbers", f"{tensor.dtype}", "pass real and imaginary parts apart", source)
    return tensor


def no_infinity(values: Tensor, source: str) -> Tensor:
    """Return values none of which is infinite; NaN marks missing cells.

    Raises:
        InputError: If one is.
    """
    if all_finite(values):
        return values
    bad = torch.isinf(values)
    if bool(bad.any()):
        raise InputError(
            "finite values, or NaN where a cell is missing",
            f"{int(bad.sum())} of {bad.numel()} cells infinite",
            "replace them",
            source,
        )
    return values


def all_finite(values: Tensor) -> bool:
    """Return whether all values are finite; one pass finds it, unless their sum is not finite although they are.

    Args:
        values: The values.
    """
    return bool(torch.isfinite(values.sum())) or bool(torch.isfinite(values).all())


def finite(values: Tensor, source: str) -> Tensor:
    """Return values that are all finite.

    Raises:
        InputError: If one is not.
    """
    bad = ~torch.isfinite(values)
    if bool(bad.any()):
        raise InputError(
            "values in every cell",
            f"{int(bad.sum())} of {bad.numel()} cells missing or infinite",
            "use spectra.MaskedTransform for fields with missing cells",
            source,
        )
    return values


def wind_channels(
    winds: Sequence[str] | None, names: tuple[str, ...]
) -> tuple[tuple[int, int] | None, tuple[str, ...]]:
    """Return the channels of the components of a wind, and the names of the channels, which become its parts.

    Args:
        winds: Names of the eastward and northward component, or None.
        names: Names of the channels.

    Raises:
        InputError: If there are not two such names.
    """
    if winds is None:
        return None, names
    if isinstance(winds, str) or len(tuple(winds)) != 2:
        raise InputError("two components, such as u and v", repr(winds), "name both", "winds")
    east, north = winds
    for name in (east, north):
        if name not in names:
            raise InputError(
                f"one of the variables {', '.join(names)}", repr(name), "choose among them", "winds"
            )
    if east == north:
        raise InputError(
            "two components", f"{east!r} twice", "name the eastward and the northward one", "winds"
        )
    places = names.index(east), names.index(north)
    parts = dict(zip(places, WIND_PARTS, strict=True))
    return places, tuple(parts.get(place, name) for place, name in enumerate(names))


WIND_PARTS = ("rotational wind", "divergent wind")
"""Names of the parts of a wind, in place of its components."""


class PositionOptions(TypedDict, total=False):
    """Positions of the values of arrays, and the components of winds, as keywords of `verify`."""

    latitude: ArrayLike | None
    longitude: ArrayLike | None
    spacing: float | Sequence[float] | None
    periodic: bool | Sequence[bool]
    unit: str | None
    winds: Sequence[str] | None
    healpix: str | None


def array_pairs(
    forecast: Any,
    truth: Any,
    variables: tuple[str, ...] | None,
    grid: PositionOptions,
    member: int | None = None,
    against: Mapping[str, Any] | None = None,
) -> ArrayPairs:
    """Pair arrays (sample, channel, *space), or mappings of arrays (sample, *space).

    Args:
        forecast: The forecast.
        truth: The truth.
        variables: Names of arrays in mappings.
        grid: Positions of the values.
        member: Axis of the members of the forecast, if it is an ensemble.
        against: Further forecasts by name.

    Raises:
        InputError: If they cannot be paired.
    """
    if isinstance(truth, Mapping) and isinstance(forecast, Mapping):
        variables = chosen(tuple(forecast), tuple(truth), variables)
    elif variables is not None and not isinstance(truth, Mapping):
        raise InputError(
            "variables only of named arrays", f"{', '.join(variables)}", "leave it out", "variables"
        )
    targets = _stacked(truth, truth, variables, "truth", None)
    predictions = _stacked(forecast, truth, variables, "forecast", member)
    further = {name: _stacked(data, truth, variables, name, None) for name, data in (against or {}).items()}
    single = predictions if member is None else predictions[:, 0]
    for source, values in {"forecast": single, **further}.items():
        if values.shape != targets.shape:
            raise InputError(
                f"a forecast of the truth's shape {tuple(targets.shape)}",
                f"{tuple(values.shape)}",
                "pass the same samples on the same grid",
                source,
            )
    if not 3 <= targets.ndim <= 5 or not targets.numel():
        raise InputError(
            "arrays of shape (samples, channels, *space) with 1 to 3 axes of space",
            f"shape {tuple(targets.shape)}",
            "reshape them; for one picture, array[None, None]",
            "forecast",
        )
    names = variables
    if names is None:
        count = targets.shape[1]
        names = tuple(f"channel {index}" for index in range(count)) if count != 1 else ("values",)
    geometry = _array_geometry(targets, grid)
    stated = grid.get("winds")
    if stated is not None and variables is None and not isinstance(stated, str):
        # Channels without names are counted.
        stated = [f"channel {name}" if str(name).isdecimal() else name for name in stated]
    winds, names = wind_channels(stated, names)
    return ArrayPairs(predictions, targets, names, geometry, tuple(further), tuple(further.values()), winds)


def _stacked(
    values: Any, truth: Any, variables: tuple[str, ...] | None, source: str, member: int | None
) -> Tensor:
    """Return (sample, channel, *space) values, with members as the second axis if there are any."""
    if isinstance(values, Mapping) != isinstance(truth, Mapping):
        raise InputError("two arrays or two mappings", "one of each", "pass both in one form", "truth")
    if not isinstance(values, Mapping):
        return _members(real_tensor(values, source), member, source)
    names = chosen(tuple(values), tuple(truth), variables)
    tensors = [_members(real_tensor(values[name], f"{source}, {name}"), member, source) for name in names]
    shapes = {tuple(t.shape) for t in tensors}
    if len(shapes) > 1:
        raise InputError(
            "variables of one shape", " and ".join(map(str, sorted(shapes))), "verify them one by one", source
        )
    return torch.stack(tensors, dim=1 if member is None else 2)


def _members(values: Tensor, member: int | None, source: str) -> Tensor:
    """Return values with their members as the second axis."""
    if member is None:
        return values
    if not -values.ndim <= member < values.ndim or values.ndim < 2:
        raise InputError(
            f"an axis of members from 0 to {values.ndim - 1}", f"{member}", "choose another one", "member"
        )
    if values.shape[member] < 2:
        raise InputError("at least two members", f"{values.shape[member]}", "leave member out", source)
    return values.movedim(member, 1)


def _array_geometry(targets: Tensor, grid: PositionOptions) -> FieldGeometry:
    """Return the geometry of (sample, channel, *space) values."""
    scheme = grid.get("healpix")
    if scheme is not None:
        return _healpix_geometry(targets, grid, scheme)
    latitude, longitude = grid.get("latitude"), grid.get("longitude")
    if (latitude is None) != (longitude is None):
        raise InputError("latitude and longitude together", "one of them", "pass both", "latitude")
    if latitude is None or longitude is None:
        spacing = grid.get("spacing")
        return FieldGeometry.box(
            targets.shape[2:],
            tuple(spacing) if isinstance(spacing, Sequence) else spacing,
            per_axis(grid.get("periodic", False)),
            grid.get("unit"),
        )
    geometry = FieldGeometry.of_coordinates(latitude, longitude)
    if tuple(targets.shape[2:]) != geometry.shape:
        raise InputError(
            f"values of {geometry.shape[0]} latitudes and {geometry.shape[1]} longitudes as the last axes",
            f"shape {tuple(targets.shape)}",
            "pass the coordinates of these axes, or transpose the values",
            "forecast",
        )
    return geometry


def _healpix_geometry(targets: Tensor, grid: PositionOptions, scheme: str) -> FieldGeometry:
    """Return the geometry of (sample, channel, pixel) values."""
    if any(grid.get(name) is not None for name in ("latitude", "longitude", "spacing", "unit")):
        raise InputError(
            "no latitude, longitude, spacing or unit beside healpix", "one", "leave it out", "healpix"
        )
    if targets.ndim != 3:
        raise InputError(
            "values (samples, channels, pixels)", f"shape {tuple(targets.shape)}", "reshape them", "forecast"
        )
    return FieldGeometry.healpix(HealpixGrid.of_size(targets.shape[-1], scheme_is_nested(scheme)))


def per_axis(value: bool | Sequence[bool]) -> bool | tuple[bool, ...]:
    """Return one value, or a tuple of one per axis."""
    return tuple(value) if isinstance(value, Sequence) else value

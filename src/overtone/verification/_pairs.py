"""Pairs of forecast and truth in chunks, from arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np
import torch
from torch import Tensor

from overtone._utils.missing_values import entire
from overtone.errors import InputError
from overtone.spectra._field_geometry import FieldGeometry, tensor_of

CHUNK = 1 << 23
"""Values of one field set that are read at once."""


class Pairs(Protocol):
    """Paired samples of several variables on one geometry."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables, in the order of the channels."""
        ...

    @property
    def leads(self) -> tuple[str, ...] | None:
        """Lead times as text, or None without a lead axis."""
        ...

    @property
    def geometry(self) -> FieldGeometry:
        """The geometry of the fields."""
        ...

    @property
    def paired(self) -> tuple[int, int, int]:
        """Samples of the forecast, of the truth and of the pairs."""
        ...

    def chunks(self, lead: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (sample, channel, *space) predictions and targets in the order of the samples."""
        ...


@final
@dataclass(frozen=True)
class ArrayPairs:
    """Pairs from arrays (sample, channel, *space); attributes as of `Pairs`."""

    forecast: Tensor
    truth: Tensor
    variables: tuple[str, ...]
    geometry: FieldGeometry
    leads: None = None

    @property
    def paired(self) -> tuple[int, int, int]:
        """Samples of the forecast, of the truth and of the pairs."""
        return (len(self.forecast), len(self.truth), len(self.truth))

    def chunks(self, lead: int) -> Iterator[tuple[Tensor, Tensor]]:  # noqa: ARG002
        """Yield (sample, channel, *space) predictions and targets."""
        at_once = max(1, CHUNK // self.truth[0].numel())
        for first in range(0, len(self.truth), at_once):
            part = slice(first, first + at_once)
            yield finite(self.forecast[part], "forecast"), finite(self.truth[part], "truth")


def from_mappings(
    forecast: Mapping[str, Any], truth: Mapping[str, Any], variables: tuple[str, ...] | None
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Stack the common arrays (sample, *space) of two mappings as channels.

    Args:
        forecast: Arrays by name.
        truth: Arrays by name.
        variables: Names to use; all common ones if None.

    Raises:
        InputError: If a name is absent, none is common, or shapes differ.
    """
    names = chosen(tuple(forecast), tuple(truth), variables)
    stacks = []
    for source, arrays in (("forecast", forecast), ("truth", truth)):
        tensors = [real_tensor(arrays[name], f"{source}, {name}") for name in names]
        shapes = {tuple(t.shape) for t in tensors}
        if len(shapes) > 1:
            raise InputError(
                "variables of one shape",
                " and ".join(map(str, sorted(shapes))),
                "verify them one by one",
                source,
            )
        stacks.append(torch.stack(tensors, dim=1))
    return stacks[0], stacks[1], names


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


def finite(values: Tensor, source: str) -> Tensor:
    """Return values that are all finite.

    Raises:
        InputError: If one is not: missing cells cannot be verified yet.
    """
    bad = ~torch.isfinite(values)
    if bool(bad.any()):
        raise InputError(
            "values in every cell, because missing cells are not supported yet",
            f"{int(bad.sum())} of {bad.numel()} cells missing or infinite",
            "verify a box without missing cells",
            source,
        )
    return values


def array_pairs(
    forecast: Any,
    truth: Any,
    variables: tuple[str, ...] | None,
    spacing: float | tuple[float, ...] | None,
    periodic: bool | tuple[bool, ...],
    unit: str | None,
    coordinates: tuple[Any, Any] | None = None,
) -> ArrayPairs:
    """Pair arrays (sample, channel, *space), or mappings of arrays (sample, *space).

    Raises:
        InputError: If they cannot be paired.
    """
    if isinstance(forecast, Mapping) != isinstance(truth, Mapping):
        raise InputError("two arrays or two mappings", "one of each", "pass both in one form", "truth")
    if isinstance(forecast, Mapping):
        predictions, targets, names = from_mappings(forecast, truth, variables)
    else:
        if variables is not None:
            raise InputError(
                "variables only of named arrays", f"{', '.join(variables)}", "leave it out", "variables"
            )
        predictions, targets = real_tensor(forecast, "forecast"), real_tensor(truth, "truth")
        count = targets.shape[1] if targets.ndim > 1 else 0
        names = tuple(f"channel {index}" for index in range(count)) if count != 1 else ("values",)
    if predictions.shape != targets.shape:
        raise InputError(
            f"a forecast of the truth's shape {tuple(targets.shape)}",
            f"{tuple(predictions.shape)}",
            "pass the same samples on the same grid",
            "forecast",
        )
    if not 3 <= targets.ndim <= 5 or not targets.numel():
        raise InputError(
            "arrays of shape (samples, channels, *space) with 1 to 3 axes of space",
            f"shape {tuple(targets.shape)}",
            "reshape them; for one picture, array[None, None]",
            "forecast",
        )
    if coordinates is None:
        geometry = FieldGeometry.box(targets.shape[2:], spacing, periodic, unit)
    else:
        geometry = FieldGeometry.of_coordinates(*coordinates)
        if tuple(targets.shape[2:]) != geometry.shape:
            raise InputError(
                f"values of {geometry.shape[0]} latitudes and {geometry.shape[1]} longitudes as the last axes",
                f"shape {tuple(targets.shape)}",
                "pass the coordinates of these axes, or transpose the values",
                "forecast",
            )
    return ArrayPairs(predictions, targets, names, geometry)

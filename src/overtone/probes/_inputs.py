"""Inputs of a network: coordinates of a grid, or tensors of any shape and nesting."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from overtone._utils.missing_values import entire
from overtone._utils.tensors import ordinary
from overtone.errors import InputError
from overtone.signals import Geometry, Grid
from overtone.spectra._inputs import numeric

_MAX_SHIFT = 0.1
"""Largest harmless rounding of a coordinate, in units of the sample spacing."""

_CHECKED_AT_ONCE = 1 << 22
"""Numbers that are checked at once, which bounds the memory."""

_MAX_COLLISIONS = 0.01
"""Tolerated share of coinciding scattered inputs: a few coincide by chance even if they are well spread."""


@final
@dataclass(frozen=True)
class RoundingCollisions:
    """Inputs that coincide when they are rounded to a precision.

    Attributes:
        dtype: The precision.
        samples: Number of different inputs.
        distinct: Number of different inputs after rounding.
        subject: Name of the inputs in messages.
        shift: Largest rounding, in units of the sample spacing; None if it is unknown.
    """

    dtype: torch.dtype
    samples: int
    distinct: int
    subject: str
    shift: float | None = None

    @property
    def sentence(self) -> str:
        """Description of the effect, with advice."""
        name = str(self.dtype).removeprefix("torch.")
        if self.distinct < self.samples:
            effect = f"{self.samples:,} {self.subject} coincide in {self.distinct:,}"
        else:
            effect = f"{self.subject} are shifted by up to {self.shift:.2g} of their spacing"
        return (
            f"the network receives {name} inputs, in which {effect}, so that it cannot distinguish some samples; pass "
            "forward=, a function that subtracts an offset and divides before it calls the network, and train so"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the record's attribute."""
        return {"dtype": str(self.dtype).removeprefix("torch."), "samples": self.samples} | {
            "distinct": self.distinct,
            "moved": self.shift,
        }


@functools.singledispatch
def crowding(places: Geometry, dtype: torch.dtype) -> RoundingCollisions | None:
    """Return the collisions of coordinates in a precision, or None if they remain distinct.

    Args:
        places: Geometry of the samples.
        dtype: The precision.
    """
    return row_collisions(places.coords(), dtype.to_real(), "places")


@crowding.register(Grid)
def _(places: Grid, dtype: torch.dtype) -> RoundingCollisions | None:
    dtype = dtype.to_real()
    for axis, (n, step, begin) in enumerate(zip(places.shape, places.spacing, places.origin, strict=True)):
        exact = begin + step * torch.arange(n, dtype=torch.float64, device="cpu")
        rounded = exact.to(dtype).double()
        distinct = len(rounded.unique())
        shift = float((rounded - exact).abs().max()) / step
        if distinct < n or shift > _MAX_SHIFT:
            return RoundingCollisions(
                dtype, n, distinct, f"coordinates along axis {axis} ({places.units[axis]})", shift
            )
    return None


def row_collisions(rows: Tensor, dtype: torch.dtype, subject: str) -> RoundingCollisions | None:
    """Return the collisions of rows of numbers in a precision, or None if they remain distinct.

    Args:
        rows: (N, d) numbers.
        dtype: The precision.
        subject: Name of a row in messages.
    """
    dtype = dtype.to_real()
    if rows.dtype == dtype:
        return None
    before, after = _distinct_rows(rows), _distinct_rows(rows.to(dtype))
    return (
        RoundingCollisions(dtype, before, after, subject)
        if before - after > _MAX_COLLISIONS * before
        else None
    )


def _distinct_rows(rows: Tensor) -> int:
    """Count different rows, by their products with one random direction."""
    # Different rows have different products with probability one; sorting one column costs far less than sorting
    # rows.
    source = torch.Generator("cpu").manual_seed(0)
    wide = rows.detach().cpu().double().reshape(len(rows), -1)
    direction = torch.randn(wide.shape[1], generator=source, dtype=torch.float64, device="cpu")
    return len((wide * direction).sum(1).unique())


class Inputs(ABC):
    """An ordered set of inputs at which a network can be evaluated."""

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of samples."""

    @abstractmethod
    def slice(self, begin: int, end: int, device: torch.device, dtype: torch.dtype | None) -> Any:
        """Return the network's arguments for samples `begin` to `end`, on its device.

        Floating-point numbers are converted to `dtype`, or left unchanged if it is None.
        """

    @abstractmethod
    def arrays(self) -> Any:
        """Return all inputs as NumPy arrays in the same nesting."""

    @property
    def whole(self) -> tuple[Inputs, Tensor | None]:
        """Return the larger set that contains these inputs, and their positions (M,) in it, None for all."""
        return self, None

    @property
    def bytes_each(self) -> float:
        """Known part of the bytes in one sample's arguments."""
        return 0.0

    @property
    def generated(self) -> bool:
        """Whether overtone computes the inputs, so that the caller chose no precision for them."""
        return False

    def crowding(self, dtype: torch.dtype | None) -> RoundingCollisions | None:
        """Return the collisions of the inputs in a precision, or None if they remain distinct."""
        del dtype
        return None

    def evaluate(self, network: nn.Module, call: Callable[[Any], Any], arguments: Any) -> Any:
        """Evaluate the network at some of the inputs; subclasses may return other quantities than its outputs.

        Args:
            network: The network itself.
            call: Function from arguments to the network's outputs.
            arguments: The return value of `slice`.

        Returns:
            (B, ..., C) numbers.
        """
        del network
        return call(arguments)


@final
class CoordinateInputs(Inputs):
    """The coordinates (M, d) of a grid's samples or of scattered points, computed on demand.

    Args:
        grid: The geometry of the samples.
        index: (M,) flat indices, or None for all samples in order.
    """

    def __init__(self, grid: Geometry, index: Tensor | None = None) -> None:
        self._grid, self._index = grid, index

    @property
    def count(self) -> int:
        """Number of samples."""
        return self._grid.samples if self._index is None else int(self._index.numel())

    @property
    def whole(self) -> tuple[Inputs, Tensor | None]:
        """Return the whole geometry."""
        return (self, None) if self._index is None else (CoordinateInputs(self._grid), self._index.cpu())

    @property
    def bytes_each(self) -> float:
        """Bytes of one coordinate vector."""
        return 8.0 * len(self._grid.extent)

    @property
    def generated(self) -> bool:
        """True."""
        return True

    def crowding(self, dtype: torch.dtype | None) -> RoundingCollisions | None:
        """Return collisions among all samples of the geometry."""
        return crowding(self._grid, dtype or torch.float64)

    def slice(self, begin: int, end: int, device: torch.device, dtype: torch.dtype | None) -> Tensor:
        """Return (end - begin, d) coordinates in the geometry's units."""
        part = torch.arange(begin, end, device="cpu") if self._index is None else self._index[begin:end]
        return self._grid.coords(part.to(device)).to(dtype or torch.float64)

    def arrays(self) -> NDArray[np.float64]:
        """Return (M, d) float64 coordinates."""
        return self._grid.coords(self._index).cpu().numpy()


def _rows_not_finite(leaf: Tensor) -> Tensor:
    """Return the (N,) bool mask of rows with NaN or infinity, in parts: a data set may fill the memory."""
    at_once = max(1, _CHECKED_AT_ONCE // max(1, leaf[0].numel())) if len(leaf) else 1
    parts = []
    for part in leaf.split(at_once):
        # One-byte floating-point types do not support isfinite.
        plain = part.float() if part.is_floating_point() and part.itemsize == 1 else part
        parts.append(~plain.isfinite().reshape(len(part), -1).all(1))
    return torch.cat(parts)


@final
class TensorInputs(Inputs):
    """Tensors that share their first axis: one tensor, or any nesting of dicts, lists and tuples of tensors.

    Two sets are equal if they refer to the same memory, so that a network is evaluated once for both.

    Args:
        inputs: Tensors or NumPy arrays; not copied.
        name: Name of the argument, for errors.

    Raises:
        InputError: If an entry is not a tensor, their lengths differ, or a number is not finite.
    """

    def __init__(self, inputs: Any, name: str = "inputs") -> None:
        self.tensors = _convert(inputs, name)
        leaves = named_tensors(self.tensors, name)
        lengths = {part: len(leaf) for part, leaf in leaves}
        if not leaves or len(set(lengths.values())) != 1 or not min(lengths.values()):
            raise InputError(
                "tensors with the samples along their first axis",
                ", ".join(f"{length} in {part}" for part, length in lengths.items()) or "none",
                "pass the same number of rows in each, at least one; pass data that belong to no sample, such as the "
                "edges of a graph, through forward=, for instance lambda network, x: network(x, edges)",
                name,
            )
        for part, leaf in leaves:
            bad = _rows_not_finite(leaf)
            if bool(bad.any()):
                first = int(bad.byte().argmax())
                raise InputError(
                    "finite numbers in every row",
                    f"NaN or infinity in {int(bad.sum())} of {len(leaf)} rows, first in row {first}",
                    "drop or fill these rows",
                    part,
                )
        self._count = len(leaves[0][1])
        self._parent: tuple[TensorInputs, Tensor] | None = None
        self._key = tuple((n, t.data_ptr(), t.dtype, t.shape, t.stride(), t.device) for n, t in leaves)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorInputs) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def count(self) -> int:
        """Number of samples."""
        return self._count

    def slice(self, begin: int, end: int, device: torch.device, dtype: torch.dtype | None) -> Any:
        """Return the same nesting of tensors, sliced; only real floating-point numbers are converted."""

        def cut(leaf: Tensor) -> Tensor:
            part = leaf[begin:end].to(device)
            return part if dtype is None or not part.is_floating_point() else part.to(dtype)

        return map_tensors(self.tensors, cut)

    def crowding(self, dtype: torch.dtype | None) -> RoundingCollisions | None:
        """Return the collisions of the first tensor that has any."""
        collisions = (
            row_collisions(leaf, dtype, f"rows of {name}")
            for name, leaf in named_tensors(self.tensors, "inputs")
            if dtype is not None and leaf.is_floating_point()
        )
        return next(filter(None, collisions), None)

    def arrays(self) -> Any:
        """Return the tensors as NumPy arrays, in their original precision."""
        return map_tensors(self.tensors, lambda leaf: leaf.cpu().numpy())

    def at(self, index: Tensor) -> TensorInputs:
        """Return a subset, (M,) int64 positions, that refers to the whole set."""
        subset = TensorInputs(map_tensors(self.tensors, lambda leaf: leaf[index.to(leaf.device)]))
        subset._parent = (self, index.cpu())
        return subset

    @property
    def whole(self) -> tuple[Inputs, Tensor | None]:
        """Return the set that these inputs were taken from."""
        return (self, None) if self._parent is None else self._parent

    @property
    def bytes_each(self) -> float:
        """Bytes of one row of all tensors."""
        return sum(leaf[0].numel() * leaf.itemsize for _, leaf in named_tensors(self.tensors, ""))

    def features(self) -> Tensor:
        """Return one row of numbers per sample, (N, d): the only floating-point tensor, flattened.

        Raises:
            InputError: If there is none or more than one.
        """
        tensors = [leaf for _, leaf in named_tensors(self.tensors, "inputs") if leaf.is_floating_point()]
        if len(tensors) != 1:
            raise InputError(
                "one tensor of floating-point numbers to measure distances in",
                f"{len(tensors)}",
                "pass features=, one row of numbers per sample",
                "inputs",
            )
        return tensors[0].detach().reshape(self.count, -1).cpu()


def as_tensor_inputs(inputs: Any) -> TensorInputs:
    """Return `TensorInputs` unchanged, and any other inputs converted to them."""
    return inputs if isinstance(inputs, TensorInputs) else TensorInputs(inputs)


def _convert(inputs: Any, name: str) -> Any:
    inputs = entire(inputs, name)
    if isinstance(inputs, Tensor):
        tensor = ordinary(inputs, name)
    elif isinstance(inputs, Mapping):
        return {key: _convert(part, f"{name}[{key!r}]") for key, part in inputs.items()}
    elif isinstance(inputs, list | tuple) and any(isinstance(p, Tensor | np.ndarray) for p in inputs):
        return tuple(_convert(part, f"{name}[{i}]") for i, part in enumerate(inputs))
    else:
        tensor = _numbers(inputs, name)
    if not tensor.ndim:
        raise InputError("samples along the first axis", "a single number", "pass one row per sample", name)
    return tensor


def _numbers(inputs: Any, name: str) -> Tensor:
    try:
        array = np.asarray(inputs)
    except ValueError as ragged:
        raise InputError(
            "the same number of values in every row",
            "rows of different lengths",
            "pad or truncate them",
            name,
        ) from ragged
    if array.ndim:
        array = numeric(array, name)
    if array.dtype.kind not in "biufc":
        raise InputError(
            "numbers: a tensor, an array, or a dict or tuple of such",
            f"{type(inputs).__name__} of {array.dtype}",
            "encode text and categories as numbers",
            name,
        )
    if array.dtype.type in (np.longdouble, np.clongdouble):
        array = array.astype(np.float64 if array.dtype.kind == "f" else np.complex128)
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return torch.from_numpy(plain if plain.flags.writeable else plain.copy())


def as_number_tensor(values: Any, name: str) -> Tensor:
    """Return one tensor, array or nesting of numbers as a tensor on its device, with or without infinite values.

    Raises:
        InputError: If values are missing, or entries are not numbers.
    """
    values = entire(values, name)
    return ordinary(values, name) if isinstance(values, Tensor) else _numbers(values, name)


def named_tensors(tree: Any, name: str) -> list[tuple[str, Tensor]]:
    """Return the tensors of a nesting of dicts and tuples, each with its name.

    Args:
        tree: A tensor, or a nesting of tensors as in `Batch.tensors`.
        name: Name of the nesting.
    """
    if isinstance(tree, Mapping):
        return [leaf for key, part in tree.items() for leaf in named_tensors(part, f"{name}[{key!r}]")]
    if isinstance(tree, tuple):
        return [leaf for i, part in enumerate(tree) for leaf in named_tensors(part, f"{name}[{i}]")]
    return [(name, tree)]


def map_tensors(tree: Any, change: Callable[[Tensor], Any]) -> Any:
    """Return a nesting of dicts and tuples with a function applied to each tensor.

    Args:
        tree: Nesting of tensors as in `Batch.tensors`.
        change: Function from a tensor to its replacement.
    """
    if isinstance(tree, Mapping):
        return {key: map_tensors(part, change) for key, part in tree.items()}
    if isinstance(tree, tuple):
        return tuple(map_tensors(part, change) for part in tree)
    return change(tree)

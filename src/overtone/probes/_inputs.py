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

MOVED = 0.1
"""Largest rounding of a coordinate that counts for nothing, in distances of neighbouring samples."""

_LOST = 0.01
"""Share of scattered inputs that may fall together: even well spread ones meet now and then."""


@final
@dataclass(frozen=True)
class RoundingCollisions:
    """What rounding does to inputs.

    Attributes:
        dtype: The precision.
        samples: How many different inputs there are.
        distinct: How many remain.
        where: Of what, in words.
        moved: Largest rounding, in distances of neighbouring samples; None where that is not known.
    """

    dtype: torch.dtype
    samples: int
    distinct: int
    where: str
    moved: float | None = None

    @property
    def sentence(self) -> str:
        """What it means and what can be done."""
        name = str(self.dtype).removeprefix("torch.")
        if self.distinct < self.samples:
            what = f"{self.samples:,} {self.where} coincide in {self.distinct:,}"
        else:
            what = f"{self.where} are moved by up to {self.moved:.2g} of their distance"
        return (
            f"the network gets {name} inputs, in which {what}, so that it cannot tell samples apart that differ; "
            "pass forward=, a function that subtracts an offset and divides before it calls the network, and train so"
        )

    def to_json(self) -> dict[str, Any]:
        """For the record."""
        return {"dtype": str(self.dtype).removeprefix("torch."), "samples": self.samples} | {
            "distinct": self.distinct,
            "moved": self.moved,
        }


@functools.singledispatch
def crowding(places: Geometry, dtype: torch.dtype) -> RoundingCollisions | None:
    """How coordinates fall together in a precision, or None if they stay apart.

    Args:
        places: Where samples lie.
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
        moved = float((rounded - exact).abs().max()) / step
        if distinct < n or moved > MOVED:
            return RoundingCollisions(
                dtype, n, distinct, f"coordinates along axis {axis} ({places.units[axis]})", moved
            )
    return None


def row_collisions(rows: Tensor, dtype: torch.dtype, where: str) -> RoundingCollisions | None:
    """How rows of numbers fall together in a precision.

    Args:
        rows: (N, d) numbers.
        dtype: The precision.
        where: What a row is, in words.
    """
    dtype = dtype.to_real()
    if rows.dtype == dtype:
        return None
    before, after = _different(rows), _different(rows.to(dtype))
    return RoundingCollisions(dtype, before, after, where) if before - after > _LOST * before else None


def _different(rows: Tensor) -> int:
    """Number of different rows, by their products with one random direction."""
    source = torch.Generator("cpu").manual_seed(0)
    wide = rows.detach().cpu().double().reshape(len(rows), -1)
    direction = torch.randn(wide.shape[1], generator=source, dtype=torch.float64, device="cpu")
    return len((wide * direction).sum(1).unique())


class Inputs(ABC):
    """An ordered set of samples that a network can be called with."""

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of samples."""

    @abstractmethod
    def take(self, begin: int, end: int, device: torch.device, dtype: torch.dtype | None) -> Any:
        """What the network gets for samples `begin` to `end`, on its device.

        Floating-point numbers are in `dtype`, or as they are if that is None.
        """

    @abstractmethod
    def arrays(self) -> Any:
        """All of them as NumPy arrays in the same nesting."""

    @property
    def whole(self) -> tuple[Inputs, Tensor | None]:
        """All samples that belong together, and the positions (M,) of these among them; None if they are all."""
        return self, None

    @property
    def bytes_each(self) -> float:
        """Memory of what the network gets for one sample, as far as it is known."""
        return 0.0

    @property
    def made(self) -> bool:
        """Whether the inputs are made by overtone, so that they have no precision of their own."""
        return False

    def crowding(self, dtype: torch.dtype | None) -> RoundingCollisions | None:
        """How inputs fall together in a precision, or None if they stay apart."""
        del dtype
        return None

    def answer(self, network: nn.Module, call: Callable[[Any], Any], given: Any) -> Any:
        """What is read of the network where it is given some of these: its outputs, unless a kind of samples differs.

        Args:
            network: The network itself.
            call: From what `take` gives to the network's outputs.
            given: What `take` gave.

        Returns:
            (B, ..., C) numbers.
        """
        del network
        return call(given)


@final
class CoordinateInputs(Inputs):
    """The coordinates (M, d) of a grid's samples, computed when they are needed.

    Args:
        grid: Where the samples lie.
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
        """The whole grid."""
        return (self, None) if self._index is None else (CoordinateInputs(self._grid), self._index.cpu())

    @property
    def bytes_each(self) -> float:
        """A place."""
        return 8.0 * len(self._grid.extent)

    @property
    def made(self) -> bool:
        """Yes."""
        return True

    def crowding(self, dtype: torch.dtype | None) -> RoundingCollisions | None:
        """Of all samples of the grid."""
        return crowding(self._grid, dtype or torch.float64)

    def take(self, begin: int, end: int, device: torch.device, dtype: torch.dtype | None) -> Tensor:
        """(end - begin, d) coordinates in the grid's units."""
        part = torch.arange(begin, end, device="cpu") if self._index is None else self._index[begin:end]
        return self._grid.coords(part.to(device)).to(dtype or torch.float64)

    def arrays(self) -> NDArray[np.float64]:
        """(M, d) float64 coordinates."""
        return self._grid.coords(self._index).cpu().numpy()


@final
class TensorInputs(Inputs):
    """Tensors that share their first axis: one, or a dict, list or tuple of them, nested as you like.

    Two batches are equal if they are the same memory, so that a network is evaluated once for both.

    Args:
        inputs: Tensors or NumPy arrays; kept as they are, not copied.
        where: Name of the argument, for errors.

    Raises:
        InputError: If something else is among them, their lengths differ, or a number is not finite.
    """

    def __init__(self, inputs: Any, where: str = "inputs") -> None:
        self.tensors = _convert(inputs, where)
        found = named_tensors(self.tensors, where)
        lengths = {name: len(leaf) for name, leaf in found}
        if not found or len(set(lengths.values())) != 1 or not min(lengths.values()):
            raise InputError(
                "tensors with the samples along their first axis",
                ", ".join(f"{length} in {name}" for name, length in lengths.items()) or "none",
                "pass as many rows in each, at least one; what belongs to no sample, such as a graph's edges, goes "
                "into forward=, for instance lambda network, x: network(x, edges)",
                where,
            )
        for name, leaf in found:
            plain = leaf.float() if leaf.is_floating_point() and leaf.itemsize == 1 else leaf
            bad = ~plain.isfinite().reshape(len(leaf), -1).all(1)
            if bool(bad.any()):
                first = int(bad.byte().argmax())
                raise InputError(
                    "finite numbers in every row",
                    f"NaN or infinity in {int(bad.sum())} of {len(leaf)} rows, first in row {first}",
                    "drop or fill these rows",
                    name,
                )
        self._count = len(found[0][1])
        self._drawn_from: tuple[TensorInputs, Tensor] | None = None
        self._key = tuple((n, t.data_ptr(), t.dtype, t.shape, t.stride(), t.device) for n, t in found)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorInputs) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def count(self) -> int:
        """Number of samples."""
        return self._count

    def take(self, begin: int, end: int, device: torch.device, dtype: torch.dtype | None) -> Any:
        """The same nesting of tensors, cut; whole, complex and other numbers keep their type."""

        def cut(leaf: Tensor) -> Tensor:
            part = leaf[begin:end].to(device)
            return part if dtype is None or not part.is_floating_point() else part.to(dtype)

        return map_tensors(self.tensors, cut)

    def crowding(self, dtype: torch.dtype | None) -> RoundingCollisions | None:
        """Of the first tensor whose rows fall together."""
        found = (
            row_collisions(leaf, dtype, f"rows of {name}")
            for name, leaf in named_tensors(self.tensors, "inputs")
            if dtype is not None and leaf.is_floating_point()
        )
        return next(filter(None, found), None)

    def arrays(self) -> Any:
        """The tensors as NumPy arrays, in their own precision."""
        return map_tensors(self.tensors, lambda leaf: leaf.cpu().numpy())

    def at(self, index: Tensor) -> TensorInputs:
        """These samples alone, (M,) int64 positions; they know of the others."""
        drawn = TensorInputs(map_tensors(self.tensors, lambda leaf: leaf[index.to(leaf.device)]))
        drawn._drawn_from = (self, index.cpu())
        return drawn

    @property
    def whole(self) -> tuple[Inputs, Tensor | None]:
        """The batch that these were drawn from."""
        return (self, None) if self._drawn_from is None else self._drawn_from

    @property
    def bytes_each(self) -> float:
        """A row of all tensors."""
        return sum(leaf[0].numel() * leaf.itemsize for _, leaf in named_tensors(self.tensors, ""))

    def features(self) -> Tensor:
        """(N, d) one row of numbers a sample: the only floating-point tensor there is, flattened.

        Raises:
            InputError: If there is none or more than one.
        """
        found = [leaf for _, leaf in named_tensors(self.tensors, "inputs") if leaf.is_floating_point()]
        if len(found) != 1:
            raise InputError(
                "one tensor of floating-point numbers to measure distances in",
                f"{len(found)}",
                "pass features=, one row of numbers a sample",
                "inputs",
            )
        return found[0].detach().reshape(self.count, -1).cpu()


def as_tensor_inputs(inputs: Any) -> TensorInputs:
    """A `Batch` as it is, everything else made one."""
    return inputs if isinstance(inputs, TensorInputs) else TensorInputs(inputs)


def _convert(inputs: Any, where: str) -> Any:
    inputs = entire(inputs, where)
    if isinstance(inputs, Tensor):
        found = ordinary(inputs, where)
    elif isinstance(inputs, Mapping):
        return {key: _convert(part, f"{where}[{key!r}]") for key, part in inputs.items()}
    elif isinstance(inputs, list | tuple) and any(isinstance(p, Tensor | np.ndarray) for p in inputs):
        return tuple(_convert(part, f"{where}[{i}]") for i, part in enumerate(inputs))
    else:
        found = _numbers(inputs, where)
    if not found.ndim:
        raise InputError("samples along the first axis", "a single number", "pass one row a sample", where)
    return found


def _numbers(inputs: Any, where: str) -> Tensor:
    try:
        array = np.asarray(inputs)
    except ValueError as ragged:
        raise InputError(
            "as many numbers in every row", "rows of different lengths", "fill them up or cut them", where
        ) from ragged
    if array.ndim:
        array = numeric(array, where)
    if array.dtype.kind not in "biufc":
        raise InputError(
            "numbers: a tensor, an array, or a dict or tuple of such",
            f"{type(inputs).__name__} of {array.dtype}",
            "encode text and categories as numbers",
            where,
        )
    if array.dtype.type in (np.longdouble, np.clongdouble):
        array = array.astype(np.float64 if array.dtype.kind == "f" else np.complex128)
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return torch.from_numpy(plain if plain.flags.writeable else plain.copy())


def as_number_tensor(given: Any, where: str) -> Tensor:
    """One tensor, array or nesting of numbers as a tensor on its own device, finite or not.

    Raises:
        InputError: If there are gaps, or something else than numbers.
    """
    given = entire(given, where)
    return ordinary(given, where) if isinstance(given, Tensor) else _numbers(given, where)


def named_tensors(tree: Any, name: str) -> list[tuple[str, Tensor]]:
    """The tensors of a nesting of dicts and tuples, each with its name.

    Args:
        tree: A tensor, or what `Batch.tensors` is.
        name: Name of the whole.
    """
    if isinstance(tree, Mapping):
        return [leaf for key, part in tree.items() for leaf in named_tensors(part, f"{name}[{key!r}]")]
    if isinstance(tree, tuple):
        return [leaf for i, part in enumerate(tree) for leaf in named_tensors(part, f"{name}[{i}]")]
    return [(name, tree)]


def map_tensors(tree: Any, change: Callable[[Tensor], Any]) -> Any:
    """A nesting of dicts and tuples with something else in place of each tensor.

    Args:
        tree: What `Batch.tensors` is.
        change: From a tensor to what replaces it.
    """
    if isinstance(tree, Mapping):
        return {key: map_tensors(part, change) for key, part in tree.items()}
    if isinstance(tree, tuple):
        return tuple(map_tensors(part, change) for part in tree)
    return change(tree)

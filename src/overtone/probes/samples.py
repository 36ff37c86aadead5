"""What a network is evaluated on: places of a grid, or tensors of any shape and nesting, taken chunk by chunk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from overtone._utils.missing_values import entire
from overtone._utils.tensors import ordinary
from overtone.errors import InputError
from overtone.probes.crowding import Crowding, crowded_rows, crowding
from overtone.signals import Geometry
from overtone.spectra._inputs import numeric


class Samples(ABC):
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
    def whole(self) -> tuple[Samples, Tensor | None]:
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

    def crowding(self, dtype: torch.dtype | None) -> Crowding | None:
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
class GridSamples(Samples):
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
    def whole(self) -> tuple[Samples, Tensor | None]:
        """The whole grid."""
        return (self, None) if self._index is None else (GridSamples(self._grid), self._index.cpu())

    @property
    def bytes_each(self) -> float:
        """A place."""
        return 8.0 * len(self._grid.extent)

    @property
    def made(self) -> bool:
        """Yes."""
        return True

    def crowding(self, dtype: torch.dtype | None) -> Crowding | None:
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
class Batch(Samples):
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
        found = leaves(self.tensors, where)
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
        self._drawn_from: tuple[Batch, Tensor] | None = None
        self._key = tuple((n, t.data_ptr(), t.dtype, t.shape, t.stride(), t.device) for n, t in found)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Batch) and self._key == other._key

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

        return change_each(self.tensors, cut)

    def crowding(self, dtype: torch.dtype | None) -> Crowding | None:
        """Of the first tensor whose rows fall together."""
        found = (
            crowded_rows(leaf, dtype, f"rows of {name}")
            for name, leaf in leaves(self.tensors, "inputs")
            if dtype is not None and leaf.is_floating_point()
        )
        return next(filter(None, found), None)

    def arrays(self) -> Any:
        """The tensors as NumPy arrays, in their own precision."""
        return change_each(self.tensors, lambda leaf: leaf.cpu().numpy())

    def at(self, index: Tensor) -> Batch:
        """These samples alone, (M,) int64 positions; they know of the others."""
        drawn = Batch(change_each(self.tensors, lambda leaf: leaf[index.to(leaf.device)]))
        drawn._drawn_from = (self, index.cpu())
        return drawn

    @property
    def whole(self) -> tuple[Samples, Tensor | None]:
        """The batch that these were drawn from."""
        return (self, None) if self._drawn_from is None else self._drawn_from

    @property
    def bytes_each(self) -> float:
        """A row of all tensors."""
        return sum(leaf[0].numel() * leaf.itemsize for _, leaf in leaves(self.tensors, ""))

    def features(self) -> Tensor:
        """(N, d) one row of numbers a sample: the only floating-point tensor there is, flattened.

        Raises:
            InputError: If there is none or more than one.
        """
        found = [leaf for _, leaf in leaves(self.tensors, "inputs") if leaf.is_floating_point()]
        if len(found) != 1:
            raise InputError(
                "one tensor of floating-point numbers to measure distances in",
                f"{len(found)}",
                "pass features=, one row of numbers a sample",
                "inputs",
            )
        return found[0].detach().reshape(self.count, -1).cpu()


def batch_of(inputs: Any) -> Batch:
    """A `Batch` as it is, everything else made one."""
    return inputs if isinstance(inputs, Batch) else Batch(inputs)


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


def numbers_of(given: Any, where: str) -> Tensor:
    """One tensor, array or nesting of numbers as a tensor on its own device, finite or not.

    Raises:
        InputError: If there are gaps, or something else than numbers.
    """
    given = entire(given, where)
    return ordinary(given, where) if isinstance(given, Tensor) else _numbers(given, where)


def leaves(tree: Any, name: str) -> list[tuple[str, Tensor]]:
    """The tensors of a nesting of dicts and tuples, each with its name.

    Args:
        tree: A tensor, or what `Batch.tensors` is.
        name: Name of the whole.
    """
    if isinstance(tree, Mapping):
        return [leaf for key, part in tree.items() for leaf in leaves(part, f"{name}[{key!r}]")]
    if isinstance(tree, tuple):
        return [leaf for i, part in enumerate(tree) for leaf in leaves(part, f"{name}[{i}]")]
    return [(name, tree)]


def change_each(tree: Any, change: Callable[[Tensor], Any]) -> Any:
    """A nesting of dicts and tuples with something else in place of each tensor.

    Args:
        tree: What `Batch.tensors` is.
        change: From a tensor to what replaces it.
    """
    if isinstance(tree, Mapping):
        return {key: change_each(part, change) for key, part in tree.items()}
    if isinstance(tree, tuple):
        return tuple(change_each(part, change) for part in tree)
    return change(tree)

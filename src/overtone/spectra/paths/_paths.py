"""Straight and piecewise straight paths through a space of inputs, parametrised by arc length."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.display import Result
from overtone._utils.missing_values import entire
from overtone._utils.seeding import numpy_generator
from overtone.errors import InputError
from overtone.spectra._outputs import samples
from overtone.spectra._outputs import samples as checked


@final
@dataclass(frozen=True, repr=False)
class Paths(Result):
    """Piecewise straight paths through a space of inputs, with equal numbers of vertices.

    Attributes:
        vertices: (path, vertex, *shape) float32 or float64 inputs; the last vertex of a closed path equals
            the first.
        closed: Whether the paths are closed.
        arrays: Whether the paths were created from NumPy arrays; functions then receive arrays too.

    Example:
        >>> import torch
        >>> from overtone.spectra.paths import Paths
        >>> paths = Paths.straight(torch.zeros(2, 3), torch.ones(2, 3))
        >>> len(paths), paths.lengths.round(decimals=3).tolist()
        (2, [1.732, 1.732])
    """

    vertices: Tensor
    closed: bool = False
    arrays: bool = False

    @staticmethod
    def straight(starts: Tensor | ArrayLike, ends: Tensor | ArrayLike) -> Paths:
        """Create one straight path from each start to the corresponding end.

        Args:
            starts: (path, *shape) inputs.
            ends: (path, *shape) inputs.

        Raises:
            InputError: If they are not finite numbers of one shape, or a path has no length.
        """
        start_vertex, end_vertex = samples(starts, "starts", 2), samples(ends, "ends", 2)
        if start_vertex.shape != end_vertex.shape:
            raise InputError(
                f"ends of the starts' shape {tuple(start_vertex.shape)}",
                f"{tuple(end_vertex.shape)}",
                "pass one end per start",
                "ends",
            )
        dtype = torch.promote_types(start_vertex.dtype, end_vertex.dtype)
        vertices = torch.stack([start_vertex.to(dtype), end_vertex.to(start_vertex.device, dtype)], 1)
        return Paths._checked(vertices, False, not isinstance(starts, Tensor))

    @staticmethod
    def through(vertices: Tensor | ArrayLike, closed: bool = False) -> Paths:
        """Create paths from vertex to vertex.

        Args:
            vertices: (path, vertex, *shape) inputs in order, at least two per path.
            closed: Whether to connect the last vertex of each path to its first.

        Raises:
            InputError: If they are not finite numbers, fewer than two, or a path has no length.
        """
        points = samples(vertices, "vertices", 3)
        if points.shape[1] < 2:
            raise InputError("at least two vertices per path", f"{points.shape[1]}", "pass more", "vertices")
        if closed:
            points = torch.cat([points, points[:, :1]], 1)
        return Paths._checked(points, closed, not isinstance(vertices, Tensor))

    @staticmethod
    def _checked(vertices: Tensor, closed: bool, arrays: bool) -> Paths:
        points = Paths(vertices, closed, arrays)
        length = points.lengths
        if not bool((length > 0).all()):
            raise InputError(
                "paths of positive length",
                f"path {int(length.argmin())} between equal inputs",
                "pass different ends",
                "paths",
            )
        return points

    def __len__(self) -> int:
        return len(self.vertices)

    @property
    def lengths(self) -> Tensor:
        """(path,) float64 sum of the Euclidean distances of consecutive vertices, in units of the inputs."""
        return _arc_lengths(self.vertices)[:, -1]

    def positions(self, count: int) -> Tensor:
        """Return (count,) positions in [0, 1): midpoints of equal intervals, or their starts if closed."""
        steps = torch.arange(count, dtype=torch.float64, device=self.vertices.device)
        return (steps if self.closed else steps + 0.5) / count

    def inputs(self, count: int, rows: slice) -> Tensor:
        """Return the specified rows of the inputs at `positions` of all paths, path after path.

        Args:
            count: Number of positions per path.
            rows: Slice of the path x count rows.

        Returns:
            (rows, *shape) in the vertices' precision.
        """
        row = torch.arange(rows.start, rows.stop, device=self.vertices.device)
        paths_in_slice = slice(rows.start // count, (rows.stop - 1) // count + 1)
        vertices, path = self.vertices[paths_in_slice], row // count - paths_in_slice.start
        arc = _arc_lengths(vertices)[path]
        position = self.positions(count)[row % count] * arc[:, -1]
        upper = torch.searchsorted(arc, position[:, None], right=True).clamp(1, arc.shape[1] - 1)
        low, high = arc.gather(1, upper - 1)[:, 0], arc.gather(1, upper)[:, 0]
        share = torch.where(high > low, (position - low) / (high - low), 0.0).to(self.vertices.dtype)
        start_vertex, end_vertex = vertices[path, upper[:, 0] - 1], vertices[path, upper[:, 0]]
        return torch.lerp(start_vertex, end_vertex, share.reshape(-1, *(1,) * (start_vertex.ndim - 1)))

    @staticmethod
    def within_classes(
        samples: Tensor | ArrayLike, labels: Tensor | ArrayLike, count: int, seed: int = 0
    ) -> Paths:
        """Create straight paths between two samples of one class, for distinct random pairs.

        Args:
            samples: (N, *shape) inputs.
            labels: (N,) labels of any kind.
            count: Number of paths.
            seed: Seed of the selection.

        Raises:
            InputError: If the samples are not finite numbers, labels do not match, or there are fewer such
                pairs.
        """
        inputs = checked(samples, "samples", 2)
        groups = _groups(labels, len(inputs))
        sizes = [math.comb(len(group), 2) for group in groups]
        starts, ends = [], []
        for block, rank in _sample_pairs(sizes, count, seed, "within", "of one class"):
            second = (1 + math.isqrt(8 * rank + 1)) // 2
            starts.append(groups[block][second])
            ends.append(groups[block][rank - math.comb(second, 2)])
        return _straight_like(samples, inputs[starts], inputs[ends])

    @staticmethod
    def between_classes(
        samples: Tensor | ArrayLike, labels: Tensor | ArrayLike, count: int, seed: int = 0
    ) -> Paths:
        """Create straight paths between samples of different classes, for distinct random pairs.

        Args:
            samples: (N, *shape) inputs.
            labels: (N,) labels of any kind.
            count: Number of paths.
            seed: Seed of the selection.

        Raises:
            InputError: If the samples are not finite numbers, labels do not match, or there are fewer such
                pairs.
        """
        inputs = checked(samples, "samples", 2)
        groups = _groups(labels, len(inputs))
        pairs = [
            (first_group, second_group)
            for first_group in range(len(groups))
            for second_group in range(first_group)
        ]
        sizes = [len(groups[first_group]) * len(groups[second_group]) for first_group, second_group in pairs]
        starts, ends = [], []
        for block, rank in _sample_pairs(sizes, count, seed, "between", "of different classes"):
            first_group, second_group = (groups[i] for i in pairs[block])
            starts.append(first_group[rank // len(second_group)])
            ends.append(second_group[rank % len(second_group)])
        return _straight_like(samples, inputs[starts], inputs[ends])

    @staticmethod
    def to_noise(samples: Tensor | ArrayLike, count: int, seed: int = 0) -> Paths:
        """Create straight paths from distinct random samples to noise.

        The noise is normal and independent per feature, with the mean and standard deviation of the samples:
        it has the scale of the samples without the dependence between features.

        Args:
            samples: (N, *shape) inputs.
            count: Number of paths.
            seed: Seed of the selection.

        Raises:
            InputError: If the samples are not finite numbers, or are fewer than the paths.
        """
        inputs = checked(samples, "samples", 2)
        source = numpy_generator(seed, "paths", "noise")
        if not 1 <= count <= len(inputs):
            raise InputError(
                f"1 to {len(inputs)} paths", f"{count}", "pass another count or more samples", "count"
            )
        rows = torch.from_numpy(source.choice(len(inputs), count, replace=False)).to(inputs.device)
        white = torch.from_numpy(source.normal(size=(count, *inputs.shape[1:]))).to(inputs)
        noise = inputs.mean(0) + inputs.std(0, correction=0) * white
        return _straight_like(samples, inputs[rows], noise)


def _arc_lengths(vertices: Tensor) -> Tensor:
    """Return the (path, vertex) float64 arc length from the start to each vertex."""
    steps = torch.linalg.vector_norm(vertices.diff(dim=1).flatten(2), dim=2, dtype=torch.float64)
    return torch.nn.functional.pad(steps.cumsum(1), (1, 0))


def _groups(labels: Tensor | ArrayLike, count: int) -> list[np.ndarray]:
    """Return the row indices of each class."""
    labels = entire(labels, "labels")
    array = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if array.shape != (count,):
        raise InputError(f"{count} labels, one per sample", f"shape {array.shape}", "pass one each", "labels")
    numbers = np.unique(array, return_inverse=True)[1]
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.cumsum(np.bincount(numbers))[:-1])


def _sample_pairs(sizes: list[int], count: int, seed: int, name: str, kind: str) -> list[tuple[int, int]]:
    """Return the block, and the rank within the block, of `count` distinct random pairs."""
    ends = np.cumsum([0, *sizes])
    if not 1 <= count <= ends[-1]:
        raise InputError(
            f"1 to {ends[-1]} paths, the number of pairs {kind}",
            f"{count}",
            "pass another count or more samples",
            "count",
        )
    pairs = numpy_generator(seed, "paths", name).choice(int(ends[-1]), count, replace=False)
    blocks = np.searchsorted(ends, pairs, side="right") - 1
    return [(int(block), int(rank)) for block, rank in zip(blocks, pairs - ends[blocks], strict=True)]


def _straight_like(samples: Tensor | ArrayLike, starts: Tensor, ends: Tensor) -> Paths:
    if isinstance(samples, Tensor):
        return Paths.straight(starts, ends)
    return Paths.straight(starts.cpu().numpy(), ends.cpu().numpy())


class PathUnit(ABC):
    """Unit of length of the frequencies along paths.

    Example:
        >>> from overtone.spectra.paths import PathUnit
        >>> PathUnit.per_length().name
        'unit of path length'
    """

    name: str

    @staticmethod
    def per_path() -> PathUnit:
        """Cycles per path: all paths have the same length."""
        return PerPath()

    @staticmethod
    def per_length() -> PathUnit:
        """Cycles per unit of distance between inputs."""
        return PerLength()

    @abstractmethod
    def extent(self, lengths: Tensor) -> Tensor:
        """Return the (path,) float64 lengths of the paths in this unit.

        Args:
            lengths: (path,) float64 lengths in units of the inputs.
        """


@final
class PerPath(PathUnit):
    """Cycles per path: all paths have the same length."""

    name = "path"

    def extent(self, lengths: Tensor) -> Tensor:
        """Return (path,) ones."""
        return torch.ones_like(lengths)


@final
class PerLength(PathUnit):
    """Cycles per unit of distance between inputs; long paths resolve lower frequencies."""

    name = "unit of path length"

    def extent(self, lengths: Tensor) -> Tensor:
        """Return the lengths unchanged."""
        return lengths

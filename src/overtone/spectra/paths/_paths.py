"""Paths through inputs: straight, or from vertex to vertex, parametrised by their length."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.missing_values import entire
from overtone._utils.seeding import numpy_generator
from overtone.errors import InputError
from overtone.spectra._outputs import samples
from overtone.spectra._outputs import samples as checked


@final
@dataclass(frozen=True)
class Paths:
    """Piecewise straight paths through a space of inputs, as many vertices each.

    Attributes:
        vertices: (path, vertex, *shape) float32 or float64 inputs; of a closed path the first stands at the end again.
        closed: Whether the paths return to where they begin.
        arrays: Whether they were made from NumPy arrays; functions then get arrays too.

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
        """One straight path from each start to the end in the same place.

        Args:
            starts: (path, *shape) inputs.
            ends: The same.

        Raises:
            InputError: If they are not finite numbers of one shape, or a path has no length.
        """
        first, last = samples(starts, "starts", 2), samples(ends, "ends", 2)
        if first.shape != last.shape:
            raise InputError(
                f"ends of the starts' shape {tuple(first.shape)}",
                f"{tuple(last.shape)}",
                "pass one end for each start",
                "ends",
            )
        dtype = torch.promote_types(first.dtype, last.dtype)
        vertices = torch.stack([first.to(dtype), last.to(first.device, dtype)], 1)
        return Paths._checked(vertices, False, not isinstance(starts, Tensor))

    @staticmethod
    def through(vertices: Tensor | ArrayLike, closed: bool = False) -> Paths:
        """Paths from vertex to vertex.

        Args:
            vertices: (path, vertex, *shape) inputs in order, at least two a path.
            closed: Whether each path goes on from its last vertex to its first.

        Raises:
            InputError: If they are not finite numbers, fewer than two, or a path has no length.
        """
        points = samples(vertices, "vertices", 3)
        if points.shape[1] < 2:
            raise InputError("at least two vertices a path", f"{points.shape[1]}", "pass more", "vertices")
        if closed:
            points = torch.cat([points, points[:, :1]], 1)
        return Paths._checked(points, closed, not isinstance(vertices, Tensor))

    @staticmethod
    def _checked(vertices: Tensor, closed: bool, arrays: bool) -> Paths:
        points = Paths(vertices, closed, arrays)
        length = points.lengths
        if not bool((length > 0).all()):
            raise InputError(
                "paths that lead somewhere",
                f"path {int(length.argmin())} between equal inputs",
                "pass different ends",
                "paths",
            )
        return points

    def __len__(self) -> int:
        return len(self.vertices)

    @property
    def lengths(self) -> Tensor:
        """(path,) float64 lengths, the sum of the Euclidean distances from vertex to vertex, in units of the inputs."""
        return _walked(self.vertices)[:, -1]

    def positions(self, count: int) -> Tensor:
        """(count,) float64 evenly spaced shares of the way: at the middle of equal parts, or from 0 on if closed."""
        steps = torch.arange(count, dtype=torch.float64, device=self.vertices.device)
        return (steps if self.closed else steps + 0.5) / count

    def inputs(self, count: int, rows: slice) -> Tensor:
        """Inputs at `positions`, of all paths one after the other, those of `rows` only.

        Args:
            count: Positions a path.
            rows: Which of the path x count rows.

        Returns:
            (rows, *shape) in the vertices' precision.
        """
        row = torch.arange(rows.start, rows.stop, device=self.vertices.device)
        met = slice(rows.start // count, (rows.stop - 1) // count + 1)
        vertices, path = self.vertices[met], row // count - met.start
        walked = _walked(vertices)[path]
        goal = self.positions(count)[row % count] * walked[:, -1]
        after = torch.searchsorted(walked, goal[:, None], right=True).clamp(1, walked.shape[1] - 1)
        low, high = walked.gather(1, after - 1)[:, 0], walked.gather(1, after)[:, 0]
        share = torch.where(high > low, (goal - low) / (high - low), 0.0).to(self.vertices.dtype)
        first, last = vertices[path, after[:, 0] - 1], vertices[path, after[:, 0]]
        return torch.lerp(first, last, share.reshape(-1, *(1,) * (first.ndim - 1)))

    @staticmethod
    def within_classes(
        samples: Tensor | ArrayLike, labels: Tensor | ArrayLike, count: int, seed: int = 0
    ) -> Paths:
        """Straight paths between two samples of one class, drawn from all such pairs without repetition.

        Args:
            samples: (N, *shape) inputs.
            labels: (N,) labels of any kind.
            count: How many paths.
            seed: Seed of the draw.

        Raises:
            InputError: If the samples are not finite numbers, labels do not fit, or there are fewer such pairs.
        """
        inputs = checked(samples, "samples", 2)
        groups = _groups(labels, len(inputs))
        sizes = [math.comb(len(group), 2) for group in groups]
        starts, ends = [], []
        for block, rank in _draw(sizes, count, seed, "within", "of one class"):
            second = (1 + math.isqrt(8 * rank + 1)) // 2
            starts.append(groups[block][second])
            ends.append(groups[block][rank - math.comb(second, 2)])
        return _as_given(samples, inputs[starts], inputs[ends])

    @staticmethod
    def between_classes(
        samples: Tensor | ArrayLike, labels: Tensor | ArrayLike, count: int, seed: int = 0
    ) -> Paths:
        """Straight paths between samples of two classes, drawn from all such pairs without repetition.

        Args:
            samples: (N, *shape) inputs.
            labels: (N,) labels of any kind.
            count: How many paths.
            seed: Seed of the draw.

        Raises:
            InputError: If the samples are not finite numbers, labels do not fit, or there are fewer such pairs.
        """
        inputs = checked(samples, "samples", 2)
        groups = _groups(labels, len(inputs))
        pairs = [(one, other) for one in range(len(groups)) for other in range(one)]
        sizes = [len(groups[one]) * len(groups[other]) for one, other in pairs]
        starts, ends = [], []
        for block, rank in _draw(sizes, count, seed, "between", "of different classes"):
            one, other = (groups[i] for i in pairs[block])
            starts.append(one[rank // len(other)])
            ends.append(other[rank % len(other)])
        return _as_given(samples, inputs[starts], inputs[ends])

    @staticmethod
    def to_noise(samples: Tensor | ArrayLike, count: int, seed: int = 0) -> Paths:
        """Straight paths from samples, drawn without repetition, out to noise.

        The noise is normal and independent per feature, with the samples' mean and standard deviation in it: as far
        away as samples are, without the relations between their features.

        Args:
            samples: (N, *shape) inputs.
            count: How many paths.
            seed: Seed of the draw.

        Raises:
            InputError: If the samples are not finite numbers, or fewer.
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
        return _as_given(samples, inputs[rows], noise)


def _walked(vertices: Tensor) -> Tensor:
    """(path, vertex) float64 distance from the start to each vertex."""
    steps = torch.linalg.vector_norm(vertices.diff(dim=1).flatten(2), dim=2, dtype=torch.float64)
    return torch.nn.functional.pad(steps.cumsum(1), (1, 0))


def _groups(labels: Tensor | ArrayLike, count: int) -> list[np.ndarray]:
    """Row numbers of each class."""
    labels = entire(labels, "labels")
    array = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if array.shape != (count,):
        raise InputError(f"{count} labels, one a sample", f"shape {array.shape}", "pass one each", "labels")
    numbers = np.unique(array, return_inverse=True)[1]
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.cumsum(np.bincount(numbers))[:-1])


def _draw(sizes: list[int], count: int, seed: int, name: str, kind: str) -> list[tuple[int, int]]:
    """Block and rank within it of `count` different pairs."""
    ends = np.cumsum([0, *sizes])
    if not 1 <= count <= ends[-1]:
        raise InputError(
            f"1 to {ends[-1]} paths, as there are pairs {kind}",
            f"{count}",
            "pass another count or more samples",
            "count",
        )
    pairs = numpy_generator(seed, "paths", name).choice(int(ends[-1]), count, replace=False)
    blocks = np.searchsorted(ends, pairs, side="right") - 1
    return [(int(block), int(rank)) for block, rank in zip(blocks, pairs - ends[blocks], strict=True)]


def _as_given(samples: Tensor | ArrayLike, starts: Tensor, ends: Tensor) -> Paths:
    if isinstance(samples, Tensor):
        return Paths.straight(starts, ends)
    return Paths.straight(starts.cpu().numpy(), ends.cpu().numpy())


class PathUnit(ABC):
    """Unit of length of which frequencies along paths are counted per.

    Example:
        >>> from overtone.spectra.paths import PathUnit
        >>> PathUnit.per_length().name
        'unit of path length'
    """

    name: str

    @staticmethod
    def per_path() -> PathUnit:
        """Cycles per path: every path counts as long as any other."""
        return PerPath()

    @staticmethod
    def per_length() -> PathUnit:
        """Cycles per unit of distance between inputs."""
        return PerLength()

    @abstractmethod
    def extent(self, lengths: Tensor) -> Tensor:
        """(path,) float64 lengths of the paths in this unit.

        Args:
            lengths: (path,) float64 lengths in units of the inputs.
        """


@final
class PerPath(PathUnit):
    """Cycles per path: every path counts as long as any other."""

    name = "path"

    def extent(self, lengths: Tensor) -> Tensor:
        """(path,) ones."""
        return torch.ones_like(lengths)


@final
class PerLength(PathUnit):
    """Cycles per unit of distance between inputs: long paths reach lower and short paths higher frequencies."""

    name = "unit of path length"

    def extent(self, lengths: Tensor) -> Tensor:
        """(path,) the lengths themselves."""
        return lengths

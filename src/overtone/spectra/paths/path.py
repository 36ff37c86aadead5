"""Paths through inputs: straight, or from vertex to vertex, told by the distance walked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra.evaluate import samples


@final
@dataclass(frozen=True)
class Paths:
    """Piecewise straight paths through a space of inputs, as many vertices each.

    Attributes:
        vertices: (path, vertex, *shape) float32 or float64 inputs; of a closed path the first stands at the end again.
        closed: Whether the paths return to where they begin.
        arrays: Whether they were given as NumPy arrays, as which they are then handed to functions.
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
        found = torch.stack([first.to(dtype), last.to(first.device, dtype)], 1)
        return Paths._checked(found, False, not isinstance(starts, Tensor))

    @staticmethod
    def through(vertices: Tensor | ArrayLike, closed: bool = False) -> Paths:
        """Paths from vertex to vertex.

        Args:
            vertices: (path, vertex, *shape) inputs in order, at least two a path.
            closed: Whether each path goes on from its last vertex to its first.

        Raises:
            InputError: If they are not finite numbers, fewer than two, or a path has no length.
        """
        found = samples(vertices, "vertices", 3)
        if found.shape[1] < 2:
            raise InputError("at least two vertices a path", f"{found.shape[1]}", "pass more", "vertices")
        if closed:
            found = torch.cat([found, found[:, :1]], 1)
        return Paths._checked(found, closed, not isinstance(vertices, Tensor))

    @staticmethod
    def _checked(vertices: Tensor, closed: bool, arrays: bool) -> Paths:
        found = Paths(vertices, closed, arrays)
        length = found.lengths
        if not bool((length > 0).all()):
            raise InputError(
                "paths that lead somewhere",
                f"path {int(length.argmin())} between equal inputs",
                "pass different ends",
                "paths",
            )
        return found

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


def _walked(vertices: Tensor) -> Tensor:
    """(path, vertex) float64 distance from the start to each vertex."""
    steps = torch.linalg.vector_norm(vertices.diff(dim=1).flatten(2), dim=2, dtype=torch.float64)
    return torch.nn.functional.pad(steps.cumsum(1), (1, 0))

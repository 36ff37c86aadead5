"""A kernel's eigenvalues by band of frequency, on any points."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError


@final
class BandBasis:
    """Orthonormal bases, one per band, of the waves of each band sampled at given points.

    The points' bounding box is extended evenly at its borders (waves prod_i cos(pi n_i x_i / L_i), of
    frequency n_i / (2 L_i) along axis i) unless a period is given (waves of n_i / L_i). Bands are made
    orthogonal from the lowest up: what a low band already explains at these points is not counted again, so
    that shares add up to at most 1 and waves beyond the points' resolution alias into nothing. A wave is
    dropped when less than `least` of its norm is new.

    Args:
        coords: (N, d) coordinates.
        edges: Ascending band edges in cycles per unit of the coordinate; a band holds low <= |frequency| <
            high.
        period: (d,) lengths after which the axes wrap around, or None if they do not.
        least: Smallest new part of a wave's norm that counts.

    Raises:
        InputError: If the coordinates are not (N, d) and finite, the edges do not ascend, or the top edge
            asks for more than 4 waves per point.
    """

    def __init__(
        self,
        coords: Tensor,
        edges: Sequence[float],
        *,
        period: Sequence[float] | None = None,
        least: float = 0.05,
    ) -> None:
        if coords.ndim != 2 or len(coords) < 2 or not bool(torch.isfinite(coords).all()):
            raise InputError(
                "(N, d) finite coordinates",
                f"shape {tuple(coords.shape)}",
                "pass one row per point",
                "coords",
            )
        if len(edges) < 2 or any(not a < b for a, b in itertools.pairwise(edges)) or edges[0] < 0:
            raise InputError(
                "ascending band edges from 0 up", f"{list(edges)}", "pass them in cycles per unit", "edges"
            )
        self.edges = tuple(float(edge) for edge in edges)
        waves, frequency = _waves(coords.double(), self.edges[-1], period)
        self.bases: list[Tensor] = []
        known = waves.new_zeros(len(coords), 0)
        for low, high in itertools.pairwise(self.edges):
            new = _new_directions(waves[:, (frequency >= low) & (frequency < high)], known, least)
            self.bases.append(new)
            known = torch.cat([known, new], 1)

    @property
    def modes(self) -> list[int]:
        """Number of independent waves per band."""
        return [basis.shape[1] for basis in self.bases]

    def share(self, vectors: Tensor) -> Tensor:
        """The part of each vector's squared norm that lies in each band.

        Args:
            vectors: (N, V), for instance a kernel's eigenvectors.

        Returns:
            (band, V) float64; the columns add up to at most 1.
        """
        exact = vectors.double()
        power = exact.square().sum(0).clamp_min(torch.finfo(torch.float64).tiny)
        return torch.stack([(basis.mT @ exact).square().sum(0) / power for basis in self.bases])

    def eigenvalues(self, matrix: Tensor) -> Tensor:
        """The kernel's mean eigenvalue per band: the mean of q.K q over the band's orthonormal waves q.

        For a kernel whose eigenvectors are the waves themselves it is the mean of the band's eigenvalues; in
        general it is the rate at which the band's residual begins to fall under gradient flow on |f - y|^2 /
        2.

        Args:
            matrix: (N, N) kernel.

        Returns:
            (band,) float64; NaN for a band without waves.
        """
        exact = matrix.double()
        return torch.stack([((exact @ basis) * basis).sum() / basis.shape[1] for basis in self.bases])


def _waves(coords: Tensor, top: float, period: Sequence[float] | None) -> tuple[Tensor, Tensor]:
    low, high = coords.amin(0), coords.amax(0)
    if period is None:
        length = torch.where(high > low, high - low, torch.ones_like(low))
        units = 1 / (2 * length)
    else:
        length = torch.tensor(list(period), dtype=torch.float64, device=coords.device)
        if length.shape != low.shape or not bool((length > 0).all()):
            raise InputError(f"{len(low)} positive periods", f"{list(period)}", "pass one per axis", "period")
        units = 1 / length
    counts = [math.ceil(top / unit) for unit in units.tolist()]
    if math.prod(c + 1 for c in counts) > 16 * len(coords) + 64:
        raise InputError(
            f"bands that end within what {len(coords)} points resolve",
            f"a top edge of {top:g} with {math.prod(c + 1 for c in counts)} waves",
            "lower the last edge or pass more points",
            "edges",
        )
    ranges = [
        range(c + 1) if period is None or axis == 0 else range(-c, c + 1) for axis, c in enumerate(counts)
    ]
    orders = torch.tensor(list(itertools.product(*ranges)), dtype=torch.float64, device=coords.device)
    frequency = (orders * units).norm(dim=1)
    order = frequency.argsort(stable=True)
    orders, frequency = orders[order], frequency[order]
    if period is None:
        waves = (math.pi * (coords - low)[:, None] / length * orders).cos().prod(-1)
        return waves, frequency
    phase = 2 * math.pi * (coords / length) @ orders.mT
    return torch.cat([phase.cos(), phase.sin()], 1), torch.cat([frequency, frequency])


def _new_directions(waves: Tensor, known: Tensor, least: float) -> Tensor:
    norms = waves.norm(dim=0)
    for _ in range(2):
        waves = waves - known @ (known.mT @ waves)
    kept = waves[:, waves.norm(dim=0) > least * norms.clamp_min(1e-6)]
    if kept.shape[1] == 0:
        return kept
    left, values, _ = torch.linalg.svd(kept / kept.norm(dim=0), full_matrices=False)
    return left[:, values > least]

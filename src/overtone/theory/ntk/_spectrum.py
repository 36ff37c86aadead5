"""Eigenvalues of a kernel by frequency: on any points by band, on periodic grids, on circles and spheres."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import final

import numpy as np
import torch
from torch import Tensor

from overtone.errors import InputError


@final
class BandBasis:
    """Orthonormal bases, one per band, of the waves of each band sampled at given points.

    The points' bounding box is extended evenly at its borders (waves prod_i cos(pi n_i x_i / L_i), of frequency n_i /
    (2 L_i) along axis i) unless a period is passed (waves of n_i / L_i). Bands are made orthogonal from the lowest
    up: components that a lower band already represents at these points are not counted again, so that shares sum to
    at most 1 and waves beyond the points' resolution do not contribute. A wave is dropped if less than `min_new_norm`
    of its norm is new.

    Args:
        coords: (N, d) coordinates.
        edges: Ascending band edges in cycles per unit of the coordinate; a band holds low <= |frequency| <
            high.
        period: (d,) lengths of the periods along the axes, or None if they are not periodic.
        min_new_norm: Smallest new part of a wave's norm that counts.

    Example:
        >>> import torch
        >>> from overtone.theory import ntk
        >>> x = torch.arange(8).double()[:, None] / 8
        >>> ntk.BandBasis(x, edges=[0, 1, 3], period=[1.0]).modes
        [1, 4]

    Raises:
        InputError: If the coordinates are not (N, d) and finite, the edges do not ascend, or the top edge
            requires more than 4 waves per point.
    """

    def __init__(
        self,
        coords: Tensor,
        edges: Sequence[float],
        *,
        period: Sequence[float] | None = None,
        min_new_norm: float = 0.05,
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
        # From the lowest band up: a wave that aliases into lower ones at these points adds no new direction.
        known = waves.new_zeros(len(coords), 0)
        for low, high in itertools.pairwise(self.edges):
            new = _new_directions(waves[:, (frequency >= low) & (frequency < high)], known, min_new_norm)
            self.bases.append(new)
            known = torch.cat([known, new], 1)

    @property
    def modes(self) -> list[int]:
        """Number of independent waves per band."""
        return [basis.shape[1] for basis in self.bases]

    def share(self, vectors: Tensor) -> Tensor:
        """Return the share of each vector's squared norm in each band.

        Args:
            vectors: (N, V), for instance a kernel's eigenvectors.

        Returns:
            (band, V) float64; the columns sum to at most 1.
        """
        exact = vectors.double()
        power = exact.square().sum(0).clamp_min(torch.finfo(torch.float64).tiny)
        return torch.stack([(basis.mT @ exact).square().sum(0) / power for basis in self.bases])

    def eigenvalues(self, matrix: Tensor) -> Tensor:
        """Return the kernel's mean eigenvalue per band: the mean of q.K q over the band's orthonormal waves q.

        For a kernel whose eigenvectors are the waves it is the mean of the band's eigenvalues; in general it is the
        initial rate at which the band's residual decreases under gradient flow on |f - y|^2 / 2.

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
            f"bands that end within the resolution of {len(coords)} points",
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


def _new_directions(waves: Tensor, known: Tensor, min_new_norm: float) -> Tensor:
    norms = waves.norm(dim=0)
    # Twice: one pass of Gram-Schmidt leaves errors of the size of the cancellation.
    for _ in range(2):
        waves = waves - known @ (known.mT @ waves)
    independent = waves[:, waves.norm(dim=0) > min_new_norm * norms.clamp_min(1e-6)]
    if independent.shape[1] == 0:
        return independent
    # The remaining waves of one band may be linearly dependent; the SVD drops those directions.
    left, values, _ = torch.linalg.svd(independent / independent.norm(dim=0), full_matrices=False)
    return left[:, values > min_new_norm]


def circulant_eigenvalues(row: Tensor) -> Tensor:
    """Return all eigenvalues of the circulant matrix K[n, m] = row[n - m] by one FFT.

    The eigenvector of entry k is the wave exp(2 pi i k.n / shape): its frequency is k cycles per period (entries
    above n / 2 are the negative ones, as in `torch.fft.fftfreq`). Under gradient flow on |f - y|^2 / 2 that wave's
    residual decreases as exp(-eigenvalue t).

    Args:
        row: (n,) or (n_1, n_2, ...) kernel between the origin and every grid point, in torch.fft order.

    Returns:
        Eigenvalues of the matrix in the row's shape, in kernel units; divide by the number of points for the
        eigenvalues of the integral operator under the uniform density.

    Raises:
        InputError: If the row is not symmetric, row[n] = row[-n], to the precision of its type.

    Example:
        >>> import torch
        >>> from overtone.theory import ntk
        >>> ntk.circulant_eigenvalues(torch.tensor([2.0, 1.0, 0.0, 1.0]))
        tensor([4., 2., 0., 2.])
    """
    values = torch.fft.fftn(row.to(torch.promote_types(row.dtype, torch.float32)))
    # An asymmetric row has a complex spectrum: it belongs to no symmetric kernel.
    error = float(
        values.imag.abs().max() / values.real.abs().max().clamp_min(torch.finfo(values.real.dtype).tiny)
    )
    if not error <= 100 * torch.finfo(row.dtype).eps * row.numel() ** 0.5:
        raise InputError(
            "a symmetric row, row[n] = row[-n]",
            f"an asymmetric part of {error:.1e}",
            "evaluate the kernel between the origin and every point of a periodic grid",
            "row",
        )
    return values.real.to(row.dtype)


def sphere_eigenvalues(
    kernel: Callable[[Tensor, Tensor], Tensor], dimension: int, degrees: int, *, nodes: int = 0
) -> Tensor:
    """Return the eigenvalues of a kernel k(x.x') on the unit sphere S^(d-1) with uniform density, by degree.

    mu_k = int k(cos t) P_k(cos t) sin(t)^(d-2) dt / int sin(t)^(d-2) dt over [0, pi], with the Gegenbauer polynomial
    P_k(1) = 1 (Funk-Hecke). On the circle, d = 2, mu_k is the k-th Fourier coefficient, k cycles per turn. The
    integral is computed by Gauss-Legendre quadrature in the angle, in which kernels of rectified networks are smooth.

    Args:
        kernel: Function from (N, d) and (M, d) points to (N, M); for instance `lambda a, b: network(a, b).ntk`.
        dimension: d, at least 2.
        degrees: The number of degrees, 0 to degrees - 1.
        nodes: Quadrature nodes; 0 for 8 per degree and at least 256.

    Returns:
        (degrees,) float64 eigenvalues of the integral operator.

    Raises:
        InputError: If `dimension` is below 2 or `degrees` below 1.

    Example:
        >>> from overtone.theory import ntk
        >>> ntk.sphere_eigenvalues(lambda a, b: a @ b.mT, dimension=2, degrees=3).round(decimals=4).abs()
        tensor([0.0000, 0.5000, 0.0000], dtype=torch.float64)
    """
    if dimension < 2:
        raise InputError("a dimension of at least 2", f"{dimension}", "pass 2 for the circle", "dimension")
    if degrees < 1:
        raise InputError("at least one degree", f"{degrees}", "pass the number of degrees", "degrees")
    points, weights = np.polynomial.legendre.leggauss(nodes or max(256, 8 * degrees))
    angles = (points + 1) * np.pi / 2
    points_on_circle = np.zeros((len(angles), dimension))
    points_on_circle[:, 0], points_on_circle[:, 1] = np.cos(angles), np.sin(angles)
    pole = torch.zeros(1, dimension, dtype=torch.float64, device="cpu")
    pole[0, 0] = 1
    row = kernel(pole, torch.from_numpy(points_on_circle))[0].detach().cpu().double().numpy()
    density = weights * np.sin(angles) ** (dimension - 2)
    density = density / density.sum()
    return torch.tensor(
        [float(density @ (row * _zonal(k, dimension, angles))) for k in range(degrees)], device="cpu"
    ).double()


def _zonal(degree: int, dimension: int, angles: np.ndarray) -> np.ndarray:
    from scipy.special import eval_chebyt, eval_gegenbauer

    if dimension == 2:
        return eval_chebyt(degree, np.cos(angles))
    order = dimension / 2 - 1
    return eval_gegenbauer(degree, order, np.cos(angles)) / eval_gegenbauer(degree, order, 1.0)

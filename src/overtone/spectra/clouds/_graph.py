"""The Fourier transform on the graph of nearest neighbours: frequency on the manifold that the data lie on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.seeding import numpy_generator
from overtone.errors import InputError, RunError
from overtone.spectra._band_transform import BandTransform
from overtone.spectra._bands import Bands
from overtone.spectra._inputs import rows
from overtone.spectra._spectrum import Spectrum
from overtone.spectra.clouds._neighbours import MEMORY, features, nearest

if TYPE_CHECKING:
    import scipy.sparse
    from scipy.sparse.linalg import LinearOperator

_PRECISION = 1e-9
_CHECKED = 8
_STEPS = 20_000


def slowest(matrix: scipy.sparse.csr_array, modes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues 1 - p ascending and orthonormal eigenvectors for the largest eigenvalues p of the walk.

    A Lanczos iteration finds one vector of each eigenvalue, so that of the two waves around a circle it may find
    one. What was found is therefore moved to the other end of the spectrum and the largest of the rest sought,
    until none of these belongs among the modes.

    Args:
        matrix: (N, N) symmetric, with unit row sums.
        modes: How many, fewer than N - 1.
        seed: Seed of the starting vectors.

    Raises:
        RunError: If an iteration does not converge.
    """
    source = numpy_generator(seed, "cloud", "graph")
    values, vectors = _largest(matrix, modes, source.normal(size=matrix.shape[0]))
    for _ in range(modes):
        # Deflation: known eigenvalues go below all others, so that missed copies of them come out on top.
        moved = _without(matrix, vectors)
        more, beside = _largest(moved, min(_CHECKED, modes), source.normal(size=matrix.shape[0]))
        missed = more > values.min() + 10 * _PRECISION
        if not missed.any():
            break
        # Rayleigh-Ritz in the span of both sets, from which the largest `modes` are taken again.
        basis = np.linalg.qr(np.concatenate([vectors, beside[:, missed]], 1))[0]
        values, turn = np.linalg.eigh(basis.T @ (matrix @ basis))
        values, vectors = values[-modes:], basis @ turn[:, -modes:]
    order = np.argsort(-values)
    return 1 - values[order], np.ascontiguousarray(vectors[:, order])


def _without(matrix: scipy.sparse.csr_array, vectors: np.ndarray) -> LinearOperator:
    """The walk with these eigenvectors' eigenvalues lowered by 3, below all others."""
    from scipy.sparse.linalg import LinearOperator

    def apply(vector: np.ndarray) -> np.ndarray:
        return matrix @ vector - 3 * (vectors @ (vectors.T @ vector))

    return LinearOperator(matrix.shape, matvec=apply, dtype=np.float64)


def _largest(
    operator: scipy.sparse.csr_array | LinearOperator, count: int, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    from scipy.sparse.linalg import ArpackNoConvergence, eigsh

    try:
        return eigsh(operator, k=count, which="LA", v0=start, tol=_PRECISION, maxiter=_STEPS)
    except ArpackNoConvergence as failure:
        raise RunError(
            f"{count} slowest modes",
            f"{len(failure.eigenvalues)} that converged",
            "ask for fewer modes or pass more neighbours",
            "graph",
        ) from failure


_SCALINGS = 500
_BALANCED = 1e-10
_STILL = 1e-8


@final
class GraphTransform(BandTransform):
    """The slowest modes of the neighbour graph, built once and used for many fields.

    Rows are joined to their nearest neighbours with weights exp(-d^2 / (s_i s_j)), s_i the distance of row i's
    last neighbour (Zelnik-Manor, Perona 2004, Self-tuning spectral clustering), scaled from both sides until
    every row and column sums to 1: a symmetric random walk P (Marshall, Coifman 2019, Manifold learning with
    bi-stochastic kernel matrices). Its eigenvectors are orthonormal, the first is the mean, and with P u =
    (1 - eigenvalue) u a mode has the frequency

        f = sqrt(2 dimension * eigenvalue) / (2 pi step),

    step the root mean square length of the walk's steps: on a smooth manifold of that dimension, for modes much
    longer than the steps, cycles per unit of distance along it. Frequencies read too low where a wave is not
    much longer than the distance of neighbours. Modes beyond those computed are reported as `missing`.

    Args:
        coords: (N, d) features.
        modes: How many of the slowest modes to find, the mean's included.
        neighbours: Nearest rows each row is joined to.
        bands: Bands, or ascending edges from 0, in cycles per unit; None for bands of equal ratio that hold all
            modes.
        dimension: Of the manifold; with 1 the frequency is that along the steps of the walk.
        seed: Seed of the eigen-solver's start.
        memory: Budget for the search of neighbours, in GiB; beside it are held the features, the graph (N x
            neighbours) and the modes (N x modes, some times over while they are sought).

    Attributes:
        frequency: (mode,) float64 ascending, in cycles per unit of the features.
        vectors: (N, mode) float64 orthonormal.
        bands: The bands.
        components: Parts of the graph that no edge joins; each has a mode of frequency 0.

    Raises:
        InputError: If the features are not finite numbers, rows have too many duplicates, there are too few, or the
            budget does not hold the distances from one row.
        RunError: If the eigen-solver does not converge.

    Example:
        >>> import torch
        >>> from overtone.spectra.clouds import GraphTransform
        >>> angle = 2 * torch.pi * torch.arange(100) / 100
        >>> ring = torch.stack([angle.cos(), angle.sin()], 1) / (2 * torch.pi)
        >>> GraphTransform(ring, 5, neighbours=4).frequency.round(decimals=1).tolist()
        [0.0, 1.0, 1.0, 2.0, 2.0]
    """

    def __init__(
        self,
        coords: Tensor | ArrayLike,
        modes: int = 64,
        *,
        neighbours: int = 10,
        bands: Bands | Sequence[float] | None = None,
        dimension: float = 1.0,
        seed: int = 0,
        memory: float = MEMORY,
    ) -> None:
        import scipy.sparse

        if min(modes, neighbours) < 1:
            raise InputError("at least 1 mode and neighbour", f"{modes} and {neighbours}", "pass more")
        centred_coords = features(coords, max(modes, neighbours) + 2)
        distance, index = nearest(centred_coords, neighbours, memory)
        matrix, step = _random_walk(distance.astype(np.float64), index)
        self.components = int(scipy.sparse.csgraph.connected_components(matrix, directed=False)[0])
        values, vectors = slowest(matrix, modes, seed)
        # Eigenvalues within the solver's error of 0 belong to parts of the graph that nothing joins.
        rate = np.where(values > _STILL, values, 0.0)
        frequency = np.sqrt(2 * dimension * rate) / (2 * math.pi * step)
        self.frequency = torch.from_numpy(frequency).to(centred_coords.device)
        self.vectors = torch.from_numpy(vectors).to(centred_coords.device)
        self.bands = _bands(frequency) if bands is None else _as_bands(bands)
        index_of = self.bands.index(self.frequency)
        above_bands = self.frequency > self.bands.edges[-1] * (1 + 1e-9)
        self._band = torch.where(above_bands, self.bands.count, index_of)
        self._name = f"graph: {modes} modes, {neighbours} neighbours"

    @property
    def closes(self) -> bool:
        """No: modes beyond those computed belong to no band; `with_residual` has one for them."""
        return False

    def with_residual(self) -> GraphBandsWithResidual:
        """These bands, and one more for all that the computed modes do not hold."""
        return GraphBandsWithResidual(self)

    def coefficients(self, values: Tensor | ArrayLike) -> Tensor:
        """(mode, C) float64 coefficients, linear in the values; squared they sum to the mean square of the modes.

        Args:
            values: (N, C) real values, or (N,).

        Raises:
            InputError: If the values are not numbers, not finite, or not one row a sample.
        """
        field = rows(values, "values", len(self.vectors)).to(self.vectors.device)
        return self.vectors.T @ field / math.sqrt(len(field))

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """(band, channel) float64 mean over the samples of the product of two fields' parts in each band."""
        product = coefficients * other
        total = product.new_zeros(self.bands.count + 1, product.shape[1])
        return total.index_add(0, self._band, product)[:-1]

    def spectrum(self, values: Tensor | ArrayLike, reference: Tensor | ArrayLike | None = None) -> Spectrum:
        """Power per band of graph frequency; it closes to the mean square over the samples with `missing`.

        Args:
            values: (N, C) real values, or (N,).
            reference: The same of the field to take the cross power with.

        Raises:
            InputError: If a table is not numbers, not finite, or not one row a sample.
        """
        field = rows(values, "values", len(self.vectors)).to(self.vectors.device)
        coefficients = self.coefficients(field)
        power = self.power(coefficients)
        remainder = field - math.sqrt(len(field)) * (self.vectors @ coefficients)
        outside = coefficients.square().sum(0) - power.sum(0)
        missing = remainder.square().mean(0) + outside.clamp(min=0)
        if reference is None:
            return Spectrum(self.bands, power, missing, self._name)
        reference_coefficients = self.coefficients(reference)
        if reference_coefficients.shape != coefficients.shape:
            raise InputError(
                f"a reference of {coefficients.shape[1]} channels",
                f"{reference_coefficients.shape[1]}",
                "pass the same of both",
                "reference",
            )
        return Spectrum(
            self.bands,
            power,
            missing,
            self._name,
            self.cross(coefficients, reference_coefficients),
            self.power(reference_coefficients),
        )


def _random_walk(distance: np.ndarray, index: np.ndarray) -> tuple[scipy.sparse.csr_array, float]:
    """The symmetric random walk with unit row sums, and the root mean square length of its steps."""
    import scipy.sparse

    count, neighbours = index.shape
    scale = distance[:, -1]
    if not (scale > 0).all():
        row = int(np.argmin(scale))
        raise InputError(
            f"at most {neighbours} copies of a row",
            f"more duplicate points of row {row}",
            "merge duplicates, or pass more neighbours",
            "coords",
        )
    start = np.repeat(np.arange(count), neighbours)
    end, length = index.ravel(), distance.ravel()
    weight = np.exp(-(length**2) / (scale[start] * scale[end]))
    edges = scipy.sparse.csr_array((weight, (start, end)), shape=(count, count))
    lengths = scipy.sparse.csr_array((length, (start, end)), shape=(count, count))
    # Symmetric: an edge exists if either row has the other among its neighbours; loops keep the scaling
    # stable.
    joined = (edges.maximum(edges.T) + scipy.sparse.eye_array(count)).tocsr()
    factor = np.ones(count)
    # Sinkhorn's iteration for a symmetric matrix: the square root shares the correction between both sides.
    for _ in range(_SCALINGS):
        sums = factor * (joined @ factor)
        if np.abs(sums - 1).max() < _BALANCED:
            break
        factor = factor / np.sqrt(sums)
    diagonal = scipy.sparse.diags_array(factor)
    matrix = (diagonal @ joined @ diagonal).tocsr()
    # Both triangles hold the same length where both rows name each other.
    squares = lengths.maximum(lengths.T).power(2)
    return matrix, math.sqrt(float(matrix.multiply(squares).sum()) / count)


def _as_bands(bands: Bands | Sequence[float]) -> Bands:
    return bands if isinstance(bands, Bands) else Bands(tuple(bands))


def _bands(frequency: np.ndarray, count: int = 16) -> Bands:
    """Still modes alone, then at most `count` bands of equal ratio that all hold modes."""
    moving = frequency[frequency > 0]
    if not len(moving):
        return Bands((0.0, 1.0))
    inner = np.geomspace(
        0.5 * moving[0] if moving[0] == moving[-1] else 0.99 * moving[0], moving[-1], count + 1
    )[:-1]
    band = np.searchsorted(inner, moving, side="right") - 1
    return Bands((0.0, *inner[np.unique(band)].tolist(), float(moving[-1])))


@final
class GraphBandsWithResidual(BandTransform):
    """The bands of a `GraphTransform`, then one for what lies beyond its modes.

    With V the modes, y - V V^T y is what they miss of a field y. The last band holds its mean square and the modes
    beyond the other bands, so all bands together hold the mean square of the field. It is open and drawn an octave
    wide.

    Args:
        transform: For the samples.

    Attributes:
        bands: The bands.
    """

    def __init__(self, transform: GraphTransform) -> None:
        self._modes = transform
        edges = transform.bands.edges
        self.bands = Bands((*edges, 2 * edges[-1]))

    def coefficients(self, values: Tensor | Any) -> Tensor:
        """(mode + N, C) float64 coefficients, then the rest of (N, C) values over sqrt(N); linear in them."""
        field = values.double()
        inside = self._modes.coefficients(field)
        remainder = field.to(inside.device) / math.sqrt(len(field)) - self._modes.vectors @ inside
        return torch.cat([inside, remainder])

    def power(self, coefficients: Tensor) -> Tensor:
        """(band, C) float64 power; summed over the bands, the mean square."""
        return self.cross(coefficients, coefficients).clamp(min=0)

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """(band, C) float64 mean product of two fields' parts in each band."""
        inside = self._modes.cross(*(c[: len(self._modes.frequency)] for c in (coefficients, other)))
        remainder = (coefficients * other).sum(0, keepdim=True) - inside.sum(0, keepdim=True)
        return torch.cat([inside, remainder])

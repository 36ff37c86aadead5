"""Fourier transform on the nearest-neighbour graph: frequencies on the manifold of the data."""

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
_EXTRA_MODES = 8
_STEPS = 20_000


def slowest(matrix: scipy.sparse.csr_array, modes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return 1 - p ascending and orthonormal eigenvectors for the largest eigenvalues p of the random walk.

    A Lanczos iteration may miss copies of a multiple eigenvalue, for instance one of the two waves around a
    circle. The computed eigenvalues are therefore deflated and the largest remaining ones computed, until
    none of these belongs to the modes.

    Args:
        matrix: (N, N) symmetric matrix with unit row sums.
        modes: Number of modes, less than N - 1.
        seed: Seed of the starting vectors.

    Raises:
        RunError: If an iteration does not converge.
    """
    source = numpy_generator(seed, "cloud", "graph")
    values, vectors = _largest(matrix, modes, source.normal(size=matrix.shape[0]))
    for _ in range(modes):
        # Deflation shifts known eigenvalues below all others, so that missed copies become the largest.
        deflated = _deflated(matrix, vectors)
        new_values, new_vectors = _largest(
            deflated, min(_EXTRA_MODES, modes), source.normal(size=matrix.shape[0])
        )
        is_missed = new_values > values.min() + 10 * _PRECISION
        if not is_missed.any():
            break
        # Rayleigh-Ritz in the span of both sets; the largest `modes` pairs are retained.
        basis = np.linalg.qr(np.concatenate([vectors, new_vectors[:, is_missed]], 1))[0]
        values, rotation = np.linalg.eigh(basis.T @ (matrix @ basis))
        values, vectors = values[-modes:], basis @ rotation[:, -modes:]
    order = np.argsort(-values)
    return 1 - values[order], np.ascontiguousarray(vectors[:, order])


def _deflated(matrix: scipy.sparse.csr_array, vectors: np.ndarray) -> LinearOperator:
    """Return the walk with the eigenvalues of these eigenvectors lowered by 3, below all others."""
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
            "request fewer modes or more neighbours",
            "graph",
        ) from failure


_SCALINGS = 500
_BALANCED = 1e-10
_ZERO = 1e-8


@final
class GraphTransform(BandTransform):
    """Transform to the modes of lowest frequency of the neighbour graph, reusable for many fields.

    Rows are connected to their nearest neighbours with weights exp(-d^2 / (s_i s_j)), where s_i is the
    distance of the last neighbour of row i (Zelnik-Manor, Perona 2004, Self-tuning spectral clustering). The
    matrix is scaled symmetrically until every row and column sums to 1: a symmetric random walk P (Marshall,
    Coifman 2019, Manifold learning with bi-stochastic kernel matrices). Its eigenvectors are orthonormal and
    the first is constant. With P u = (1 - eigenvalue) u, a mode has the frequency

        f = sqrt(2 dimension * eigenvalue) / (2 pi step),

    where `step` is the root mean square length of the walk's steps. On a smooth manifold of that dimension,
    for wavelengths much longer than the steps, the unit is cycles per unit of distance along the manifold.
    Frequencies of waves not much longer than the distance of neighbours are underestimated. Power beyond the
    computed modes is reported as `missing`.

    Args:
        coords: (N, d) features.
        modes: Number of modes to compute, including the constant mode.
        neighbours: Number of nearest neighbours per row.
        bands: Bands, or ascending edges from 0, in cycles per unit; None for bands of equal ratio that
            contain all modes.
        dimension: Dimension of the manifold; 1 gives the frequency along the steps of the walk.
        seed: Seed of the starting vector of the eigensolver.
        memory: Memory budget in GiB of the neighbour search. The features, the graph (N x neighbours) and the
            modes (several copies of N x modes during the solution) need additional memory.

    Attributes:
        frequency: (mode,) float64 ascending, in cycles per unit of the features.
        vectors: (N, mode) float64 orthonormal eigenvectors.
        bands: The bands.
        components: Number of connected components of the graph; each has a mode of frequency 0.

    Raises:
        InputError: If the features are not finite numbers, rows are too few or have too many duplicates, or
            the budget is too small for the distances of one row.
        RunError: If the eigensolver does not converge.

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
        # Eigenvalues within the solver's error of 0 belong to connected components of the graph.
        rate = np.where(values > _ZERO, values, 0.0)
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
        """False: modes beyond the computed modes are in no band; `with_residual` adds a band for them."""
        return False

    def with_residual(self) -> GraphBandsWithResidual:
        """Return a transform with an additional band for the power outside the computed modes."""
        return GraphBandsWithResidual(self)

    def coefficients(self, values: Tensor | ArrayLike) -> Tensor:
        """Return the (mode, C) float64 coefficients, linear in the values; their squares sum to the power.

        Args:
            values: (N, C) real values, or (N,).

        Raises:
            InputError: If the values are not numbers, not finite, or not one row a sample.
        """
        field = rows(values, "values", len(self.vectors)).to(self.vectors.device)
        return self.vectors.T @ field / math.sqrt(len(field))

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """Return the (band, channel) float64 mean product of two fields' parts in each band."""
        product = coefficients * other
        total = product.new_zeros(self.bands.count + 1, product.shape[1])
        return total.index_add(0, self._band, product)[:-1]

    def spectrum(self, values: Tensor | ArrayLike, reference: Tensor | ArrayLike | None = None) -> Spectrum:
        """Return the power per band of graph frequency; with `missing`, it sums to the mean square.

        Args:
            values: (N, C) real values, or (N,).
            reference: Values of the reference field for the cross power.

        Raises:
            InputError: If a table is not numeric, not finite, or not one row per sample.
        """
        field = rows(values, "values", len(self.vectors)).to(self.vectors.device)
        coefficients = self.coefficients(field)
        power = self.power(coefficients)
        remainder = field - math.sqrt(len(field)) * (self.vectors @ coefficients)
        power_beyond_bands = coefficients.square().sum(0) - power.sum(0)
        missing = remainder.square().mean(0) + power_beyond_bands.clamp(min=0)
        if reference is None:
            return Spectrum(self.bands, power, missing, self._name)
        reference_coefficients = self.coefficients(reference)
        if reference_coefficients.shape != coefficients.shape:
            raise InputError(
                f"a reference of {coefficients.shape[1]} channels",
                f"{reference_coefficients.shape[1]}",
                "pass the same number of channels",
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
    """Return the symmetric random walk with unit row sums and the root mean square length of its steps."""
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
    # An edge exists if either row is a neighbour of the other; self-loops stabilise the scaling.
    joined = (edges.maximum(edges.T) + scipy.sparse.eye_array(count)).tocsr()
    factor = np.ones(count)
    # Symmetric Sinkhorn iteration: the square root distributes the correction over rows and columns.
    for _ in range(_SCALINGS):
        sums = factor * (joined @ factor)
        if np.abs(sums - 1).max() < _BALANCED:
            break
        factor = factor / np.sqrt(sums)
    diagonal = scipy.sparse.diags_array(factor)
    matrix = (diagonal @ joined @ diagonal).tocsr()
    # Mutual neighbours have the same length in both triangles, so the maximum symmetrises the lengths.
    squares = lengths.maximum(lengths.T).power(2)
    return matrix, math.sqrt(float(matrix.multiply(squares).sum()) / count)


def _as_bands(bands: Bands | Sequence[float]) -> Bands:
    return bands if isinstance(bands, Bands) else Bands(tuple(bands))


def _bands(frequency: np.ndarray, count: int = 16) -> Bands:
    """Return a first band of frequency 0, then at most `count` non-empty bands of equal ratio."""
    positive = frequency[frequency > 0]
    if not len(positive):
        return Bands((0.0, 1.0))
    inner = np.geomspace(
        0.5 * positive[0] if positive[0] == positive[-1] else 0.99 * positive[0], positive[-1], count + 1
    )[:-1]
    band = np.searchsorted(inner, positive, side="right") - 1
    return Bands((0.0, *inner[np.unique(band)].tolist(), float(positive[-1])))


@final
class GraphBandsWithResidual(BandTransform):
    """Bands of a `GraphTransform` plus a last band for the power outside its modes.

    The residual of a field y is y - V V^T y with V the modes. The last band contains its mean square and that
    of the modes beyond the other bands, so the power of all bands sums to the mean square. The band is
    unbounded but shown as one octave.

    Args:
        transform: The transform of the samples.

    Attributes:
        bands: The bands.
    """

    def __init__(self, transform: GraphTransform) -> None:
        self._modes = transform
        edges = transform.bands.edges
        self.bands = Bands((*edges, 2 * edges[-1]))

    def coefficients(self, values: Tensor | Any) -> Tensor:
        """Return (mode + N, C) float64 coefficients, followed by the residual over sqrt(N)."""
        field = values.double()
        coefficients_in_modes = self._modes.coefficients(field)
        remainder = (
            field.to(coefficients_in_modes.device) / math.sqrt(len(field))
            - self._modes.vectors @ coefficients_in_modes
        )
        return torch.cat([coefficients_in_modes, remainder])

    def power(self, coefficients: Tensor) -> Tensor:
        """Return the (band, C) float64 power; it sums to the mean square."""
        return self.cross(coefficients, coefficients).clamp(min=0)

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """Return the (band, C) float64 mean product of two fields' parts in each band."""
        coefficients_in_modes = self._modes.cross(
            *(c[: len(self._modes.frequency)] for c in (coefficients, other))
        )
        remainder = (coefficients * other).sum(0, keepdim=True) - coefficients_in_modes.sum(0, keepdim=True)
        return torch.cat([coefficients_in_modes, remainder])

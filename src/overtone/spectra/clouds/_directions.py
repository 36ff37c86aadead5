"""Frequencies along given directions through a cloud of samples, by the non-uniform transform of projections."""

from __future__ import annotations

import math
from typing import final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._band_transform import BandTransform
from overtone.spectra._bands import Bands
from overtone.spectra._inputs import rows
from overtone.spectra._points_modes import adjoint
from overtone.spectra.clouds._neighbours import features


def principal_directions(coords: Tensor | ArrayLike, count: int = 1) -> Tensor:
    """Principal directions, see `DirectionTransform.principal`."""
    centred_coords = features(coords).double()
    square, vectors = torch.linalg.eigh(centred_coords.T @ centred_coords)
    spread = int((square > 1e-12 * square[-1]).sum())
    if not 1 <= count <= spread:
        raise InputError(
            f"1 to {spread} directions that the samples spread along", f"{count}", "pass another count"
        )
    return vectors.flip(1).T[:count].contiguous()


@final
class DirectionTransform:
    """Fourier coefficients of values over the samples' projections on given directions.

    F_k = (1/N) sum_j y_j exp(-2 pi i f_k x_j . p), x_j from the mean, f_k = k / (extent along p), k = 0 .. count (Xu
    et al. 2019, arXiv 1901.06523, the projection method). For samples spread evenly along p a harmonic A cos(2
    pi f_k x . p) has the coefficient A / 2. What varies across p averages out. Samples are weighted by their
    density, so the modes are not orthogonal and powers do not add up to the mean square; on N random samples
    every |F_k|^2 holds about mean(y^2) / N of it whatever its own (`floor`).

    Args:
        coords: (N, d) features.
        directions: (P, d) directions of any length, or None for the first principal direction.
        count: Highest k.

    Attributes:
        directions: (P, d) float64 unit vectors.
        frequency: (P, count + 1) float64, in cycles per unit of distance along the direction.
        explained: (P,) float64 share of the samples' variance along the direction.

    Raises:
        InputError: If the features or directions are not finite numbers, do not fit, or the samples are constant
            along a direction.

    Example:
        >>> import torch
        >>> from overtone.spectra.clouds import DirectionTransform
        >>> rows = torch.stack([torch.arange(50.0), torch.zeros(50), torch.zeros(50)], 1)
        >>> DirectionTransform(rows, count=4).frequency.shape
        torch.Size([1, 5])
    """

    @staticmethod
    def principal(coords: Tensor | ArrayLike, count: int = 1) -> Tensor:
        """(count, d) float64 unit vectors along which the samples spread most, the widest first.

        Args:
            coords: (N, d) features.
            count: Number of directions, at most d.

        Raises:
            InputError: If the features are not finite numbers or spread along fewer directions.
        """
        return principal_directions(coords, count)

    @staticmethod
    def relative_error(prediction: Tensor, target: Tensor) -> Tensor:
        """|F_k[h] - F_k[y]| / |F_k[y]| per direction, frequency and channel; infinite where the target has nothing.

        Args:
            prediction: Coefficients of the network's outputs.
            target: Coefficients of the target, of the same shape.
        """
        return (prediction - target).abs() / target.abs()

    def __init__(
        self, coords: Tensor | ArrayLike, directions: Tensor | ArrayLike | None = None, count: int = 32
    ) -> None:
        centred_coords = features(coords).double()
        if count < 1:
            raise InputError("at least one frequency", f"{count}", "pass a positive count", "count")
        vectors = (
            principal_directions(centred_coords)
            if directions is None
            else rows(directions, "directions").to(centred_coords.device)
        )
        if vectors.shape[1] != centred_coords.shape[1] or not bool((vectors != 0).any(1).all()):
            raise InputError(
                f"directions of {centred_coords.shape[1]} numbers that are not all 0",
                f"shape {tuple(vectors.shape)}",
                "pass one row a direction",
                "directions",
            )
        self.directions = vectors / vectors.norm(dim=1, keepdim=True)
        along = centred_coords @ self.directions.T
        extent = along.amax(0) - along.amin(0)
        if not bool((extent > 1e-12 * centred_coords.abs().max()).all()):
            raise InputError(
                "samples that spread along each direction",
                f"constant features along direction {int(extent.argmin())}",
                "leave it out",
                "directions",
            )
        self.frequency = torch.arange(count + 1, device=centred_coords.device) / extent[:, None]
        self.explained = along.square().mean(0) / centred_coords.square().sum(1).mean()
        self._count = count
        self._cycles = (along / extent).cpu().numpy()

    def coefficients(self, values: Tensor | ArrayLike) -> Tensor:
        """(direction, count + 1, C) complex128, linear in the values.

        Args:
            values: (N, C) real values, or (N,).

        Raises:
            InputError: If the values are not numbers, not finite, or not one row a sample.
        """
        field = rows(values, "values", len(self._cycles))
        strengths = (field.T / len(field)).cpu().to(torch.complex128)
        harmonics = []
        for cycles in self._cycles.T:
            # Projections as fractions of their extent, folded into [-pi, pi) for the transform.
            angle = 2 * math.pi * (cycles - np.floor(cycles + 0.5))
            harmonics.append(
                adjoint([np.ascontiguousarray(angle)], strengths, (self._count,))[:, self._count :].T
            )
        return torch.stack(harmonics).to(field.device)

    def power(self, coefficients: Tensor) -> Tensor:
        """(direction, count + 1, C) float64 |F_0|^2 and 2 |F_k|^2, A^2 / 2 for the harmonic above."""
        square = coefficients.abs().square()
        return torch.cat([square[:, :1], 2 * square[:, 1:]], 1)

    def bands_along(self, direction: int = 0) -> DirectionalBands:
        """One band per harmonic along one of the directions, as a transform.

        Args:
            direction: Number of the direction.
        """
        return DirectionalBands(self, direction)

    def floor(self, values: Tensor | ArrayLike) -> Tensor:
        """(C,) float64 power that a frequency without any of its own shows: 2 mean(y^2) / N."""
        field = rows(values, "values", len(self._cycles))
        return 2 * field.square().mean(0) / len(field)


@final
class DirectionalBands(BandTransform):
    """One direction of a `DirectionTransform`; band k is half a harmonic wide to both sides of f_k.

    Args:
        transform: The transform of the samples.
        direction: Number of the direction.

    Attributes:
        bands: The bands.
    """

    def __init__(self, transform: DirectionTransform, direction: int = 0) -> None:
        self._transform, self._direction = transform, direction
        first, count = float(transform.frequency[direction, 1]), transform.frequency.shape[1]
        self.bands = Bands((0.0, *((k + 0.5) * first for k in range(count))))

    @property
    def closes(self) -> bool:
        """No: samples that are not evenly spread along the direction leave the harmonics not orthogonal."""
        return False

    def coefficients(self, values: Tensor) -> Tensor:
        """(band, C) complex128, linear in (N, C) values."""
        return self._transform.coefficients(values)[self._direction]

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """(band, channel) float64 Re<f, g>: F_0 G_0 and 2 Re F_k conj(G_k); the power of A cos is A^2 / 2."""
        product = (coefficients * other.conj()).real
        return torch.cat([product[:1], 2 * product[1:]])

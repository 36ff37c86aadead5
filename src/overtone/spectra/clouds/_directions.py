"""Frequencies along directions through a cloud of samples, by non-uniform transforms of projections."""

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
    """Return principal directions; see `DirectionTransform.principal`."""
    centred_coords = features(coords).double()
    square, vectors = torch.linalg.eigh(centred_coords.T @ centred_coords)
    spread = int((square > 1e-12 * square[-1]).sum())
    if not 1 <= count <= spread:
        raise InputError(f"1 to {spread} directions of non-zero variance", f"{count}", "pass another count")
    return vectors.flip(1).T[:count].contiguous()


@final
class DirectionTransform:
    """Fourier coefficients of values over the projections of samples on directions.

    F_k = (1/N) sum_j y_j exp(-2 pi i f_k x_j . p) for centred samples x_j and frequencies f_k = k / (extent
    along p), k = 0 .. count (projection method, Xu et al. 2019, arXiv 1901.06523). If samples are uniform
    along p, a harmonic A cos(2 pi f_k x . p) has the coefficient A / 2. Variation orthogonal to p averages
    out. Samples count by their density, so the modes are not orthogonal and powers do not sum to the mean
    square; on N random samples every |F_k|^2 contains about mean(y^2) / N of the other modes' power
    (`floor`).

    Args:
        coords: (N, d) features.
        directions: (P, d) directions of any length, or None for the first principal direction.
        count: Highest harmonic k.

    Attributes:
        directions: (P, d) float64 unit vectors.
        frequency: (P, count + 1) float64, in cycles per unit of distance along the direction.
        explained: (P,) float64 share of the samples' variance along the direction.

    Raises:
        InputError: If the features or directions are not finite numbers or do not match, or the samples are
            constant along a direction.

    Example:
        >>> import torch
        >>> from overtone.spectra.clouds import DirectionTransform
        >>> rows = torch.stack([torch.arange(50.0), torch.zeros(50), torch.zeros(50)], 1)
        >>> DirectionTransform(rows, count=4).frequency.shape
        torch.Size([1, 5])
    """

    @staticmethod
    def principal(coords: Tensor | ArrayLike, count: int = 1) -> Tensor:
        """Return the (count, d) float64 unit vectors of largest variance, in descending order.

        Args:
            coords: (N, d) features.
            count: Number of directions, at most d.

        Raises:
            InputError: If the features are not finite numbers or vary along fewer directions.
        """
        return principal_directions(coords, count)

    @staticmethod
    def relative_error(prediction: Tensor, target: Tensor) -> Tensor:
        """Return |F_k[h] - F_k[y]| / |F_k[y]| per direction, frequency and channel; infinite if F_k[y] = 0.

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
                f"non-zero directions of {centred_coords.shape[1]} numbers",
                f"shape {tuple(vectors.shape)}",
                "pass one row per direction",
                "directions",
            )
        self.directions = vectors / vectors.norm(dim=1, keepdim=True)
        along = centred_coords @ self.directions.T
        extent = along.amax(0) - along.amin(0)
        if not bool((extent > 1e-12 * centred_coords.abs().max()).all()):
            raise InputError(
                "samples that vary along each direction",
                f"constant features along direction {int(extent.argmin())}",
                "remove that direction",
                "directions",
            )
        self.frequency = torch.arange(count + 1, device=centred_coords.device) / extent[:, None]
        self.explained = along.square().mean(0) / centred_coords.square().sum(1).mean()
        self._count = count
        self._cycles = (along / extent).cpu().numpy()

    def coefficients(self, values: Tensor | ArrayLike) -> Tensor:
        """Return the (direction, count + 1, C) complex128 coefficients, linear in the values.

        Args:
            values: (N, C) real values, or (N,).

        Raises:
            InputError: If the values are not numeric, not finite, or not one row per sample.
        """
        field = rows(values, "values", len(self._cycles))
        strengths = (field.T / len(field)).cpu().to(torch.complex128)
        harmonics = []
        for cycles in self._cycles.T:
            # The transform expects angles in [-pi, pi); one period is the extent of the projections.
            angle = 2 * math.pi * (cycles - np.floor(cycles + 0.5))
            harmonics.append(
                adjoint([np.ascontiguousarray(angle)], strengths, (self._count,))[:, self._count :].T
            )
        return torch.stack(harmonics).to(field.device)

    def power(self, coefficients: Tensor) -> Tensor:
        """Return the (direction, count + 1, C) power |F_0|^2 and 2 |F_k|^2; A^2 / 2 for a harmonic."""
        square = coefficients.abs().square()
        return torch.cat([square[:, :1], 2 * square[:, 1:]], 1)

    def bands_along(self, direction: int = 0) -> DirectionalBands:
        """Return a transform with one band per harmonic along one of the directions.

        Args:
            direction: Index of the direction.
        """
        return DirectionalBands(self, direction)

    def floor(self, values: Tensor | ArrayLike) -> Tensor:
        """Return the (C,) float64 power 2 mean(y^2) / N of a frequency that is absent from the values."""
        field = rows(values, "values", len(self._cycles))
        return 2 * field.square().mean(0) / len(field)


@final
class DirectionalBands(BandTransform):
    """Bands along one direction of a `DirectionTransform`; band k is one harmonic wide and centred on f_k.

    Args:
        transform: The transform of the samples.
        direction: Index of the direction.

    Attributes:
        bands: The bands.
    """

    def __init__(self, transform: DirectionTransform, direction: int = 0) -> None:
        self._transform, self._direction = transform, direction
        first, count = float(transform.frequency[direction, 1]), transform.frequency.shape[1]
        self.bands = Bands((0.0, *((k + 0.5) * first for k in range(count))))

    @property
    def closes(self) -> bool:
        """False: harmonics are not orthogonal on samples that are not uniform along the direction."""
        return False

    def coefficients(self, values: Tensor) -> Tensor:
        """Return the (band, C) complex128 coefficients, linear in (N, C) values."""
        return self._transform.coefficients(values)[self._direction]

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """Return the (band, channel) float64 cross power, F_0 G_0 and 2 Re F_k conj(G_k)."""
        product = (coefficients * other.conj()).real
        return torch.cat([product[:1], 2 * product[1:]])

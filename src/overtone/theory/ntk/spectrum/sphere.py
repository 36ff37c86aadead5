"""Eigenvalues of a rotation-invariant kernel on a circle or sphere, by degree."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.special import eval_chebyt, eval_gegenbauer
from torch import Tensor

from overtone.errors import InputError


def sphere(
    kernel: Callable[[Tensor, Tensor], Tensor], dimension: int, degrees: int, *, nodes: int = 0
) -> Tensor:
    """Eigenvalues of a kernel k(x.x') on the unit sphere S^(d-1) with uniform density, by degree.

    mu_k = int k(cos t) P_k(cos t) sin(t)^(d-2) dt / int sin(t)^(d-2) dt over [0, pi], with the Gegenbauer
    polynomial P_k(1) = 1 (Funk-Hecke). On the circle, d = 2, that is the k-th Fourier coefficient, k cycles
    per turn. The integral is taken by Gauss-Legendre quadrature in the angle, in which kernels of rectified
    networks are smooth.

    Args:
        kernel: From (N, d) and (M, d) points to (N, M); for instance `lambda a, b: wide(a, b).ntk`.
        dimension: d, at least 2.
        degrees: The number of degrees, 0 to degrees - 1.
        nodes: Quadrature nodes; 0 for 8 per degree and at least 256.

    Returns:
        (degrees,) float64 eigenvalues of the integral operator.

    Raises:
        InputError: If `dimension` is below 2 or `degrees` below 1.
    """
    if dimension < 2:
        raise InputError("a dimension of at least 2", f"{dimension}", "pass 2 for the circle", "dimension")
    if degrees < 1:
        raise InputError("at least one degree", f"{degrees}", "pass the number of degrees", "degrees")
    points, weights = np.polynomial.legendre.leggauss(nodes or max(256, 8 * degrees))
    angles = (points + 1) * np.pi / 2
    places = np.zeros((len(angles), dimension))
    places[:, 0], places[:, 1] = np.cos(angles), np.sin(angles)
    pole = torch.zeros(1, dimension, dtype=torch.float64, device="cpu")
    pole[0, 0] = 1
    row = kernel(pole, torch.from_numpy(places))[0].detach().cpu().double().numpy()
    density = weights * np.sin(angles) ** (dimension - 2)
    density = density / density.sum()
    return torch.tensor(
        [float(density @ (row * _zonal(k, dimension, angles))) for k in range(degrees)], device="cpu"
    ).double()


def _zonal(degree: int, dimension: int, angles: np.ndarray) -> np.ndarray:
    if dimension == 2:
        return eval_chebyt(degree, np.cos(angles))
    order = dimension / 2 - 1
    return eval_gegenbauer(degree, order, np.cos(angles)) / eval_gegenbauer(degree, order, 1.0)

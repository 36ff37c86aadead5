"""What coordinates of scattered samples have to be."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra.points.box import Box
from overtone.spectra.points.density import wrapped
from overtone.spectra.rows import rows

_FLAT = 1e-9
_FEWEST = 4


def places(coords: Tensor | ArrayLike) -> np.ndarray:
    """Coordinates as (N, d) float64.

    Raises:
        InputError: If they are not 1 to 3 finite numbers a sample, too few, or do not vary along every axis.
    """
    found = rows(coords, "coords").cpu().numpy()
    axes = found.shape[1]
    if not 1 <= axes <= 3:
        raise InputError(
            "1 to 3 coordinates a sample", f"{axes}", "use overtone.spectra.clouds for more", "coords"
        )
    if len(found) < _FEWEST:
        raise InputError(f"at least {_FEWEST} samples", f"{len(found)}", "pass more samples", "coords")
    spread = np.ptp(found, axis=0)
    if not (spread > 0).all():
        axis = int(np.argmin(spread > 0))
        raise InputError(
            "coordinates that vary along every axis",
            f"{found[0, axis]:g} throughout axis {axis}",
            "leave that axis out",
            "coords",
        )
    if axes > 1:
        _check_spanning((found - found.mean(0)) / spread)
    return found


def check_inside(coords: np.ndarray, box: Box) -> None:
    """Refuse samples outside the domain.

    Raises:
        InputError: If there are such; names the first.
    """
    outside = ((coords < np.array(box.low)) | (coords > np.array(box.high))).any(1)
    if outside.any():
        first = int(np.argmax(outside))
        raise InputError(
            f"samples within {box.low} to {box.high}",
            f"{int(outside.sum())} outside, first sample {first} at {tuple(coords[first].tolist())}",
            "pass a larger domain or leave them out",
            "coords",
        )


def check_distinct(coords: np.ndarray, box: Box, periodic: tuple[bool, ...]) -> None:
    """Refuse two samples at one place, or at places that a periodic domain makes one.

    Raises:
        InputError: If there are such; names the first two.
    """
    inside = wrapped(coords, box, periodic)
    _, first, counts = np.unique(inside, axis=0, return_index=True, return_counts=True)
    if (counts > 1).any():
        one = int(first[counts > 1].min())
        two = int(np.nonzero((inside == inside[one]).all(1))[0][1])
        same = (coords[one] == coords[two]).all()
        raise InputError(
            "samples at distinct places",
            f"{int((counts - 1).sum())} duplicate points, first samples {one} and {two}"
            + ("" if same else ", which the periodic domain makes one place"),
            "keep one of each, with the mean of their values",
            "coords",
        )


def _check_spanning(centred: np.ndarray) -> None:
    size = np.linalg.svd(centred, compute_uv=False)
    rank = int((size > _FLAT * size[0]).sum())
    if rank < centred.shape[1]:
        raise InputError(
            f"points that spread in {centred.shape[1]} dimensions",
            "collinear points" if rank == 1 else "points in one plane",
            f"pass their {rank} coordinate{'s' * (rank > 1)} along it",
            "coords",
        )

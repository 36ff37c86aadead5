"""Bias of spectra under masks, on simulated fields of known spectrum: this, zeros in the gaps, and a Laplace fill.

Random fields with the power law f^-p are the truth, and the same fields blurred the forecast; the power ratio in each
band is compared with that of the spectra that they were made from, relative to it, with ratios below 0.1 as 0.1. The
coastline is real (benchmarks/coastline.txt); a third of the cells is missing, more or less.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from overtone.spectra import BandTransform, GridTransform, SphereGrid, SphereTransform
from overtone.spectra._fill import laplace_fill
from overtone.spectra._masked import MaskedGeometry, unmixing
from overtone.spectra._masked_bias import blur_cutoff, deviation, known_ratios
from overtone.spectra._masked_box import MaskedBox
from overtone.spectra._masked_sphere import MaskedSphere
from overtone.spectra._sphere_grid import SphereGridKind

COASTLINE = Path(__file__).parent / "coastline.txt"
SLOPES = (1.0, 3.0, 5.0)
SIZE, ROWS, SAMPLES = 64, 36, 64


def main() -> list[dict]:
    """Return one row per geometry, mask and slope."""
    rows = []
    for name, mask in box_masks(SIZE).items():
        for slope in SLOPES:
            box = MaskedBox((SIZE, SIZE), None, True, None, slope).prepared(mask)
            plain = GridTransform((SIZE, SIZE), periodic=True, bands=box.bands)
            rows.append(_row("box", name, slope, box, plain, mask, (True, True)))
    grid = SphereGrid(SphereGridKind.CELLS, ROWS, 2 * ROWS)
    for name, mask in globe_masks(ROWS).items():
        for slope in SLOPES:
            sphere = MaskedSphere(grid, None, slope).prepared(mask)
            plain = SphereTransform(grid, sphere.bands)
            rows.append(_row("sphere", name, slope, sphere, plain, mask, (False, True)))
    return rows


def _row(
    place: str,
    name: str,
    slope: float,
    geometry: MaskedGeometry,
    plain: BandTransform,
    mask: Tensor,
    periodic: tuple[bool, bool],
) -> dict:
    cutoff = blur_cutoff(geometry)
    pair = geometry.simulated(SAMPLES, cutoff, seed=0)
    known, _ = known_ratios(geometry, cutoff)
    inner = slice(1, -1 if geometry.bands.corner else None)
    matrix = unmixing(geometry.coupling(mask))

    def masked(values: Tensor) -> Tensor:
        c = geometry.coefficients(values, mask)
        return (matrix @ geometry.products(c, c)).sum(1)

    def zeros(values: Tensor) -> Tensor:
        return plain.power(plain.coefficients(values * mask[..., None])).sum(1)

    def filled(values: Tensor) -> Tensor:
        return plain.power(plain.coefficients(laplace_fill(values, mask, periodic))).sum(1)

    row = {"name": f"{place}, {name}, p = {slope:g}", "missing": float(1 - mask.double().mean())}
    for column, estimate in (("this", masked), ("zeros", zeros), ("Laplace fill", filled)):
        truth, forecast = (estimate(values) for values in pair)
        error = deviation(forecast / truth, known)[inner].abs()
        row[f"{column}, median"], row[f"{column}, worst"] = float(error.median()), float(error.max())
    return row


def land() -> np.ndarray:
    """Return (180, 360) land from north to south, 0 to 360 degrees east."""
    lines = [x for x in COASTLINE.read_text(encoding="ascii").splitlines() if not x.startswith("#")]
    return np.stack([np.unpackbits(np.frombuffer(bytes.fromhex(x), np.uint8)) for x in lines]).astype(bool)


def _swath(rows: int, columns: int, width: float, period: float) -> np.ndarray:
    y, x = np.mgrid[:rows, :columns]
    return np.mod(x / columns + 0.4 * y / rows, period) < width * period


def box_masks(size: int) -> dict[str, Tensor]:
    """Return masks of a box; the coastline is that of the Malay Archipelago and Australia.

    Args:
        size: Cells per side, at most 120.
    """
    masks = {
        "coastline": ~land()[60 : 60 + size, 90 : 90 + size],
        "swath": _swath(size, size, 0.6, 1.0),
        "random gaps": np.random.default_rng(1).random((size, size)) < 0.7,
    }
    return {name: torch.from_numpy(mask) for name, mask in masks.items()}


def globe_masks(rows: int) -> dict[str, Tensor]:
    """Return masks of the globe on cells.

    Args:
        rows: Number of latitudes, a divisor of 180.
    """
    step = 180 // rows
    masks = {
        "coastline": ~land()[::step, ::step],
        "swath": _swath(rows, 2 * rows, 0.7, 0.25),
        "random gaps": np.random.default_rng(1).random((rows, 2 * rows)) < 0.85,
    }
    return {name: torch.from_numpy(mask) for name, mask in masks.items()}

"""Bias of masked spectra, measured on simulated fields of known spectrum under the mask at hand."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from overtone.spectra._masked import MaskedGeometry, band_sums, unmixing
from overtone.spectra._masked_sums import DISAGREEMENT_FLOOR

_CELLS, _FEWEST, _MOST = 1 << 20, 4, 64
"""Values of the simulated fields, and their smallest and largest number."""


def blur_cutoff(geometry: MaskedGeometry) -> float:
    """Return the cutoff of a blur with half of the power at the geometric middle of the bands.

    Args:
        geometry: The geometry.
    """
    bands = geometry.bands
    last = -2 if bands.corner else -1
    middle = math.sqrt(bands.edges[1] * bands.high[last])
    return middle / math.sqrt(math.log(2) / 2)


def known_ratios(geometry: MaskedGeometry, cutoff: float) -> tuple[Tensor, Tensor]:
    """Return the (band,) expected power ratio and error ratio of the simulated fields; NaN in bands without modes.

    Args:
        geometry: The geometry.
        cutoff: Cutoff of the blur.
    """
    index, frequency, law = geometry.law()
    gain = torch.exp(-((frequency / cutoff) ** 2))
    count = geometry.bands.count
    truth, blurred, error = (
        band_sums(index, law * g, count) for g in (gain * 0 + 1, gain**2, (1 - gain) ** 2)
    )
    return blurred / truth, error / truth


def deviation(ratio: Tensor, known: Tensor) -> Tensor:
    """Return the relative deviation of ratios from known ones; ratios below 0.1 count as 0.1.

    Args:
        ratio: Measured ratios.
        known: Known ratios.
    """
    return (ratio - known) / known.clamp(min=DISAGREEMENT_FLOOR)


def masked_bias(geometry: MaskedGeometry, mask: Tensor, seed: int = 0) -> Tensor:
    """Return the (band,) relative error of the power ratio and the error ratio, the larger one of both.

    Random fields with the geometry's power law take the place of a truth, and the same fields blurred that of a
    forecast; the ratios of their summed powers under the mask are compared with those of the spectra that they were
    made from. Ratios below 0.1 count as 0.1.

    Args:
        geometry: Prepared geometry.
        mask: (*shape) whether each cell is valid.
        seed: Seed of the fields.
    """
    cells = math.prod(geometry.shape)
    samples = min(max(_CELLS // cells, _FEWEST), _MOST)
    cutoff = blur_cutoff(geometry)
    truth, forecast = (
        geometry.coefficients(values, mask) for values in geometry.simulated(samples, cutoff, seed)
    )
    matrix = unmixing(geometry.coupling(mask))
    powers = [
        matrix @ geometry.products(c, c).sum(1, keepdim=True) for c in (truth, forecast, forecast - truth)
    ]
    target, prediction, residual = (power[:, 0] for power in powers)
    ratios = zip((prediction / target, residual / target), known_ratios(geometry, cutoff), strict=True)
    return torch.stack([deviation(ratio, known).abs() for ratio, known in ratios]).amax(0)

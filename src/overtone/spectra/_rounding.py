"""Power that the rounding of stored values adds to a spectrum."""

from __future__ import annotations

import torch
from torch import Tensor

from overtone.spectra._band_transform import BandTransform
from overtone.spectra._legendre import DegreeTransform
from overtone.spectra._winds import WindTransform

ROUNDING_SHARE = 0.2
"""Share of a band's power that may be rounding of the values; with more, the band's figures are not determined."""


def rounding_power(values: Tensor, transform: BandTransform) -> Tensor:
    """Return the (sample, band, channel) float64 power of the rounding errors of floating-point values, on the CPU.

    With u the distance of a value to the next number of its precision, its error has the mean square u^2 / 12, and the
    errors are white noise. Missing values count as 0.

    Args:
        values: (sample, channel, *space) values in the precision in which they are stored.
        transform: The transform, which has the bands.
    """
    share = _white_shares(transform)
    if not values.dtype.is_floating_point:
        return torch.zeros(len(values), len(share), values.shape[1], dtype=torch.float64, device="cpu")
    squares = _rounding_squares(values)
    if isinstance(transform, WindTransform):
        squares = transform.white(squares)
    return squares[:, None] * share[:, None]


def _rounding_squares(values: Tensor) -> Tensor:
    """Return the (sample, channel) float64 mean squares of rounding errors, on the CPU, by counting exponents."""
    double = values.dtype == torch.float64
    bits, digits, kind = (11, 52, torch.int64) if double else (8, 23, torch.int32)
    size, fields = 1 << bits, values.shape[0] * values.shape[1]
    stored = (values if double else values.float()).contiguous().view(kind).flatten(2)
    exponents = (stored >> digits) & (size - 1)
    first = torch.arange(fields, dtype=kind, device=values.device) * size
    places = exponents.reshape(fields, -1) + first[:, None]
    counts = torch.bincount(places.flatten(), minlength=fields * size).reshape(fields, size).double().cpu()
    # 2^e <= |x| < 2^(e + 1); the lowest exponent stands for zero and the highest one for missing values.
    exponent = torch.arange(size, dtype=torch.float64, device="cpu") - (size // 2 - 1)
    step = torch.finfo(values.dtype).eps * torch.exp2(exponent)
    powers = torch.where(counts > 0, counts * step.square() / 12, 0.0)
    return powers[:, 1:-1].sum(1).reshape(values.shape[:2]) / max(1, stored.shape[-1])


def _white_shares(transform: BandTransform) -> Tensor:
    """Return the (band,) share of the power of white noise of the samples."""
    count = transform.bands.count
    scalars = transform.transform if isinstance(transform, WindTransform) else transform
    if isinstance(scalars, DegreeTransform):
        highest = transform.degree if isinstance(transform, WindTransform) else scalars.degree
        degrees = torch.arange(highest + 1, device="cpu")
        powers = (2 * degrees + 1).double() * scalars.noise
        index = transform.bands.index(degrees)
        return torch.zeros(count, dtype=torch.float64, device="cpu").index_add(0, index, powers)
    modes = getattr(scalars, "modes", None)
    if modes is None:
        return torch.zeros(count, dtype=torch.float64, device="cpu")
    return modes.double().cpu() / float(modes.sum())

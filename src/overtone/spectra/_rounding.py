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
    # 2^(e - 1) <= |x| < 2^e, and u = eps 2^(e - 1).
    _, exponent = torch.frexp(values.float().abs().nan_to_num(0.0, 0.0, 0.0))
    step = torch.finfo(values.dtype).eps * torch.exp2(exponent.double() - 1)
    step = torch.where((values == 0) | torch.isnan(values), 0.0, step)
    squares = (step.square() / 12).flatten(2).mean(2).cpu()
    if isinstance(transform, WindTransform):
        squares = transform.white(squares)
    return squares[:, None] * share[:, None]


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

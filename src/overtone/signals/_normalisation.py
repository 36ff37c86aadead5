"""Reversible map between physical values and training values of a network, and the summary it needs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overtone.errors import InputError

_ROWS = 1 << 18


@dataclass(frozen=True)
class Summary:
    """Summary of (N, C) values from one pass.

    Attributes:
        low: (C,) float64 smallest value per channel.
        high: (C,) float64 largest value per channel.
        mean: (C,) float64 mean per channel.
        first_bad: (sample, channel) of the first NaN or infinity, or None; if set, the other fields are
            meaningless.
    """

    low: Tensor
    high: Tensor
    mean: Tensor
    first_bad: tuple[int, int] | None

    @property
    def constant(self) -> bool:
        """Whether every channel is constant."""
        return bool((self.low == self.high).all())


def summarise(values: Tensor) -> Summary:
    """Summarise (N, C) values block by block, without a copy of a large signal.

    Args:
        values: (N, C) floating-point samples, N at least 1.

    Returns:
        The `Summary`; the scan ends at the first NaN or infinity.
    """
    channels = values.shape[1]
    low = torch.full((channels,), torch.inf, dtype=torch.float64, device=values.device)
    high, total = -low, torch.zeros_like(low)
    for start in range(0, values.shape[0], _ROWS):
        block = values[start : start + _ROWS]
        # Blocks bound the memory of the mask and the float64 sums to a few MiB.
        finite = torch.isfinite(block)
        if not bool(finite.all()):
            row, channel = (int(i) for i in (~finite).nonzero()[0])
            return Summary(low, high, total, (start + row, channel))
        smallest, largest = torch.aminmax(block, dim=0)
        low, high = torch.minimum(low, smallest.double()), torch.maximum(high, largest.double())
        total += block.double().sum(dim=0)
    return Summary(low, high, total / values.shape[0], None)


LEAST, MOST = 1e-140, 1e140
"""Limits of deviations whose sums of squares are within the range of float64."""


@dataclass(frozen=True)
class Normalisation:
    """Reversible affine map between physical values and the training values of a network.

    Attributes:
        offset: (C,) float64 offset to subtract.
        scale: (C,) float64 positive divisor.
        per_channel: Whether each channel has a separate scale.

    Example:
        >>> import torch
        >>> from overtone.signals import Normalisation
        >>> values = torch.tensor([[0.0], [2.0], [4.0]])
        >>> normalisation = Normalisation.of(values)
        >>> normalisation.apply(values)[:, 0].tolist()
        [-1.0, 0.0, 1.0]
    """

    offset: Tensor
    scale: Tensor
    per_channel: bool = False

    @staticmethod
    def of(values: Tensor, per_channel: bool = False, location: str = "normalisation") -> Normalisation:
        """Create the map that centres on the mean and scales the largest deviation to 1.

        offset_c = mean of channel c, scale_c = max |values_c - offset_c| (the largest of all channels unless
        `per_channel`), both rounded to the precision of `values`, so that the result of `apply` is within
        [-1, 1] up to rounding even if the deviations are small relative to the offset. The scale of a
        constant channel is 1.

        Args:
            values: (N, C) physical values.
            per_channel: Whether each channel has a separate scale (columns of different units), instead of
                one scale for all, which preserves the relative weight of channels in a loss (red, green,
                blue).
            location: File or argument in error messages.

        Raises:
            InputError: If there are no values, a value is not finite, or the range of the values or their
                squares exceeds that of the dtype or of float64.
        """
        if values.ndim != 2 or not values.numel() or not values.is_floating_point():
            raise InputError(
                "floating-point values of shape (samples, channels)",
                f"{values.dtype} of shape {tuple(values.shape)}",
                "pass at least one sample",
                location,
            )
        summary = summarise(values)
        if summary.first_bad is not None:
            raise InputError(
                "finite values",
                f"NaN or infinity at sample {summary.first_bad[0]}, channel {summary.first_bad[1]}",
                "fill or remove the gaps",
                location,
            )
        # Rounded to the precision of the values, so that apply() subtracts exactly this number.
        offset = summary.mean.to(values.dtype).double()
        scale = torch.maximum(summary.high - offset, offset - summary.low)
        if not per_channel:
            scale = scale.max().expand_as(scale).clone()
        scale = torch.where(scale > 0, scale, torch.ones_like(scale)).to(values.dtype).double()
        if not bool((torch.isfinite(offset) & torch.isfinite(scale)).all()):
            raise InputError(
                f"values whose sum and range fit {values.dtype}",
                f"values from {float(summary.low.min()):.3g} to {float(summary.high.max()):.3g}",
                "express the values in a larger unit",
                location,
            )
        largest = float((summary.high - summary.low).max())
        if largest and not LEAST < largest < MOST:
            raise InputError(
                f"values that differ by more than {LEAST:g} and less than {MOST:g}",
                f"differences up to {largest:.3g}",
                f"express the values in a {'larger' if largest > 1 else 'smaller'} unit",
                location,
            )
        return Normalisation(offset, scale, per_channel)

    def apply(self, values: Tensor) -> Tensor:
        """Map physical values (..., C) to normalised values, in the input's precision."""
        return ((values - self.offset.to(values)) / self.scale.to(values)).to(values.dtype)

    def restore(self, normalised: Tensor) -> Tensor:
        """Map normalised values (..., C) back to physical values, in the input's precision."""
        return (normalised * self.scale.to(normalised) + self.offset.to(normalised)).to(normalised.dtype)

"""Cosines and sines of fixed frequencies, with phases that stay exact."""

from __future__ import annotations

import math
from abc import ABC

import torch
from torch import Tensor

from overtone.nn.checks import last_axis
from overtone.nn.encodings.encoding import Encoding

CACHED = 1 << 16
"""Phases that fit into a CPU's cache together with what is computed from them (half a MiB in float64)."""


def cycles(coords: Tensor, frequencies: Tensor) -> Tensor:
    """Phases B v in cycles, less their nearest whole number.

    Summed axis by axis rather than as a matrix product, which reduced-precision modes (TF32, autocast) would
    round to 11 bits or fewer.

    Args:
        coords: (..., d), float32 or float64.
        frequencies: (m, d) of the same dtype.

    Returns:
        (..., m) in [-1/2, 1/2].
    """
    phase = coords[..., :1] * frequencies[:, 0]
    for axis in range(1, frequencies.shape[1]):
        phase = phase + coords[..., axis : axis + 1] * frequencies[:, axis]
    return phase - phase.round()


class Fourier(Encoding, ABC):
    """gamma(v) = [cos(2 pi B v), sin(2 pi B v)] with the rows of B in cycles per unit.

    Phases are computed in the coordinates' precision and at least in float32, whatever the network's
    precision.

    Args:
        frequencies: (m, d) matrix B, in cycles per unit.
    """

    frequencies: Tensor

    def __init__(self, frequencies: Tensor) -> None:
        super().__init__()
        self.in_features = frequencies.shape[1]
        self.out_features = 2 * frequencies.shape[0]
        self.domain = (0.0, 1.0)
        self.register_buffer("frequencies", frequencies.to(torch.float32))

    def forward(self, coords: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Encode coordinates (..., d) as (..., 2 m): all cosines, then all sines. See `Encoding.forward`."""
        last_axis(coords, self.in_features, "coordinates")
        least = torch.promote_types(coords.dtype, torch.float32)
        out = dtype or (coords.dtype if coords.is_floating_point() else least)
        exact = torch.promote_types(least, out)
        frequencies = self.frequencies.to(exact)
        rows = coords.to(exact).reshape(-1, self.in_features)
        parts = [_waves(part, frequencies, out) for part in rows.split(_part_size(rows, frequencies))]
        features = parts[0] if len(parts) == 1 else torch.cat(parts)
        return features.reshape(*coords.shape[:-1], self.out_features)


def _waves(coords: Tensor, frequencies: Tensor, out: torch.dtype) -> Tensor:
    """[cos, sin](2 pi B v) of (n, d) coordinates, rounded to `out` at the end."""
    angle = 2 * math.pi * cycles(coords, frequencies).to(torch.promote_types(out, torch.float32))
    return torch.cat([angle.cos(), angle.sin()], dim=-1).to(out)


def _part_size(coords: Tensor, frequencies: Tensor) -> int:
    """Rows to encode at once: on a CPU as many as keep the phases in its cache, else all of them."""
    if coords.device.type != "cpu" or torch.compiler.is_compiling():
        return max(1, len(coords))
    return max(1, CACHED // len(frequencies))


def share_bandwidth(frequencies: Tensor) -> tuple[float, ...]:
    """Bandwidth per axis of features of equal power with known frequencies.

    Args:
        frequencies: (m, d) in cycles per unit.

    Returns:
        Per axis, the least of the nonzero |frequencies| that, with those below, holds 90 % of them; 0 for an
        axis along which nothing varies.
    """
    found = []
    for axis in frequencies.detach().double().abs().T:
        moving = axis[axis > 0].sort().values
        found.append(moving[-(-9 * len(moving) // 10) - 1].item() if len(moving) else 0.0)
    return tuple(found)

"""Cosines and sines of fixed frequencies, with phases that stay exact."""

from __future__ import annotations

import math
from abc import ABC

import torch
from torch import Tensor

from overtone.nn.checks import last_axis
from overtone.nn.encodings.encoding import Encoding

SINGLE = 256.0
"""Cycles across the domain up to which float32 phases do: their error stays below 2 pi 256 2^-23 = 2e-4 radians."""


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

    Phases are computed in the coordinates' precision and at least in float32, whatever the network's precision. Where
    float64 coordinates within the domain meet no frequency above 256 cycles and float32 features are asked for, the
    phases are float32 too: there they lose less than the features do by training in float32.

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
        self._note_reach()
        self.register_load_state_dict_post_hook(lambda module, _: module._note_reach())

    def _note_reach(self) -> None:
        self._reach = float(self.frequencies.detach().abs().sum(1).max())

    def forward(self, coords: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Encode coordinates (..., d) as (..., 2 m): all cosines, then all sines. See `Encoding.forward`."""
        last_axis(coords, self.in_features, "coordinates")
        least = torch.promote_types(coords.dtype, torch.float32)
        out = dtype or (coords.dtype if coords.is_floating_point() else least)
        wanted = torch.promote_types(out, torch.float32)
        single = dtype is not None and wanted == torch.float32 and self._reach <= SINGLE
        exact = torch.float32 if single else torch.promote_types(least, out)
        phase = cycles(coords.to(exact), self.frequencies.to(exact)).to(wanted)
        angle = 2 * math.pi * phase
        return torch.cat([angle.cos(), angle.sin()], dim=-1).to(out)


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

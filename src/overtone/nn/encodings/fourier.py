"""Cosines and sines of known frequencies, with phases that stay exact."""

from __future__ import annotations

import copy
import math
from abc import ABC
from typing import Any, Self

import torch
from torch import Tensor

from overtone.nn.checks import Numbers, last_axis, per_axis
from overtone.nn.encodings.encoding import Encoding, precisions
from overtone.nn.encodings.window import cosine_window, factors
from overtone.units import weighted_bandwidth

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
    """gamma(v) = g [cos(2 pi B v), sin(2 pi B v)] with the rows of B in cycles per unit and a gain g for each row.

    The gain is 1 unless a window fades high frequencies out. Phases are computed in the coordinates' precision and at
    least in float32, whatever the network's precision. Where float64 coordinates within the domain meet no frequency
    above 256 cycles and float32 features are asked for, the phases are float32 too: there they lose less than the
    features do by training in float32.

    Args:
        frequencies: (m, d) matrix B, in cycles per unit.
        amplitudes: (m,) gains before any window; 1 unless given.
    """

    frequencies: Tensor
    gain: Tensor
    amplitudes: Tensor | None

    def __init__(self, frequencies: Tensor, amplitudes: Tensor | None = None) -> None:
        super().__init__()
        self.in_features = frequencies.shape[1]
        self.out_features = 2 * frequencies.shape[0]
        self.domain = (0.0, 1.0)
        self._hold(frequencies.to(torch.float32))
        self.register_buffer("amplitudes", None if amplitudes is None else amplitudes.to(torch.float32))
        self.register_buffer("gain", self._open())
        self._note()
        self.register_load_state_dict_pre_hook(_older)
        self.register_load_state_dict_post_hook(lambda module, _: module._note())

    def _hold(self, frequencies: Tensor) -> None:
        """Keep the frequencies; called once."""
        self.register_buffer("frequencies", frequencies)

    def _open(self) -> Tensor:
        rows = self.out_features // 2
        return torch.ones(rows, device="cpu") if self.amplitudes is None else self.amplitudes.clone()

    def _note(self) -> None:
        """Take down what decides the way of computing, so that nothing waits for a device in `forward`."""
        self._reach = self._highest()
        self._plain = bool((self.gain == 1).all())

    def _highest(self) -> float:
        """Bound of the sum of |B| along a row."""
        return float(self.frequencies.detach().abs().sum(1).max())

    def window(self, cutoff: Numbers | None) -> None:
        """Fade out, in place, what lies above `cutoff`; see `cosine_window`.

        Args:
            cutoff: The frequency from which on nothing passes, in cycles per unit, one or one per axis; None lets
                everything pass again.

        Raises:
            InputError: If the number of cutoffs is wrong, or one is not positive and finite.
        """
        gain = self._open().to(self.gain.device)
        if cutoff is not None:
            gain = gain * cosine_window(self.frequencies, cutoff)
        self.gain.copy_(gain)
        self._note()

    def rescale(self, factor: Numbers) -> None:
        """Multiply all frequencies, and so the bandwidth, in place.

        Args:
            factor: One for all axes or one per axis.

        Raises:
            InputError: If the number of factors is wrong, or one is not positive and finite.
        """
        self._rescale(
            torch.tensor(per_axis(factor, self.in_features, "factor"), dtype=torch.float64, device="cpu")
        )
        self._note()

    def _rescale(self, factor: Tensor) -> None:
        self.frequencies.copy_(self.frequencies.double() * factor.to(self.frequencies.device))

    def with_bandwidth(self, bandwidth: Numbers) -> Self:
        """A copy, its frequencies multiplied so that it reaches `bandwidth`. See `Encoding.with_bandwidth`."""
        found = copy.deepcopy(self)
        found.rescale(factors(bandwidth, self.bandwidth))
        return found

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Per axis, the least nonzero frequency that with those below holds 90 % of the features' power."""
        if self._plain:
            return share_bandwidth(self.frequencies)
        power = self.gain.double().square().cpu()
        return tuple(weighted_bandwidth(axis, power) for axis in self.frequencies.detach().double().cpu().T)

    def forward(self, coords: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Encode coordinates (..., d) as (..., 2 m): all cosines, then all sines. See `Encoding.forward`."""
        last_axis(coords, self.in_features, "coordinates")
        exact, out = precisions(coords, dtype, self._reach <= SINGLE)
        wanted = torch.promote_types(out, torch.float32)
        angle = 2 * math.pi * cycles(coords.to(exact), self.frequencies.to(exact)).to(wanted)
        if self._plain:
            return torch.cat([angle.cos(), angle.sin()], dim=-1).to(out)
        gain = self.gain.to(wanted)
        return torch.cat([gain * angle.cos(), gain * angle.sin()], dim=-1).to(out)


def _older(module: Fourier, state: dict[str, Any], prefix: str, *_: object) -> None:
    """States stored before there were windows let everything pass."""
    state.setdefault(prefix + "gain", module._open())


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

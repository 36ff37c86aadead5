"""Fourier features with fixed frequencies: Gaussian, positional, power-law and basic."""

from __future__ import annotations

import copy
import math
from abc import ABC
from collections.abc import Sequence
from typing import Any, Self, final

import torch
from torch import Tensor

from overtone import units
from overtone.errors import InputError
from overtone.nn._utils import Numbers, Seed, generator, last_axis, per_axis, size
from overtone.nn.encodings._base import Encoding, cosine_window, factors, precisions
from overtone.units._bandwidth import power_law_bandwidth, weighted_bandwidth

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
        self._highest_sum = self._highest()
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
        new = copy.deepcopy(self)
        new.rescale(factors(bandwidth, self.bandwidth))
        return new

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
        exact, out = precisions(coords, dtype, self._highest_sum <= SINGLE)
        working = torch.promote_types(out, torch.float32)
        angle = 2 * math.pi * cycles(coords.to(exact), self.frequencies.to(exact)).to(working)
        if self._plain:
            return torch.cat([angle.cos(), angle.sin()], dim=-1).to(out)
        gain = self.gain.to(working)
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
    bandwidths = []
    for axis in frequencies.detach().double().abs().T:
        moving = axis[axis > 0].sort().values
        bandwidths.append(moving[-(-9 * len(moving) // 10) - 1].item() if len(moving) else 0.0)
    return tuple(bandwidths)


@final
class Gaussian(Fourier):
    """gamma(v) = [cos(2 pi B v), sin(2 pi B v)] with B_ij ~ N(0, sigma_j^2), fixed.

    Tancik et al. 2020, equation 5; they take sigma = 10 for photographs and 14 for pictures of text, with 256
    features on [0, 1).

    Args:
        in_features: d, the number of coordinates.
        features: m, the number of frequencies; the encoding has 2 m outputs.
        sigma: Standard deviation of the frequencies in cycles per unit, one for all axes or one per axis.
        seed: A seed, or the generator to draw B from.

    Raises:
        InputError: If a size is below 1, the number of sigmas is wrong, or one is not positive and finite.
    """

    sigma: Tensor

    def __init__(self, in_features: int, features: int, sigma: Numbers, seed: Seed = 0) -> None:
        axes, rows = size(in_features, "in_features"), size(features, "features")
        spread = torch.tensor(per_axis(sigma, axes, "sigma"), dtype=torch.float64, device="cpu")
        source = generator(seed, "frequencies")
        frequencies = torch.randn(rows, axes, generator=source, dtype=torch.float64, device=source.device)
        super().__init__(frequencies.cpu() * spread)
        self.register_buffer("sigma", spread)

    @staticmethod
    def from_bandwidth(in_features: int, features: int, bandwidth: Numbers, seed: Seed = 0) -> Gaussian:
        """The encoding with the given bandwidth, sigma = bandwidth / 1.6449.

        Args:
            in_features: d, the number of coordinates.
            features: m, the number of frequencies.
            bandwidth: In cycles per unit of the coordinate in [0, 1), one for all axes or one per axis.
            seed: A seed, or the generator to draw B from.

        Returns:
            The encoding.

        Raises:
            InputError: If a size is below 1, the number of bandwidths is wrong, or one is not positive and
                finite.
        """
        bandwidths = per_axis(bandwidth, size(in_features, "in_features"), "bandwidth")
        return Gaussian(in_features, features, [units.gaussian_sigma(b) for b in bandwidths], seed)

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """1.6449 sigma per axis, in cycles per unit; under a window, that of the frequencies that pass.

        That of the distribution; of 256 drawn frequencies it differs by about 6 %, of 1024 by 3 %.
        """
        if not self._plain:
            return super().bandwidth
        return tuple(units.gaussian_bandwidth(s) for s in self.sigma.tolist())

    def _rescale(self, factor: Tensor) -> None:
        super()._rescale(factor)
        self.sigma.mul_(factor.to(self.sigma.device))

    def describe(self) -> str:
        """One line for titles and records."""
        spread = self.sigma.tolist()
        shown = ", ".join(f"{s:.4g}" for s in (spread[:1] if len(set(spread)) == 1 else spread))
        return f"Gaussian({len(self.frequencies)} features, sigma {shown})"


@final
class Basic(Fourier):
    """gamma(v) = [cos(2 pi v), sin(2 pi v)] per axis, which wraps the domain into a circle.

    "Basic" in Tancik et al. 2020, section 6.

    Args:
        in_features: d, the number of coordinates.
    """

    def __init__(self, in_features: int) -> None:
        super().__init__(torch.eye(size(in_features, "in_features"), device="cpu"))

    def describe(self) -> str:
        """One line for titles and records."""
        bandwidths = share_bandwidth(self.frequencies)
        return (
            "Basic"
            if set(bandwidths) == {1.0}
            else f"Basic({', '.join(f'{b:.4g}' for b in bandwidths)} cycles)"
        )


@final
class Positional(Fourier):
    """gamma(v) = [cos(2 pi b v_i), sin(2 pi b v_i)] for each axis i and each of its frequencies b.

    Args:
        frequencies: Per axis, its frequencies in cycles per unit.

    Raises:
        InputError: If there is no axis, an axis without a frequency, or a negative or non-finite frequency.
    """

    def __init__(self, frequencies: Sequence[Sequence[float]]) -> None:
        if len(frequencies) == 0 or any(len(axis) == 0 for axis in frequencies):
            raise InputError(
                "frequencies for each axis", f"{frequencies}", "pass one list per axis", "frequencies"
            )
        if not all(math.isfinite(b) and b >= 0 for axis in frequencies for b in axis):
            raise InputError(
                "finite frequencies of at least 0", f"{frequencies}", "pass cycles per unit", "frequencies"
            )
        rows = [(i, float(b)) for i, axis in enumerate(frequencies) for b in axis]
        matrix = torch.zeros(len(rows), len(frequencies), dtype=torch.float64, device="cpu")
        for row, (i, b) in enumerate(rows):
            matrix[row, i] = b
        super().__init__(matrix)

    @staticmethod
    def log_linear(in_features: int, count: int, scale: Numbers) -> Positional:
        """Frequencies 2^linspace(0, S, m) - 1 per axis, from 0 to 2^S - 1.

        The "positional encoding" of the reference notebooks of Tancik et al. 2020.

        Args:
            in_features: d, the number of coordinates.
            count: m, frequencies per axis, at least 2.
            scale: S, one for all axes or one per axis.

        Returns:
            The encoding, for coordinates in [0, 1).

        Raises:
            InputError: If a size is too small, the number of scales is wrong, or one is not positive and
                finite.
        """
        size(count, "count", minimum=2)
        exponents = [s / (count - 1) for s in per_axis(scale, size(in_features, "in_features"), "scale")]
        return Positional([[2 ** (step * j) - 1 for j in range(count)] for step in exponents])

    @staticmethod
    def octaves(in_features: int, count: int | Sequence[int], first: float = 1.0) -> Positional:
        """Frequencies first * 2^k, k = 0 ... L-1, per axis.

        With `first` = 1 on [0, 1) these are the features of NeRF (Mildenhall et al. 2020, equation 4: sin(2^k
        pi v) on [-1, 1]); only the sign of those with k = 0 differs.

        Args:
            in_features: d, the number of coordinates.
            count: L, one for all axes or one per axis.
            first: The lowest frequency in cycles per unit.

        Returns:
            The encoding, for coordinates in [0, 1).

        Raises:
            InputError: If a size is too small, the number of counts is wrong, or `first` is not positive and
                finite.
        """
        axes = size(in_features, "in_features")
        counts = [count] * axes if isinstance(count, int) else list(count)
        lowest = per_axis(first, 1, "first")[0]
        if len(counts) != axes:
            raise InputError(
                f"one count or one per axis ({axes})", f"{len(counts)}", f"pass {axes} counts", "count"
            )
        return Positional([[lowest * 2.0**k for k in range(size(c, "count"))] for c in counts])

    @staticmethod
    def from_bandwidth(in_features: int, count: int, bandwidth: Numbers) -> Positional:
        """The log-linear encoding with the given bandwidth.

        Args:
            in_features: d, the number of coordinates.
            count: m, frequencies per axis, at least 2.
            bandwidth: In cycles per unit of the coordinate in [0, 1), one for all axes or one per axis.

        Returns:
            The encoding.

        Raises:
            InputError: As for `log_linear`.
        """
        size(count, "count", minimum=2)
        bandwidths = per_axis(bandwidth, size(in_features, "in_features"), "bandwidth")
        return Positional.log_linear(
            in_features, count, [units.log_linear_scale(b, count) for b in bandwidths]
        )

    def describe(self) -> str:
        """One line for titles and records."""
        top = self.frequencies.amax(dim=0).tolist()
        highest = ", ".join(f"{b:.4g}" for b in (top[:1] if len(set(top)) == 1 else top))
        return f"Positional({len(self.frequencies)} frequencies up to {highest})"


@final
class PowerLaw(Fourier):
    """gamma(v) = j^-p [cos(2 pi j b v_i), sin(2 pi j b v_i)] for each axis i and j = 1 ... m.

    The weighted features of Tancik et al. 2020, section 4 and their one-dimensional experiments, there with
    p in {0, 0.5, 1, 1.5, 2, infinity}. With b = 1 the features are periodic on [0, 1). Large p is nearly the
    `Basic` encoding.

    Args:
        in_features: d, the number of coordinates.
        count: m, frequencies per axis.
        power: p, the decay of the amplitudes; 0 for none.
        first: b, the lowest frequency in cycles per unit, one for all axes or one per axis.

    Raises:
        InputError: If a size is below 1, `power` is negative or not finite, the number of lowest frequencies is
            wrong, or one is not positive and finite.
    """

    def __init__(self, in_features: int, count: int, power: float, first: Numbers = 1.0) -> None:
        axes, rows = size(in_features, "in_features"), size(count, "count")
        if not 0 <= power < float("inf"):
            raise InputError("a finite decay of at least 0", repr(power), "pass for instance 1.0", "power")
        j = torch.arange(1, rows + 1, dtype=torch.float64, device="cpu")
        lowest = torch.tensor(per_axis(first, axes, "first"), dtype=torch.float64, device="cpu")
        matrix = torch.einsum("ij,m->imj", torch.diag(lowest), j).reshape(-1, axes)
        super().__init__(matrix, (j**-power).repeat(axes))
        self.count = rows
        self.register_buffer("power", torch.tensor(float(power), dtype=torch.float64, device="cpu"))

    power: Tensor

    @staticmethod
    def from_bandwidth(in_features: int, count: int, power: float, bandwidth: Numbers) -> PowerLaw:
        """The encoding with the given bandwidth, by its lowest frequency.

        Args:
            in_features: d, the number of coordinates.
            count: m, frequencies per axis.
            power: p, the decay of the amplitudes.
            bandwidth: In cycles per unit, one for all axes or one per axis.

        Returns:
            The encoding.

        Raises:
            InputError: As for the class.
        """
        bandwidths = per_axis(bandwidth, size(in_features, "in_features"), "bandwidth")
        rank = power_law_bandwidth(size(count, "count"), power)
        return PowerLaw(in_features, count, power, [b / rank for b in bandwidths])

    def describe(self) -> str:
        """One line for titles and records."""
        return f"PowerLaw({self.count} frequencies per axis, p {float(self.power):g})"

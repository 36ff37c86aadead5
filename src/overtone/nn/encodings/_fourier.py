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
from overtone.nn._utils import Numbers, Seed, check_count, check_last_axis, positive_per_axis, torch_generator
from overtone.nn.encodings._base import Encoding, cosine_window, phase_and_output_dtype, rescaling_factors
from overtone.units._bandwidth import power_law_bandwidth, weighted_bandwidth

MAX_FLOAT32_CYCLES = 256.0
"""Cycles across the domain up to which float32 phases suffice: their error is below 2 pi 256 2^-23 = 2e-4 radians."""


def wrapped_phase(coords: Tensor, frequencies: Tensor) -> Tensor:
    """Return the phases B v in cycles, reduced to [-1/2, 1/2].

    The sum runs axis by axis instead of a matrix product, which reduced-precision modes (TF32, autocast) would round
    to 11 bits or fewer.

    Args:
        coords: (..., d), float32 or float64.
        frequencies: (m, d) of the same dtype.

    Returns:
        (..., m) in [-1/2, 1/2].
    """
    phase = coords[..., :1] * frequencies[:, 0]
    for axis in range(1, frequencies.shape[1]):
        phase = phase + coords[..., axis : axis + 1] * frequencies[:, axis]
    # Whole cycles vanish exactly here; after the factor 2 pi they would cost bits of the sine's argument.
    return phase - phase.round()


class FourierEncoding(Encoding, ABC):
    """Base class of gamma(v) = g [cos(2 pi B v), sin(2 pi B v)] with B in cycles per unit and a gain g for each row.

    The gain is 1 unless a window attenuates high frequencies. Phases are computed in the coordinates' precision and in
    float32 at least, whatever the network's precision. For float64 coordinates and float32 features, the phases are
    float32 if no frequency exceeds 256 cycles: they then lose less than the features do by training in float32.

    Args:
        frequencies: (m, d) matrix B, in cycles per unit.
        amplitudes: (m,) gains without a window; 1 by default.

    Example:
        >>> import torch
        >>> from overtone.nn.encodings import FourierEncoding
        >>> class Diagonal(FourierEncoding):
        ...     def __init__(self):
        ...         super().__init__(torch.tensor([[1.0, 1.0]]))
        ...     def describe(self):
        ...         return "Diagonal"
        >>> Diagonal()(torch.tensor([[0.5, 0.5]]))
        tensor([[1., 0.]])
    """

    frequencies: Tensor
    gain: Tensor
    amplitudes: Tensor | None

    def __init__(self, frequencies: Tensor, amplitudes: Tensor | None = None) -> None:
        super().__init__()
        self.in_features = frequencies.shape[1]
        self.out_features = 2 * frequencies.shape[0]
        self.domain = (0.0, 1.0)
        self._register_frequencies(frequencies.to(torch.float32))
        self.register_buffer("amplitudes", None if amplitudes is None else amplitudes.to(torch.float32))
        self.register_buffer("gain", self._unwindowed_gain())
        self._cache_flags()
        self.register_load_state_dict_pre_hook(_add_missing_gain)
        self.register_load_state_dict_post_hook(lambda module, _: module._cache_flags())

    def _register_frequencies(self, frequencies: Tensor) -> None:
        """Store the frequencies; trained encodings override this."""
        self.register_buffer("frequencies", frequencies)

    def _unwindowed_gain(self) -> Tensor:
        rows = self.out_features // 2
        return torch.ones(rows, device="cpu") if self.amplitudes is None else self.amplitudes.clone()

    def _cache_flags(self) -> None:
        """Store the facts that choose the branch in `forward`, which then needs no synchronisation with a device."""
        self._max_phase_cycles = self._max_cycles()
        self._unit_gain = bool((self.gain == 1).all())

    def _max_cycles(self) -> float:
        """Return the largest sum of |B| along a row, the cycles across a unit domain."""
        return float(self.frequencies.detach().abs().sum(1).max())

    def window(self, cutoff: Numbers | None) -> None:
        """Attenuate, in place, the frequencies above `cutoff`, along half a cosine over the octave below it.

        Args:
            cutoff: The frequency above which the gain is 0, in cycles per unit, one or one per axis; None removes
                the window.

        Raises:
            InputError: If the number of cutoffs is wrong, or one is not positive and finite.

        Example:
            >>> from overtone.nn.encodings import Positional
            >>> encoding = Positional.octaves(1, 4)
            >>> encoding.window(4.0)
            >>> encoding.gain.tolist()
            [1.0, 1.0, 0.0, 0.0]
        """
        gain = self._unwindowed_gain().to(self.gain.device)
        if cutoff is not None:
            gain = gain * cosine_window(self.frequencies, cutoff)
        self.gain.copy_(gain)
        self._cache_flags()

    def rescale(self, factor: Numbers) -> None:
        """Multiply all frequencies, and so the bandwidth, in place.

        Args:
            factor: One for all axes or one per axis.

        Raises:
            InputError: If the number of factors is wrong, or one is not positive and finite.
        """
        self._rescale(
            torch.tensor(
                positive_per_axis(factor, self.in_features, "factor"), dtype=torch.float64, device="cpu"
            )
        )
        self._cache_flags()

    def _rescale(self, factor: Tensor) -> None:
        self.frequencies.copy_(self.frequencies.double() * factor.to(self.frequencies.device))

    def with_bandwidth(self, bandwidth: Numbers) -> Self:
        """Return a copy with multiplied frequencies; see `Encoding.with_bandwidth`."""
        new = copy.deepcopy(self)
        new.rescale(rescaling_factors(bandwidth, self.bandwidth))
        return new

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Per axis, the lowest nonzero frequency up to which 90 % of the features' power lies."""
        if self._unit_gain:
            return equal_power_bandwidth(self.frequencies)
        power = self.gain.double().square().cpu()
        return tuple(weighted_bandwidth(axis, power) for axis in self.frequencies.detach().double().cpu().T)

    def forward(self, coords: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return the features (..., 2 m), all cosines and then all sines; see `Encoding.forward`."""
        check_last_axis(coords, self.in_features, "coordinates")
        phase_dtype, out = phase_and_output_dtype(coords, dtype, self._max_phase_cycles <= MAX_FLOAT32_CYCLES)
        working = torch.promote_types(out, torch.float32)
        angle = (
            2 * math.pi * wrapped_phase(coords.to(phase_dtype), self.frequencies.to(phase_dtype)).to(working)
        )
        # Without a window a product by ones is saved in every step.
        if self._unit_gain:
            return torch.cat([angle.cos(), angle.sin()], dim=-1).to(out)
        gain = self.gain.to(working)
        return torch.cat([gain * angle.cos(), gain * angle.sin()], dim=-1).to(out)


def _add_missing_gain(module: FourierEncoding, state: dict[str, Any], prefix: str, *_: object) -> None:
    """Add the gain to a state that was stored without one: no window."""
    state.setdefault(prefix + "gain", module._unwindowed_gain())


def equal_power_bandwidth(frequencies: Tensor) -> tuple[float, ...]:
    """Return the bandwidth per axis of features of equal power.

    Args:
        frequencies: (m, d) in cycles per unit.

    Returns:
        Per axis, the lowest of the nonzero |frequencies| up to which 90 % of them lie; 0 for an axis without a
        nonzero frequency.
    """
    bandwidths = []
    for axis in frequencies.detach().double().abs().T:
        varying = axis[axis > 0].sort().values
        # -(-9 m // 10) is ceil(0.9 m) in exact integers.
        bandwidths.append(varying[-(-9 * len(varying) // 10) - 1].item() if len(varying) else 0.0)
    return tuple(bandwidths)


@final
class Gaussian(FourierEncoding):
    """Random Fourier features [cos(2 pi B v), sin(2 pi B v)] with fixed B_ij ~ N(0, sigma_j^2).

    Tancik et al. 2020, equation 5; they take sigma = 10 for photographs and 14 for images of text, with 256
    features on [0, 1).

    Args:
        in_features: d, the number of coordinates.
        features: m, the number of frequencies; the encoding has 2 m outputs.
        sigma: Standard deviation of the frequencies in cycles per unit, one for all axes or one per axis.
        seed: A seed or a generator, for B.

    Raises:
        InputError: If a size is below 1, the number of sigmas is wrong, or one is not positive and finite.

    Example:
        >>> import torch
        >>> from overtone.nn.encodings import Gaussian
        >>> encoding = Gaussian(2, 256, sigma=10.0, seed=0)
        >>> encoding(torch.zeros(5, 2)).shape, round(encoding.bandwidth[0], 2)
        (torch.Size([5, 512]), 16.45)
    """

    sigma: Tensor

    def __init__(self, in_features: int, features: int, sigma: Numbers, seed: Seed = 0) -> None:
        axes, rows = check_count(in_features, "in_features"), check_count(features, "features")
        sigmas = torch.tensor(positive_per_axis(sigma, axes, "sigma"), dtype=torch.float64, device="cpu")
        source = torch_generator(seed, "frequencies")
        # Drawn in float64 and scaled afterwards: the same seed gives the same directions for any sigma.
        frequencies = torch.randn(rows, axes, generator=source, dtype=torch.float64, device=source.device)
        super().__init__(frequencies.cpu() * sigmas)
        self.register_buffer("sigma", sigmas)

    @staticmethod
    def from_bandwidth(in_features: int, features: int, bandwidth: Numbers, seed: Seed = 0) -> Gaussian:
        """Return an encoding with a bandwidth, sigma = bandwidth / 1.6449.

        Args:
            in_features: d, the number of coordinates.
            features: m, the number of frequencies.
            bandwidth: In cycles per unit of the coordinate in [0, 1), one for all axes or one per axis.
            seed: A seed or a generator, for B.

        Returns:
            The encoding.

        Raises:
            InputError: If a size is below 1, the number of bandwidths is wrong, or one is not positive and
                finite.
        """
        bandwidths = positive_per_axis(bandwidth, check_count(in_features, "in_features"), "bandwidth")
        return Gaussian(in_features, features, [units.gaussian_sigma(b) for b in bandwidths], seed)

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """1.6449 sigma per axis, in cycles per unit; with a window, the bandwidth of the attenuated features.

        Without a window it is that of the distribution; 256 sampled frequencies differ from it by about 6 %, 1024 by
        3 %.
        """
        if not self._unit_gain:
            return super().bandwidth
        return tuple(units.gaussian_bandwidth(s) for s in self.sigma.tolist())

    def _rescale(self, factor: Tensor) -> None:
        super()._rescale(factor)
        self.sigma.mul_(factor.to(self.sigma.device))

    def describe(self) -> str:
        """Return one line for titles and records."""
        sigmas = self.sigma.tolist()
        shown = ", ".join(f"{s:.4g}" for s in (sigmas[:1] if len(set(sigmas)) == 1 else sigmas))
        return f"Gaussian({len(self.frequencies)} features, sigma {shown})"


@final
class Basic(FourierEncoding):
    """One cycle per axis, [cos(2 pi v), sin(2 pi v)], which wraps the domain into a circle.

    "Basic" in Tancik et al. 2020, section 6.

    Args:
        in_features: d, the number of coordinates.

    Example:
        >>> import torch
        >>> from overtone.nn.encodings import Basic
        >>> Basic(2)(torch.zeros(3, 2)).shape, Basic(2).bandwidth
        (torch.Size([3, 4]), (1.0, 1.0))
    """

    def __init__(self, in_features: int) -> None:
        super().__init__(torch.eye(check_count(in_features, "in_features"), device="cpu"))

    def describe(self) -> str:
        """Return one line for titles and records."""
        bandwidths = equal_power_bandwidth(self.frequencies)
        return (
            "Basic"
            if set(bandwidths) == {1.0}
            else f"Basic({', '.join(f'{b:.4g}' for b in bandwidths)} cycles)"
        )


@final
class Positional(FourierEncoding):
    """Positional encoding [cos(2 pi b v_i), sin(2 pi b v_i)] for each axis i and each of its frequencies b.

    Args:
        frequencies: For each axis, a list of frequencies in cycles per unit.

    Raises:
        InputError: If there is no axis, an axis without a frequency, or a negative or non-finite frequency.

    Example:
        >>> from overtone.nn.encodings import Positional
        >>> Positional([[1.0, 2.0], [4.0]]).frequencies
        tensor([[1., 0.],
                [2., 0.],
                [0., 4.]])
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
        """Return the encoding with frequencies 2^linspace(0, S, m) - 1 per axis, from 0 to 2^S - 1.

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
        check_count(count, "count", minimum=2)
        exponents = [
            s / (count - 1)
            for s in positive_per_axis(scale, check_count(in_features, "in_features"), "scale")
        ]
        return Positional([[2 ** (step * j) - 1 for j in range(count)] for step in exponents])

    @staticmethod
    def octaves(in_features: int, count: int | Sequence[int], first: float = 1.0) -> Positional:
        """Return the encoding with frequencies first * 2^k, k = 0 ... L-1, per axis.

        With `first` = 1 on [0, 1) these are the features of NeRF (Mildenhall et al. 2020, equation 4: sin(2^k
        pi v) on [-1, 1]); only the sign of the features with k = 0 differs.

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
        axes = check_count(in_features, "in_features")
        counts = [count] * axes if isinstance(count, int) else list(count)
        lowest = positive_per_axis(first, 1, "first")[0]
        if len(counts) != axes:
            raise InputError(
                f"one count or one per axis ({axes})", f"{len(counts)}", f"pass {axes} counts", "count"
            )
        return Positional([[lowest * 2.0**k for k in range(check_count(c, "count"))] for c in counts])

    @staticmethod
    def from_bandwidth(in_features: int, count: int, bandwidth: Numbers) -> Positional:
        """Return a log-linear encoding with a bandwidth.

        Args:
            in_features: d, the number of coordinates.
            count: m, frequencies per axis, at least 2.
            bandwidth: In cycles per unit of the coordinate in [0, 1), one for all axes or one per axis.

        Returns:
            The encoding.

        Raises:
            InputError: As for `log_linear`.
        """
        check_count(count, "count", minimum=2)
        bandwidths = positive_per_axis(bandwidth, check_count(in_features, "in_features"), "bandwidth")
        return Positional.log_linear(
            in_features, count, [units.log_linear_scale(b, count) for b in bandwidths]
        )

    def describe(self) -> str:
        """Return one line for titles and records."""
        top = self.frequencies.amax(dim=0).tolist()
        highest = ", ".join(f"{b:.4g}" for b in (top[:1] if len(set(top)) == 1 else top))
        return f"Positional({len(self.frequencies)} frequencies up to {highest})"


@final
class PowerLaw(FourierEncoding):
    """Weighted Fourier features j^-p [cos(2 pi j b v_i), sin(2 pi j b v_i)] for each axis i and j = 1 ... m.

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

    Example:
        >>> from overtone.nn.encodings import PowerLaw
        >>> PowerLaw(1, 4, power=1.0).gain
        tensor([1.0000, 0.5000, 0.3333, 0.2500])
    """

    power: Tensor

    def __init__(self, in_features: int, count: int, power: float, first: Numbers = 1.0) -> None:
        axes, rows = check_count(in_features, "in_features"), check_count(count, "count")
        if not 0 <= power < float("inf"):
            raise InputError("a finite decay of at least 0", repr(power), "pass for instance 1.0", "power")
        j = torch.arange(1, rows + 1, dtype=torch.float64, device="cpu")
        lowest = torch.tensor(positive_per_axis(first, axes, "first"), dtype=torch.float64, device="cpu")
        # Row (i, j) is the frequency j b along axis i and 0 along the others.
        matrix = torch.einsum("ij,m->imj", torch.diag(lowest), j).reshape(-1, axes)
        super().__init__(matrix, (j**-power).repeat(axes))
        self.count = rows
        self.register_buffer("power", torch.tensor(float(power), dtype=torch.float64, device="cpu"))

    @staticmethod
    def from_bandwidth(in_features: int, count: int, power: float, bandwidth: Numbers) -> PowerLaw:
        """Return an encoding with a bandwidth by choosing its lowest frequency.

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
        bandwidths = positive_per_axis(bandwidth, check_count(in_features, "in_features"), "bandwidth")
        rank = power_law_bandwidth(check_count(count, "count"), power)
        return PowerLaw(in_features, count, power, [b / rank for b in bandwidths])

    def describe(self) -> str:
        """Return one line for titles and records."""
        return f"PowerLaw({self.count} frequencies per axis, p {float(self.power):g})"

"""Fourier features with trained frequencies, and the periodic embedding of tabular features."""

from __future__ import annotations

import copy
import math
from functools import lru_cache
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from overtone import units
from overtone.nn._utils import (
    Numbers,
    Seed,
    check_count,
    check_last_axis,
    fill_uniform,
    positive_per_axis,
    torch_generator,
)
from overtone.nn.encodings._base import Encoding, cosine_window, phase_and_output_dtype, rescaling_factors
from overtone.nn.encodings._fourier import MAX_FLOAT32_CYCLES, FourierEncoding
from overtone.units._bandwidth import rectified_bandwidth
from overtone.units._frequency import positive


def bounded_frequencies(free: Tensor, limit: Tensor) -> Tensor:
    """Return the frequencies limit tanh(free / limit) of the unbounded parameter `free`; |f| stays below the limit.

    Near zero f equals `free`; the slope is positive everywhere, so no frequency gets stuck at the limit.

    Args:
        free: (m, d) parameter in cycles per unit.
        limit: (d,) in cycles per unit.

    Returns:
        (m, d) frequencies.
    """
    return limit * torch.tanh(free / limit)


def unbounded_parameters(frequencies: Tensor, limit: Tensor) -> Tensor:
    """Return the parameter of `bounded_frequencies`; frequencies are clamped to 0.99 of the limit.

    Args:
        frequencies: (m, d) in cycles per unit.
        limit: (d,) in cycles per unit.
    """
    return limit * torch.atanh((frequencies / limit).clamp(-0.99, 0.99))


FREQUENCY_HEADROOM = 2.0
"""Bound of the trained frequencies, in units of the initial bandwidth."""


@final
class Learned(FourierEncoding):
    """Fourier features [cos(2 pi B v), sin(2 pi B v)] with trained B, initially B_ij ~ N(0, sigma_j^2).

    Three measures make training stable: each frequency is bounded smoothly by twice the initial bandwidth along its
    axis, frequencies stay float32 when the network is cast, and `nn.parameter_groups` sets their learning rate
    separately. Published results disagree on whether training the frequencies helps.

    Args:
        in_features: d, the number of coordinates.
        features: m, the number of frequencies; the encoding has 2 m outputs.
        sigma: Initial standard deviation of the frequencies in cycles per unit, one for all axes or one per axis.
        seed: A seed or a generator, for B.
        lr_multiplier: Factor of the frequencies' learning rate.

    Attributes:
        free: (m, d) float32 parameter; B = limit tanh(free / limit).
        limit: (d,) bound of |B| in cycles per unit.

    Raises:
        InputError: If a size is below 1, the number of sigmas is wrong, or a number is not positive and finite.

    Example:
        >>> from overtone.nn.encodings import Learned
        >>> encoding = Learned(2, 16, sigma=5.0, seed=0)
        >>> encoding.frequencies.shape, encoding.free.requires_grad
        (torch.Size([16, 2]), True)
    """

    free: nn.Parameter
    limit: Tensor
    high_precision_parameters = ("free",)

    def __init__(
        self, in_features: int, features: int, sigma: Numbers, seed: Seed = 0, lr_multiplier: float = 1.0
    ) -> None:
        axes, rows = check_count(in_features, "in_features"), check_count(features, "features")
        sigmas = torch.tensor(positive_per_axis(sigma, axes, "sigma"), dtype=torch.float64, device="cpu")
        source = torch_generator(seed, "frequencies")
        sampled = torch.randn(rows, axes, generator=source, dtype=torch.float64, device=source.device)
        # The constructor of the base class calls `_register_frequencies`, which takes the sigmas from here.
        self._sigmas = sigmas
        super().__init__(sampled.cpu() * sigmas)
        self.lr_multipliers = {"free": positive(lr_multiplier, "lr_multiplier")}

    def _register_frequencies(self, frequencies: Tensor) -> None:
        limit = FREQUENCY_HEADROOM * units.gaussian_bandwidth(1.0) * self.__dict__.pop("_sigmas").float()
        self.register_buffer("limit", limit)
        self.register_parameter("free", nn.Parameter(unbounded_parameters(frequencies, limit)))

    @property
    def frequencies(self) -> Tensor:  # type: ignore[override]
        """(m, d) float32 frequencies in cycles per unit, as trained so far."""
        return bounded_frequencies(self.free, self.limit)

    @staticmethod
    def from_bandwidth(in_features: int, features: int, bandwidth: Numbers, seed: Seed = 0) -> Learned:
        """Return an encoding whose initial frequencies have a bandwidth.

        Args:
            in_features: d, the number of coordinates.
            features: m, the number of frequencies.
            bandwidth: In cycles per unit, one for all axes or one per axis.
            seed: A seed or a generator, for B.

        Returns:
            The encoding.

        Raises:
            InputError: As for the class.
        """
        bandwidths = positive_per_axis(bandwidth, check_count(in_features, "in_features"), "bandwidth")
        encoding = Learned(in_features, features, [units.gaussian_sigma(b) for b in bandwidths], seed)
        return encoding.with_bandwidth(bandwidths)

    def _max_cycles(self) -> float:
        return float(self.limit.sum())

    def _rescale(self, factor: Tensor) -> None:
        # Parameter and bound grow alike, so limit tanh(free / limit) is multiplied exactly.
        with torch.no_grad():
            scale = factor.to(self.free)
            self.free.mul_(scale)
            self.limit.mul_(scale)

    def describe(self) -> str:
        """Return one line for titles and records."""
        bandwidths = ", ".join(f"{b:.4g}" for b in self.limit.tolist())
        return f"Learned({len(self.free)} features, limit {bandwidths})"


TRUNCATION = 3.0
"""Truncation of the initial normal distribution, in standard deviations."""


@lru_cache(maxsize=1024)
def _bandwidth_of(frequencies: bytes, power: bytes) -> float:
    """`rectified_bandwidth` of float64 arrays; networks of one seed that differ in bandwidth begin alike."""
    return rectified_bandwidth(np.frombuffer(frequencies), np.frombuffer(power))


PERIODIC_HEADROOM = 4.0
"""Bound of the trained frequencies, in units of the truncation."""


@final
class Periodic(Encoding):
    """Periodic embedding max(0, W_i [cos(2 pi c_i v_i), sin(2 pi c_i v_i)] + b_i) of each feature i, all trained.

    The "PLR" embedding of numerical features (Gorishniy et al. 2022, section 3.3), with the settings of its reference
    code: 48 frequencies, 24 outputs and sigma = 0.01 per feature, c ~ N(0, sigma^2) truncated at 3 sigma. Standardise
    the features of a table first. A sigma that is too small costs less than one that is too large; values of 0.01 to 1
    are common. Frequencies are bounded smoothly, stay float32, and have a tenth of the learning rate in
    `nn.parameter_groups`.

    Args:
        in_features: d, the number of features of the table.
        sigma: Standard deviation of the frequencies in cycles per unit, one for all features or one for each.
        count: Frequencies per feature.
        outputs: Outputs per feature.
        seed: A seed or a generator, for frequencies and weights.

    Attributes:
        free: (d, count) float32 parameter; c = limit tanh(free / limit).
        limit: (d, 1) bound of |c| in cycles per unit.

    Raises:
        InputError: If a size is below 1, the number of sigmas is wrong, or one is not positive and finite.

    Example:
        >>> import torch
        >>> from overtone.nn.encodings import Periodic
        >>> Periodic(3, sigma=0.1)(torch.zeros(5, 3)).shape
        torch.Size([5, 72])
    """

    limit: Tensor
    gain: Tensor
    high_precision_parameters = ("free",)

    def __init__(
        self, in_features: int, sigma: Numbers = 0.01, count: int = 48, outputs: int = 24, seed: Seed = 0
    ) -> None:
        super().__init__()
        axes, waves, out = (
            check_count(in_features, "in_features"),
            check_count(count, "count"),
            check_count(outputs, "outputs"),
        )
        sigmas = torch.tensor(positive_per_axis(sigma, axes, "sigma"), dtype=torch.float64, device="cpu")[
            :, None
        ]
        source = torch_generator(seed, "frequencies")
        sampled = torch.empty(axes, waves, dtype=torch.float64, device=source.device)
        # Unit deviation first and sigma afterwards, so that a seed gives the same waves for any sigma.
        nn.init.trunc_normal_(sampled, std=1.0, a=-TRUNCATION, b=TRUNCATION, generator=source)
        self.in_features, self.out_features, self.domain = axes, axes * out, (-1.0, 1.0)
        self.lr_multipliers = {"free": 0.1}
        self.register_buffer("frequencies", None)
        self.register_buffer("limit", (PERIODIC_HEADROOM * TRUNCATION * sigmas).float())
        self.register_buffer("gain", torch.ones(axes, waves, device="cpu"))
        self.free = nn.Parameter(unbounded_parameters((sampled.cpu() * sigmas).float(), self.limit))
        self.weight = nn.Parameter(torch.empty(axes, out, 2 * waves, device="cpu"))
        self.bias = nn.Parameter(torch.empty(axes, out, device="cpu"))
        # A separate stream, so that the weights do not depend on the number of frequencies drawn before.
        mixing = torch_generator(seed, "weights")
        for part in (self.weight, self.bias):
            fill_uniform(part, 1 / math.sqrt(2 * waves), mixing)
        self._cache_flags()
        self.register_load_state_dict_post_hook(lambda module, _: module._cache_flags())

    def _cache_flags(self) -> None:
        self._float32_phases = float(self.limit.max()) <= MAX_FLOAT32_CYCLES
        self._unit_gain = bool((self.gain == 1).all())

    @staticmethod
    def from_bandwidth(
        in_features: int, bandwidth: Numbers, count: int = 48, outputs: int = 24, seed: Seed = 0
    ) -> Periodic:
        """Return an encoding whose initial frequencies have a bandwidth.

        Args:
            in_features: d, the number of features of the table.
            bandwidth: In cycles per unit, one for all features or one for each.
            count: Frequencies per feature.
            outputs: Outputs per feature.
            seed: A seed or a generator, for frequencies and weights.

        Raises:
            InputError: As for the class.
        """
        return Periodic(in_features, 1.0, count, outputs, seed).with_bandwidth(bandwidth)

    @property
    def wave_frequencies(self) -> Tensor:
        """(d, count) frequencies in cycles per unit, as trained so far."""
        return bounded_frequencies(self.free, self.limit)

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Bandwidth per feature of rectified random mixtures of its waves.

        It assumes the initial distribution of the mixing weights, so it is approximate after training.
        """
        waves, power = self.wave_frequencies.detach().double().cpu(), self.gain.double().square().cpu()
        return tuple(
            _bandwidth_of(f.numpy().tobytes(), p.numpy().tobytes()) for f, p in zip(waves, power, strict=True)
        )

    def window(self, cutoff: Numbers | None) -> None:
        """Attenuate, in place, the waves above `cutoff`, along half a cosine over the octave below it.

        Args:
            cutoff: The frequency above which the gain is 0, in cycles per unit, one or one per feature; None removes
                the window. The rectification adds frequencies above the cutoff.

        Raises:
            InputError: If the number of cutoffs is wrong, or one is not positive and finite.
        """
        self.gain.fill_(1)
        if cutoff is not None:
            limits = positive_per_axis(cutoff, self.in_features, "cutoff")
            rows = [cosine_window(f[:, None], c) for f, c in zip(self.wave_frequencies, limits, strict=True)]
            self.gain.copy_(torch.stack(rows))
        self._cache_flags()

    def rescale(self, factor: Numbers) -> None:
        """Multiply all frequencies, and so the bandwidth, in place.

        Args:
            factor: One for all features or one for each.

        Raises:
            InputError: If the number of factors is wrong, or one is not positive and finite.
        """
        scale = torch.tensor(positive_per_axis(factor, self.in_features, "factor"), device=self.limit.device)[
            :, None
        ]
        with torch.no_grad():
            self.free.mul_(scale)
            self.limit.mul_(scale)
        self._cache_flags()

    def with_bandwidth(self, bandwidth: Numbers) -> Periodic:
        """Return a copy with multiplied frequencies; see `Encoding.with_bandwidth`."""
        new = copy.deepcopy(self)
        new.rescale(rescaling_factors(bandwidth, self.bandwidth))
        return new

    def describe(self) -> str:
        """Return one line for titles and records."""
        per_feature = self.out_features // self.in_features
        sigmas = (self.limit[:, 0] / (PERIODIC_HEADROOM * TRUNCATION)).tolist()
        shown = ", ".join(f"{s:.4g}" for s in (sigmas[:1] if len(set(sigmas)) == 1 else sigmas))
        return f"Periodic({self.free.shape[1]} frequencies, sigma {shown}, {per_feature} outputs per feature)"

    def forward(self, coords: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return the outputs (..., d * outputs), feature by feature; see `Encoding.forward`."""
        check_last_axis(coords, self.in_features, "coordinates")
        phase_dtype, out = phase_and_output_dtype(coords, dtype, self._float32_phases)
        phase = coords.to(phase_dtype)[..., None] * self.wave_frequencies.to(phase_dtype)
        working = torch.promote_types(self.weight.dtype, torch.float32)
        # Phases are reduced to half a cycle first: only then is float32 precise enough for the sines.
        angle = 2 * math.pi * (phase - phase.round()).to(working)
        pair = torch.cat([angle.cos(), angle.sin()], dim=-1)
        if not self._unit_gain:
            pair = pair * self.gain.to(working).repeat(1, 2)
        mixed = torch.einsum("...ik,iok->...io", pair, self.weight.to(working)) + self.bias.to(working)
        return mixed.relu().flatten(-2).to(out)

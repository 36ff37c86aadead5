"""Fourier features whose frequencies are trained, and the periodic embedding of tables."""

from __future__ import annotations

import copy
import math
from typing import final

import torch
from torch import Tensor, nn

from overtone import units
from overtone.nn._utils import Numbers, Seed, fill_uniform, generator, last_axis, per_axis, size
from overtone.nn.encodings._base import Encoding, cosine_window, factors, precisions
from overtone.nn.encodings._fourier import SINGLE, Fourier
from overtone.units._bandwidth import rectified_bandwidth
from overtone.units._frequency import positive


def bounded(free: Tensor, limit: Tensor) -> Tensor:
    """Frequencies limit tanh(free / limit): what is trained is free, the frequency never passes the limit.

    Near zero f is `free`; the slope is positive everywhere, so no frequency gets stuck at the limit.

    Args:
        free: (m, d) parameter in cycles per unit.
        limit: (d,) in cycles per unit.

    Returns:
        (m, d) frequencies.
    """
    return limit * torch.tanh(free / limit)


def unbounded(frequencies: Tensor, limit: Tensor) -> Tensor:
    """The inverse of `bounded`; frequencies above 0.99 of the limit begin there.

    Args:
        frequencies: (m, d) in cycles per unit.
        limit: (d,) in cycles per unit.
    """
    return limit * torch.atanh((frequencies / limit).clamp(-0.99, 0.99))


HEADROOM = 2.0
"""How far above the initial bandwidth a frequency may wander."""


@final
class Learned(Fourier):
    """gamma(v) = [cos(2 pi B v), sin(2 pi B v)] with B trained, B_ij ~ N(0, sigma_j^2) at first.

    Made stable by three means: each frequency is bounded smoothly to twice the initial bandwidth along its axis,
    frequencies stay float32 when the network is cast, and `nn.parameter_groups` gives them a learning rate of their
    own. Training them is no sure gain: reports say better, equal and worse.

    Args:
        in_features: d, the number of coordinates.
        features: m, the number of frequencies; the encoding has 2 m outputs.
        sigma: Initial standard deviation of the frequencies in cycles per unit, one for all axes or one per axis.
        seed: A seed, or the generator to draw B from.
        pace: Factor of the frequencies' learning rate.

    Attributes:
        free: (m, d) float32 parameter; B = limit tanh(free / limit).
        limit: (d,) bound of |B| in cycles per unit.

    Raises:
        InputError: If a size is below 1, the number of sigmas is wrong, or a number is not positive and finite.
    """

    free: nn.Parameter
    limit: Tensor
    exact = ("free",)

    def __init__(
        self, in_features: int, features: int, sigma: Numbers, seed: Seed = 0, pace: float = 1.0
    ) -> None:
        axes, rows = size(in_features, "in_features"), size(features, "features")
        spread = torch.tensor(per_axis(sigma, axes, "sigma"), dtype=torch.float64, device="cpu")
        source = generator(seed, "frequencies")
        sampled = torch.randn(rows, axes, generator=source, dtype=torch.float64, device=source.device)
        self._spread = spread
        super().__init__(sampled.cpu() * spread)
        self.pace = {"free": positive(pace, "pace")}

    def _hold(self, frequencies: Tensor) -> None:
        limit = HEADROOM * units.gaussian_bandwidth(1.0) * self.__dict__.pop("_spread").float()
        self.register_buffer("limit", limit)
        self.register_parameter("free", nn.Parameter(unbounded(frequencies, limit)))

    @property
    def frequencies(self) -> Tensor:  # type: ignore[override]
        """(m, d) float32 present frequencies in cycles per unit."""
        return bounded(self.free, self.limit)

    @staticmethod
    def from_bandwidth(in_features: int, features: int, bandwidth: Numbers, seed: Seed = 0) -> Learned:
        """The encoding whose drawn frequencies begin with the given bandwidth.

        Args:
            in_features: d, the number of coordinates.
            features: m, the number of frequencies.
            bandwidth: In cycles per unit, one for all axes or one per axis.
            seed: A seed, or the generator to draw B from.

        Returns:
            The encoding.

        Raises:
            InputError: As for the class.
        """
        bandwidths = per_axis(bandwidth, size(in_features, "in_features"), "bandwidth")
        encoding = Learned(in_features, features, [units.gaussian_sigma(b) for b in bandwidths], seed)
        return encoding.with_bandwidth(bandwidths)

    def _highest(self) -> float:
        return float(self.limit.sum())

    def _rescale(self, factor: Tensor) -> None:
        with torch.no_grad():
            scale = factor.to(self.free)
            self.free.mul_(scale)
            self.limit.mul_(scale)

    def describe(self) -> str:
        """One line for titles and records."""
        bandwidths = ", ".join(f"{b:.4g}" for b in self.limit.tolist())
        return f"Learned({len(self.free)} features, limit {bandwidths})"


CUT = 3.0
"""Standard deviations at which the drawn frequencies are cut off."""

PERIODIC_HEADROOM = 4.0
"""How many times the cut a frequency may wander to."""


@final
class Periodic(Encoding):
    """Per feature i: max(0, W_i [cos(2 pi c_i v_i), sin(2 pi c_i v_i)] + b_i), with c_i, W_i and b_i trained.

    The "PLR" embedding of numerical features (Gorishniy et al. 2022, section 3.3), with the settings of its reference
    code: 48 frequencies, 24 outputs and sigma = 0.01 per feature, c ~ N(0, sigma^2) cut at 3 sigma. Features of a
    table should be standardised first. Too small a sigma costs less than too large a one; 0.01 to 1 are worth
    trying. Frequencies are bounded smoothly, stay float32, and have a tenth of the learning rate in
    `nn.parameter_groups`.

    Args:
        in_features: d, the number of features of the table.
        sigma: Standard deviation of the frequencies in cycles per unit, one for all features or one for each.
        count: Frequencies per feature.
        outputs: Outputs per feature.
        seed: A seed, or the generator to draw from.

    Attributes:
        free: (d, count) float32 parameter; c = limit tanh(free / limit).
        limit: (d, 1) bound of |c| in cycles per unit.

    Raises:
        InputError: If a size is below 1, the number of sigmas is wrong, or one is not positive and finite.
    """

    limit: Tensor
    gain: Tensor
    exact = ("free",)

    def __init__(
        self, in_features: int, sigma: Numbers = 0.01, count: int = 48, outputs: int = 24, seed: Seed = 0
    ) -> None:
        super().__init__()
        axes, waves, out = size(in_features, "in_features"), size(count, "count"), size(outputs, "outputs")
        spread = torch.tensor(per_axis(sigma, axes, "sigma"), dtype=torch.float64, device="cpu")[:, None]
        source = generator(seed, "frequencies")
        sampled = torch.empty(axes, waves, dtype=torch.float64, device=source.device)
        nn.init.trunc_normal_(sampled, std=1.0, a=-CUT, b=CUT, generator=source)
        self.in_features, self.out_features, self.domain = axes, axes * out, (-1.0, 1.0)
        self.pace = {"free": 0.1}
        self.register_buffer("frequencies", None)
        self.register_buffer("limit", (PERIODIC_HEADROOM * CUT * spread).float())
        self.register_buffer("gain", torch.ones(axes, waves, device="cpu"))
        self.free = nn.Parameter(unbounded((sampled.cpu() * spread).float(), self.limit))
        self.weight = nn.Parameter(torch.empty(axes, out, 2 * waves, device="cpu"))
        self.bias = nn.Parameter(torch.empty(axes, out, device="cpu"))
        mixing = generator(seed, "weights")
        for part in (self.weight, self.bias):
            fill_uniform(part, 1 / math.sqrt(2 * waves), mixing)
        self._note()
        self.register_load_state_dict_post_hook(lambda module, _: module._note())

    def _note(self) -> None:
        self._coarse = float(self.limit.max()) <= SINGLE
        self._plain = bool((self.gain == 1).all())

    @staticmethod
    def from_bandwidth(
        in_features: int, bandwidth: Numbers, count: int = 48, outputs: int = 24, seed: Seed = 0
    ) -> Periodic:
        """The encoding with the given bandwidth, by its drawn frequencies.

        Args:
            in_features: d, the number of features of the table.
            bandwidth: In cycles per unit, one for all features or one for each.
            count: Frequencies per feature.
            outputs: Outputs per feature.
            seed: A seed, or the generator to draw from.

        Raises:
            InputError: As for the class.
        """
        return Periodic(in_features, 1.0, count, outputs, seed).with_bandwidth(bandwidth)

    @property
    def waves(self) -> Tensor:
        """(d, count) present frequencies in cycles per unit."""
        return bounded(self.free, self.limit)

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Per feature, that of rectified random mixtures of its waves; see `rectified_bandwidth`.

        Training the mixing weights moves it.
        """
        waves, power = self.waves.detach().double().cpu(), self.gain.double().square().cpu()
        return tuple(rectified_bandwidth(f.numpy(), p.numpy()) for f, p in zip(waves, power, strict=True))

    def window(self, cutoff: Numbers | None) -> None:
        """Fade out, in place, what lies above `cutoff`; see `cosine_window`.

        Args:
            cutoff: The frequency from which on no wave passes, in cycles per unit, one or one per feature; None lets
                everything pass again. Rectifying adds frequencies above it.

        Raises:
            InputError: If the number of cutoffs is wrong, or one is not positive and finite.
        """
        self.gain.fill_(1)
        if cutoff is not None:
            limits = per_axis(cutoff, self.in_features, "cutoff")
            rows = [cosine_window(f[:, None], c) for f, c in zip(self.waves, limits, strict=True)]
            self.gain.copy_(torch.stack(rows))
        self._note()

    def rescale(self, factor: Numbers) -> None:
        """Multiply all frequencies, and so the bandwidth, in place.

        Args:
            factor: One for all features or one for each.

        Raises:
            InputError: If the number of factors is wrong, or one is not positive and finite.
        """
        scale = torch.tensor(per_axis(factor, self.in_features, "factor"), device=self.limit.device)[:, None]
        with torch.no_grad():
            self.free.mul_(scale)
            self.limit.mul_(scale)
        self._note()

    def with_bandwidth(self, bandwidth: Numbers) -> Periodic:
        """A copy, its frequencies multiplied so that it reaches `bandwidth`. See `Encoding.with_bandwidth`."""
        new = copy.deepcopy(self)
        new.rescale(factors(bandwidth, self.bandwidth))
        return new

    def describe(self) -> str:
        """One line for titles and records."""
        per_feature = self.out_features // self.in_features
        return f"Periodic({self.free.shape[1]} frequencies, {per_feature} outputs per feature)"

    def forward(self, coords: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Encode features (..., d) as (..., d * outputs), feature by feature. See `Encoding.forward`."""
        last_axis(coords, self.in_features, "coordinates")
        exact, out = precisions(coords, dtype, self._coarse)
        phase = coords.to(exact)[..., None] * self.waves.to(exact)
        working = torch.promote_types(self.weight.dtype, torch.float32)
        angle = 2 * math.pi * (phase - phase.round()).to(working)
        pair = torch.cat([angle.cos(), angle.sin()], dim=-1)
        if not self._plain:
            pair = pair * self.gain.to(working).repeat(1, 2)
        mixed = torch.einsum("...ik,iok->...io", pair, self.weight.to(working)) + self.bias.to(working)
        return mixed.relu().flatten(-2).to(out)

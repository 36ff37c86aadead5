"""Multiplicative filter networks with Fourier and with Gabor filters."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from itertools import repeat
from typing import Self, final

import numpy as np
import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn._networks.mfn_filters import (
    SineFilter,
    TrainedFilter,
    phases,
    power_bandwidth,
    product_power,
)
from overtone.nn._networks.mlp import NetworkBase
from overtone.nn._utils import (
    Numbers,
    Seed,
    check_count,
    check_last_axis,
    fill_uniform,
    positive_per_axis,
    torch_generator,
)
from overtone.nn.activations._base import default_initialise, uninitialised_linear
from overtone.units._bandwidth import BANDWIDTH_SHARE
from overtone.units._frequency import positive

FREQUENCY_BINS = 4096
"""Bins of the frequency axis on which the spectrum of the products is computed."""

MAX_ITERATIONS = 40
"""Iterations of `with_bandwidth`."""

TOLERANCE = 0.01
"""Relative error of the bandwidth at which `with_bandwidth` ends."""


class Multiplicative(NetworkBase, ABC):
    """Base class of multiplicative filter networks: z_0 = g_0(x), z_i = g_i(x) * (W_i z_(i-1) + b_i), linear output.

    A product of waves is a sum of waves at the sums and differences of their frequencies, so the network is a
    sum of exponentially many waves (Fathony et al. 2021, theorems 1 and 2). Linear layers are initialised as
    `torch.nn.Linear`. The coordinates should lie in [-1, 1].

    Args:
        in_features: d, the number of coordinates.
        out_features: Outputs.
        filters: g_0 .. g_depth.
        width: Waves of a filter.
        source: Generator of the initial weights.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        filters: list[TrainedFilter],
        width: int,
        source: torch.Generator,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, check_count(out_features, "out_features")
        self.width, self.depth = width, len(filters) - 1
        self.filters = nn.ModuleList(filters)
        self.linears = nn.ModuleList(uninitialised_linear(width, width) for _ in repeat(None, self.depth))
        self.output = uninitialised_linear(width, out_features)
        for linear in (*self.linears, self.output):
            default_initialise(linear, source)

    @property
    @abstractmethod
    def bandwidth(self) -> tuple[float, ...]:
        """Bandwidth per axis of all products of waves, in cycles per unit."""

    def with_bandwidth(self, cycles: Numbers) -> Self:
        """Return a copy with multiplied frequencies and the same weights.

        Args:
            cycles: The new bandwidth in cycles per unit of the coordinate, one for all axes or one per axis.

        Returns:
            The copy, its `bandwidth` within 1 % of `cycles`.

        Raises:
            InputError: If a number is not positive and finite, or below the bandwidth of the envelopes alone.
        """
        target = positive_per_axis(cycles, self.in_features, "bandwidth")
        new = copy.deepcopy(self)
        # A fixed-point iteration: envelopes widen every line by a constant, so bandwidths are not proportional to the
        # frequencies, but they grow with them.
        for _ in range(MAX_ITERATIONS):
            ratio = torch.tensor(
                [w / max(b, 1e-300) for w, b in zip(target, new.bandwidth, strict=True)], device="cpu"
            )
            if bool(((ratio - 1).abs() < TOLERANCE).all()):
                return new
            for wave in new.filters:
                assert isinstance(wave, TrainedFilter)
                wave.scale_frequencies(ratio)
        raise InputError(
            f"a bandwidth above that of the envelopes, {max(new.bandwidth):.3g} cycles per unit",
            ", ".join(f"{w:g}" for w in target),
            "use FourierMFN, or pass a higher bandwidth",
            "bandwidth",
        )

    def describe(self) -> str:
        """Return one line for titles and records, "FourierMFN 3 x 256"."""
        return f"{type(self).__name__} {self.depth} x {self.width}"

    def forward(self, features: Tensor) -> Tensor:
        """Return the values (..., out_features) at coordinates (..., d)."""
        check_last_axis(features, self.in_features, "coordinates")
        hidden = self.filters[0](features)
        for wave, linear in zip(self.filters[1:], self.linears, strict=True):
            hidden = wave(features) * linear(hidden)
        return self.output(hidden)


@final
class FourierMFN(Multiplicative):
    """A multiplicative filter network of sines sin(Omega_i x + phi_i) with trained frequencies and phases.

    Omega_i ~ U(-s, s) with s = input_scale / sqrt(d (depth + 1)) radians per unit, so that the variance of the
    sum of one frequency from each layer does not depend on the depth. Learning rates of 1e-2 to 5e-2 are usual
    with Adam.

    Args:
        in_features: d, the number of coordinates, in [-1, 1].
        out_features: Outputs.
        width: Waves of a layer.
        depth: Products; there are depth + 1 filters.
        input_scale: In radians per unit of the coordinate; 256 in the reference code for images.
        seed: A seed or a generator, for frequencies and weights.

    Raises:
        InputError: If a size is below 1 or the scale is not positive and finite.

    Example:
        >>> from overtone import nn
        >>> network = nn.FourierMFN(2, 3, width=32).with_bandwidth([20.0, 5.0])
        >>> [round(b) for b in network.bandwidth]
        [20, 5]
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        width: int = 256,
        depth: int = 3,
        input_scale: float = 256.0,
        seed: Seed = 0,
    ) -> None:
        axes, waves = check_count(in_features, "in_features"), check_count(width, "width")
        # In a product one frequency of each of the depth + 1 filters adds up, and so do their variances.
        scale = positive(input_scale, "input_scale") / math.sqrt(check_count(depth, "depth") + 1)
        source = torch_generator(seed, "weights")
        filters: list[TrainedFilter] = [SineFilter(axes, waves, scale, source) for _ in range(depth + 1)]
        super().__init__(axes, out_features, filters, waves, source)

    @staticmethod
    def from_bandwidth(
        in_features: int,
        out_features: int,
        bandwidth: Numbers,
        width: int = 256,
        depth: int = 3,
        seed: Seed = 0,
    ) -> FourierMFN:
        """Return a network with an initial bandwidth.

        Args:
            in_features: d, the number of coordinates.
            out_features: Outputs.
            bandwidth: In cycles per unit of the coordinate in [-1, 1], one for all axes or one per axis.
            width: Waves of a layer.
            depth: Products.
            seed: A seed or a generator, for frequencies and weights.

        Raises:
            InputError: If a size is below 1 or the bandwidth is not positive and finite.
        """
        return FourierMFN(in_features, out_features, width, depth, 256.0, seed).with_bandwidth(bandwidth)

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Bandwidth per axis of all products of waves, in cycles per unit.

        It takes the current frequencies and the mean square of the current weights, so it is exact in expectation for
        an untrained network and approximate after training. Frequencies are rounded to 4096 bins of their sum.
        """
        bandwidths = []
        filters = [wave.frequencies.cpu() for wave in self.filters if isinstance(wave, SineFilter)]
        for axis in range(self.in_features):
            columns = [frequency[:, axis] for frequency in filters]
            quantum = max(float(sum(column.abs().max() for column in columns)) / FREQUENCY_BINS, 1e-300)
            indices = [(column / quantum).round().long() for column in columns]
            bandwidths.append(power_bandwidth(product_power(indices, self.linears), quantum))
        return tuple(bandwidths)


SAMPLED_PRODUCTS = 16384
"""Random products of Gabor waves from which the bandwidth is estimated."""


@final
class GaborFilter(TrainedFilter):
    """The filter g(x) = exp(-|gamma| ||x - mu||^2 / 2) sin(Omega x + phi), all parameters trained.

    mu ~ U(-1, 1), gamma ~ Gamma(shape, 1), Omega ~ sqrt(gamma) U(-scale/sqrt(d), scale/sqrt(d)), phi ~ U(-pi, pi)
    (Fathony et al. 2021, section 3.2, and the reference code).

    Args:
        in_features: d.
        width: Number of waves.
        scale: In radians per unit of the coordinate, for gamma = 1.
        shape: Shape of the gamma distribution.
        source: Generator of the initial values.
    """

    def __init__(
        self, in_features: int, width: int, scale: float, shape: float, source: torch.Generator
    ) -> None:
        super().__init__()
        self.omega = nn.Parameter(torch.empty(width, in_features, device="cpu"))
        self.phase = nn.Parameter(torch.empty(width, device="cpu"))
        self.centre = nn.Parameter(torch.empty(width, in_features, device="cpu"))
        fill_uniform(self.omega, scale / math.sqrt(in_features), source)
        fill_uniform(self.phase, math.pi, source)
        fill_uniform(self.centre, 1.0, source)
        # PyTorch samples gamma distributions from its global generator only.
        seed = torch.randint(2**62, (), generator=source, device=source.device).item()
        gamma = torch.from_numpy(np.random.default_rng(int(seed)).gamma(shape, size=width))
        self.gamma = nn.Parameter(gamma.to(self.omega.dtype))
        with torch.no_grad():
            self.omega.mul_(self.gamma.sqrt().unsqueeze(-1))

    def forward(self, coords: Tensor) -> Tensor:
        """Return the waves (..., width) at coordinates (..., d)."""
        angle = phases(coords, self.omega) + self.phase
        distance = torch.zeros_like(angle)
        for axis in range(self.centre.shape[1]):
            step = coords[..., axis : axis + 1].to(angle.dtype) - self.centre[:, axis].to(angle.dtype)
            distance = distance + step * step
        return (torch.exp(-0.5 * self.gamma.abs() * distance) * torch.sin(angle)).to(coords.dtype)


@final
class GaborMFN(Multiplicative):
    """A multiplicative filter network of Gabor waves, local in the coordinate and in frequency.

    Omega as in `FourierMFN` times sqrt(gamma), gamma ~ Gamma(6 / (depth + 1), 1), so that the product of all
    envelopes has a gamma of 6 on average at every depth.

    Args:
        in_features: d, the number of coordinates, in [-1, 1].
        out_features: Outputs.
        width: Waves of a layer.
        depth: Products; there are depth + 1 filters.
        input_scale: In radians per unit of the coordinate; 256 in the reference code for images.
        seed: A seed or a generator, for frequencies and weights.

    Raises:
        InputError: If a size is below 1 or the scale is not positive and finite.

    Example:
        >>> import torch
        >>> from overtone import nn
        >>> nn.GaborMFN(2, 3, width=32, depth=2)(torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        width: int = 256,
        depth: int = 3,
        input_scale: float = 256.0,
        seed: Seed = 0,
    ) -> None:
        axes, waves = check_count(in_features, "in_features"), check_count(width, "width")
        count = check_count(depth, "depth") + 1
        scale = positive(input_scale, "input_scale") / math.sqrt(count)
        source = torch_generator(seed, "weights")
        # The gammas of a product add up, to 6 on average for a shape of 6 / count.
        filters: list[TrainedFilter] = [
            GaborFilter(axes, waves, scale, 6 / count, source) for _ in range(count)
        ]
        super().__init__(axes, out_features, filters, waves, source)

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Bandwidth per axis of all products of waves on [-1, 1]^d, in cycles per unit.

        A product of Gabor waves is a sum of Gabor waves: frequencies add with either sign, Gamma = sum gamma, and its
        power along an axis is normally distributed about that frequency with standard deviation
        sqrt(Gamma / 2) / (2 pi). The estimate takes 16384 random products, one wave per layer, from a fixed generator,
        weighted by their power in the box and the mean square of the current weights; it is within about 2 % of the
        value for all products. The constant is included, since envelopes make it part of a line of finite width.
        """
        linears = [linear for linear in self.linears if isinstance(linear, nn.Linear)]
        samples, powers = [], []
        source = torch_generator(0, "paths")
        # z_depth expanded: each bias opens a shorter product, which starts at its layer.
        for start in range(self.depth + 1):
            gain = 1.0 if start == 0 else _mean_square(linears[start - 1].bias)
            for linear in linears[start:]:
                gain *= self.width * _mean_square(linear.weight)
            line_frequencies, power = _sample_products(list(self.filters)[start:], source)
            samples.append(line_frequencies)
            # A product of m sines has the mean power 2^-m.
            powers.append(gain * power / 2.0 ** (self.depth + 1 - start))
        frequency, power = torch.cat(samples).abs(), torch.cat(powers)
        bandwidths = []
        for axis in range(self.in_features):
            # The quantile of a weighted sample: the frequency at which the sorted power reaches the share.
            order = frequency[:, axis].argsort()
            cumulative = power[order].cumsum(0)
            bandwidths.append(
                float(
                    frequency[order[torch.searchsorted(cumulative, BANDWIDTH_SHARE * cumulative[-1])], axis]
                )
            )
        return tuple(bandwidths)


def _mean_square(weight: Tensor) -> float:
    return float(weight.detach().double().square().mean())


def _sample_products(filters: list[nn.Module], source: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return frequencies (SAMPLED_PRODUCTS, d) of random products of waves, and the power of each product.

    The product of exp(-gamma_i |x - mu_i|^2 / 2) is exp(-Gamma |x - m|^2 / 2 - c / 2), m the mean of mu_i
    weighted by gamma_i, c = sum gamma_i mu_i^2 - Gamma m^2; its square is integrated over [-1, 1]^d.
    """
    frequency: Tensor | float = 0.0
    total_gamma: Tensor | float = 0.0
    first_moment: Tensor | float = 0.0
    second_moment: Tensor | float = 0.0
    for filter in filters:
        assert isinstance(filter, GaborFilter)
        chosen_wave = torch.randint(
            len(filter.gamma), (SAMPLED_PRODUCTS,), generator=source, device=source.device
        ).cpu()
        sign = 2 * torch.randint(2, (SAMPLED_PRODUCTS, 1), generator=source, device=source.device).cpu() - 1
        gamma = filter.gamma.detach().abs().double().cpu()[chosen_wave, None]
        centre = filter.centre.detach().double().cpu()[chosen_wave]
        frequency = frequency + sign * filter.frequencies.cpu()[chosen_wave]
        total_gamma, first_moment, second_moment = (
            total_gamma + gamma,
            first_moment + gamma * centre,
            second_moment + gamma * centre**2,
        )
    assert isinstance(total_gamma, Tensor)
    assert isinstance(frequency, Tensor)
    total_gamma = total_gamma.clamp(min=1e-12)
    # Completing the square gives one Gaussian about the mean centre; erf integrates its square over the box.
    mean_centre, root = first_moment / total_gamma, total_gamma.sqrt()
    inside = torch.erf(root * (1 - mean_centre)) - torch.erf(root * (-1 - mean_centre))
    power = (
        torch.exp(total_gamma * mean_centre**2 - second_moment) * inside * math.sqrt(math.pi) / (2 * root)
    ).prod(-1)
    # The line of a Gaussian envelope is Gaussian: one frequency of it is sampled per product.
    spread = torch.randn(frequency.shape, generator=source, dtype=torch.float64, device=source.device).cpu()
    return frequency + spread * (total_gamma / 2).sqrt() / (2 * math.pi), power

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
    SHARE,
    SineFilter,
    TrainedFilter,
    phases,
    power_bandwidth,
    product_power,
)
from overtone.nn._networks.mlp import NetworkBase
from overtone.nn._utils import Numbers, Seed, fill_uniform, generator, last_axis, per_axis, size
from overtone.nn.activations._base import default_initialise
from overtone.units._frequency import positive

BINS = 4096
ROUNDS = 40
TOLERANCE = 0.01


class Multiplicative(NetworkBase, ABC):
    """z_0 = g_0(x), z_i = g_i(x) * (W_i z_(i-1) + b_i), then a linear output of z_depth.

    A product of waves is a sum of waves at the sums and differences of their frequencies, so the network is a
    sum of exponentially many waves (Fathony et al. 2021, theorems 1 and 2). Linear layers begin as
    `torch.nn.Linear` does. The coordinates should lie in [-1, 1].

    Args:
        in_features: d, the number of coordinates.
        out_features: Outputs.
        filters: g_0 .. g_depth.
        width: Waves of a filter.
        source: Where the linear layers' numbers come from.
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
        self.in_features, self.out_features = in_features, size(out_features, "out_features")
        self.width, self.depth = width, len(filters) - 1
        self.filters = nn.ModuleList(filters)
        self.linears = nn.ModuleList(
            torch.nn.utils.skip_init(nn.Linear, width, width, device="cpu") for _ in repeat(None, self.depth)
        )
        self.output = torch.nn.utils.skip_init(nn.Linear, width, out_features, device="cpu")
        for linear in (*self.linears, self.output):
            default_initialise(linear, source)

    @property
    @abstractmethod
    def bandwidth(self) -> tuple[float, ...]:
        """Per axis, the 90 % point of the power of all products, in cycles per unit."""

    def with_bandwidth(self, cycles: Numbers) -> Self:
        """A copy whose frequencies are multiplied per axis until it has the bandwidth; weights stay as they are.

        Args:
            cycles: In cycles per unit of the coordinate, one for all axes or one per axis.

        Returns:
            The copy, its `bandwidth` within 1 % of what is asked.

        Raises:
            InputError: If a number is not positive and finite, or envelopes alone reach further.
        """
        target = per_axis(cycles, self.in_features, "bandwidth")
        new = copy.deepcopy(self)
        for _ in range(ROUNDS):
            ratio = torch.tensor(
                [w / max(b, 1e-300) for w, b in zip(target, new.bandwidth, strict=True)], device="cpu"
            )
            if bool(((ratio - 1).abs() < TOLERANCE).all()):
                return new
            for wave in new.filters:
                assert isinstance(wave, TrainedFilter)
                wave.stretch(ratio)
        raise InputError(
            f"a bandwidth above that of the envelopes, {max(new.bandwidth):.3g} cycles per unit",
            ", ".join(f"{w:g}" for w in target),
            "take FourierMFN, or a larger bandwidth",
            "bandwidth",
        )

    def describe(self) -> str:
        """One line for titles and records, "FourierMFN 3 x 256"."""
        return f"{type(self).__name__} {self.depth} x {self.width}"

    def forward(self, features: Tensor) -> Tensor:
        """Map coordinates (..., d) to values (..., out_features)."""
        last_axis(features, self.in_features, "coordinates")
        hidden = self.filters[0](features)
        for wave, linear in zip(self.filters[1:], self.linears, strict=True):
            hidden = wave(features) * linear(hidden)
        return self.output(hidden)


@final
class FourierMFN(Multiplicative):
    """A multiplicative filter network of sines, sin(Omega_i x + phi_i), all of it trained.

    Omega_i ~ U(-s, s) with s = input_scale / sqrt(d (depth + 1)) radians per unit, so that the variance of the
    sum of one frequency from each layer does not depend on the depth. Learning rates of 1e-2 to 5e-2 are usual
    with Adam.

    Args:
        in_features: d, the number of coordinates, in [-1, 1].
        out_features: Outputs.
        width: Waves of a layer.
        depth: Products; there are depth + 1 filters.
        input_scale: In radians per unit of the coordinate; 256 in the reference code for pictures.
        seed: A seed, or the generator to draw from.

    Raises:
        InputError: If a size is below 1 or the scale is not positive and finite.
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
        axes, waves = size(in_features, "in_features"), size(width, "width")
        scale = positive(input_scale, "input_scale") / math.sqrt(size(depth, "depth") + 1)
        source = generator(seed, "weights")
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
        """The network that begins with `bandwidth`.

        Args:
            in_features: d, the number of coordinates.
            out_features: Outputs.
            bandwidth: In cycles per unit of the coordinate in [-1, 1], one for all axes or one per axis.
            width: Waves of a layer.
            depth: Products.
            seed: A seed, or the generator to draw from.

        Raises:
            InputError: If a size is below 1 or the bandwidth is not positive and finite.
        """
        return FourierMFN(in_features, out_features, width, depth, 256.0, seed).with_bandwidth(bandwidth)

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Per axis, the 90 % point of the power of all products, in cycles per unit.

        The frequencies are the present ones; the weights count by their present size alone (see
        `product_power`), so it is the law of an untrained network and a guide after training. Frequencies are
        counted in 4096 bins of their sum.
        """
        bandwidths = []
        filters = [wave.frequencies.cpu() for wave in self.filters if isinstance(wave, SineFilter)]
        for axis in range(self.in_features):
            columns = [frequency[:, axis] for frequency in filters]
            quantum = max(float(sum(column.abs().max() for column in columns)) / BINS, 1e-300)
            indices = [(column / quantum).round().long() for column in columns]
            bandwidths.append(power_bandwidth(product_power(indices, self.linears), quantum))
        return tuple(bandwidths)


PATHS = 16384


@final
class GaborFilter(TrainedFilter):
    """g(x) = exp(-|gamma| ||x - mu||^2 / 2) sin(Omega x + phi), all of it trained.

    mu ~ U(-1, 1), gamma ~ Gamma(shape, 1), Omega ~ sqrt(gamma) U(-scale/sqrt(d), scale/sqrt(d)), phi ~ U(-pi, pi)
    (Fathony et al. 2021, section 3.2, and the reference code).

    Args:
        in_features: d.
        width: Number of waves.
        scale: In radians per unit of the coordinate, for gamma = 1.
        shape: Of the gamma distribution.
        source: Where the numbers come from.
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
        # PyTorch draws gammas from the global generator only.
        seed = torch.randint(2**62, (), generator=source, device=source.device).item()
        gamma = torch.from_numpy(np.random.default_rng(int(seed)).gamma(shape, size=width))
        self.gamma = nn.Parameter(gamma.to(self.omega.dtype))
        with torch.no_grad():
            self.omega.mul_(self.gamma.sqrt().unsqueeze(-1))

    def forward(self, coords: Tensor) -> Tensor:
        """Map coordinates (..., d) to waves (..., width)."""
        angle = phases(coords, self.omega) + self.phase
        distance = torch.zeros_like(angle)
        for axis in range(self.centre.shape[1]):
            step = coords[..., axis : axis + 1].to(angle.dtype) - self.centre[:, axis].to(angle.dtype)
            distance = distance + step * step
        return (torch.exp(-0.5 * self.gamma.abs() * distance) * torch.sin(angle)).to(coords.dtype)


@final
class GaborMFN(Multiplicative):
    """A multiplicative filter network of Gabor waves, local in place and in frequency.

    Omega as in `FourierMFN` times sqrt(gamma), gamma ~ Gamma(6 / (depth + 1), 1), so that the product of all
    envelopes has a gamma of 6 on average at every depth.

    Args:
        in_features: d, the number of coordinates, in [-1, 1].
        out_features: Outputs.
        width: Waves of a layer.
        depth: Products; there are depth + 1 filters.
        input_scale: In radians per unit of the coordinate; 256 in the reference code for pictures.
        seed: A seed, or the generator to draw from.

    Raises:
        InputError: If a size is below 1 or the scale is not positive and finite.
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
        axes, waves = size(in_features, "in_features"), size(width, "width")
        count = size(depth, "depth") + 1
        scale = positive(input_scale, "input_scale") / math.sqrt(count)
        source = generator(seed, "weights")
        filters: list[TrainedFilter] = [
            GaborFilter(axes, waves, scale, 6 / count, source) for _ in range(count)
        ]
        super().__init__(axes, out_features, filters, waves, source)

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Per axis, the 90 % point of the power on [-1, 1]^d of all products, in cycles per unit.

        A product of Gabor waves is a sum of such: frequencies add with either sign, Gamma = sum gamma, and its
        power along an axis is a normal law about that frequency with standard deviation
        sqrt(Gamma / 2) / (2 pi). 16384 products are drawn, one wave a layer, from a fixed generator of their
        own, and counted by their power in the box, the weights by their present size. The quantile of the
        drawn ones is within about 2 % of that of all. The constant is not left out: envelopes make it part
        of a line of finite width.
        """
        linears = [linear for linear in self.linears if isinstance(linear, nn.Linear)]
        samples, powers = [], []
        source = generator(0, "paths")
        for start in range(self.depth + 1):
            gain = 1.0 if start == 0 else _mean_square(linears[start - 1].bias)
            for linear in linears[start:]:
                gain *= self.width * _mean_square(linear.weight)
            lines, power = _paths(list(self.filters)[start:], source)
            samples.append(lines)
            powers.append(gain * power / 2.0 ** (self.depth + 1 - start))
        frequency, power = torch.cat(samples).abs(), torch.cat(powers)
        bandwidths = []
        for axis in range(self.in_features):
            order = frequency[:, axis].argsort()
            total = power[order].cumsum(0)
            bandwidths.append(float(frequency[order[torch.searchsorted(total, SHARE * total[-1])], axis]))
        return tuple(bandwidths)


def _mean_square(weight: Tensor) -> float:
    return float(weight.detach().double().square().mean())


def _paths(filters: list[nn.Module], source: torch.Generator) -> tuple[Tensor, Tensor]:
    """Frequencies (PATHS, d) from the lines of random products, and the power (PATHS,) of those products.

    The product of exp(-gamma_i |x - mu_i|^2 / 2) is exp(-Gamma |x - m|^2 / 2 - c / 2), m the mean of mu_i
    weighted by gamma_i, c = sum gamma_i mu_i^2 - Gamma m^2; its square is integrated over [-1, 1]^d.
    """
    frequency: Tensor | float = 0.0
    total: Tensor | float = 0.0
    first: Tensor | float = 0.0
    second: Tensor | float = 0.0
    for filter in filters:
        assert isinstance(filter, GaborFilter)
        pick = torch.randint(len(filter.gamma), (PATHS,), generator=source, device=source.device).cpu()
        sign = 2 * torch.randint(2, (PATHS, 1), generator=source, device=source.device).cpu() - 1
        gamma = filter.gamma.detach().abs().double().cpu()[pick, None]
        centre = filter.centre.detach().double().cpu()[pick]
        frequency = frequency + sign * filter.frequencies.cpu()[pick]
        total, first, second = total + gamma, first + gamma * centre, second + gamma * centre**2
    assert isinstance(total, Tensor)
    assert isinstance(frequency, Tensor)
    total = total.clamp(min=1e-12)
    middle, root = first / total, total.sqrt()
    inside = torch.erf(root * (1 - middle)) - torch.erf(root * (-1 - middle))
    power = (torch.exp(total * middle**2 - second) * inside * math.sqrt(math.pi) / (2 * root)).prod(-1)
    spread = torch.randn(frequency.shape, generator=source, dtype=torch.float64, device=source.device).cpu()
    return frequency + spread * (total / 2).sqrt() / (2 * math.pi), power

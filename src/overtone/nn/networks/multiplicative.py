"""Multiplicative filter networks: waves multiplied layer by layer, in place of activations."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from itertools import repeat
from typing import Self, final

import torch
from torch import Tensor, nn

from overtone import units
from overtone.errors import InputError
from overtone.nn.activations import default_initialise
from overtone.nn.checks import Numbers, last_axis, per_axis, size
from overtone.nn.networks.body import Body
from overtone.nn.networks.filters import SineFilter, TrainedFilter
from overtone.nn.networks.product_spectrum import power_bandwidth, product_power
from overtone.nn.seeding import Seed, generator

BINS = 4096
ROUNDS = 40
TOLERANCE = 0.01


class Multiplicative(Body, ABC):
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
        wanted = per_axis(cycles, self.in_features, "bandwidth")
        new = copy.deepcopy(self)
        for _ in range(ROUNDS):
            ratio = torch.tensor(
                [w / max(b, 1e-300) for w, b in zip(wanted, new.bandwidth, strict=True)], device="cpu"
            )
            if bool(((ratio - 1).abs() < TOLERANCE).all()):
                return new
            for wave in new.filters:
                assert isinstance(wave, TrainedFilter)
                wave.stretch(ratio)
        raise InputError(
            f"a bandwidth above that of the envelopes, {max(new.bandwidth):.3g} cycles per unit",
            ", ".join(f"{w:g}" for w in wanted),
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
        scale = units.positive(input_scale, "input_scale") / math.sqrt(size(depth, "depth") + 1)
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
        found = []
        filters = [wave.frequencies.cpu() for wave in self.filters if isinstance(wave, SineFilter)]
        for axis in range(self.in_features):
            columns = [frequency[:, axis] for frequency in filters]
            quantum = max(float(sum(column.abs().max() for column in columns)) / BINS, 1e-300)
            indices = [(column / quantum).round().long() for column in columns]
            found.append(power_bandwidth(product_power(indices, self.linears), quantum))
        return tuple(found)

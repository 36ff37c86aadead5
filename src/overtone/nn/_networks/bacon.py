"""BACON: a multiplicative filter network with an exactly band-limited output per layer."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn._networks.mfn_filters import LatticeFilter, power_bandwidth, product_power
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
from overtone.units._frequency import positive


@final
class BandLimited(NetworkBase):
    """A band-limited coordinate network (BACON): one output per layer, each with an exact band limit.

    z_0 = g_0, z_i = g_i * (W_i z_(i-1) + b_i), and after each layer an output y_i = V_i z_i + c_i. The filters g_i are
    sines of fixed frequencies up to limits_i - limits_(i-1), so y_i has no power above limits_i on any axis, whatever
    its weights. Frequencies are multiples of 1 / period, so every output has that period (Lindell et al. 2022, "BACON",
    sections 3.1 and 3.2). W ~ U(-sqrt(6/n), sqrt(6/n)), which gives all layers the same power.

    Args:
        in_features: d, the number of coordinates.
        out_features: Values of each output.
        limits: Ascending band limits in cycles per unit of the coordinate, one per output, each one number or
            one per axis; rounded down to multiples of 1 / period. There are len(limits) - 1 products.
        width: Waves of a layer.
        period: Period of the network, in units of the coordinate: 2 for [-1, 1].
        seed: A seed or a generator, for frequencies and weights.

    Raises:
        InputError: If a size is below 1, the limits do not ascend by 1 / period at least on each axis, or the
            period is not positive.

    Example:
        >>> import torch
        >>> from overtone import nn
        >>> network = nn.BandLimited(1, 1, limits=[4.0, 8.0, 16.0], width=32)
        >>> network.limits, network.all_outputs(torch.zeros(5, 1)).shape
        (((4.0,), (8.0,), (16.0,)), torch.Size([3, 5, 1]))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        limits: Sequence[Numbers],
        width: int = 256,
        period: float = 2.0,
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = (
            check_count(in_features, "in_features"),
            check_count(out_features, "out_features"),
        )
        self.width, self.period = check_count(width, "width"), positive(period, "period")
        self._multiples = _limit_multiples(limits, in_features, self.period)
        source = torch_generator(seed, "weights")
        steps = zip(((0,) * in_features, *self._multiples), self._multiples, strict=False)
        self.filters = nn.ModuleList(
            LatticeFilter(
                1 / self.period, tuple(b - a for a, b in zip(low, high, strict=True)), width, source
            )
            for low, high in steps
        )
        self.linears, self.outputs = (
            nn.ModuleList(uninitialised_linear(width, n) for n in [out] * count)
            for out, count in ((width, len(self.filters) - 1), (out_features, len(self.filters)))
        )
        # Default first, for the biases; the weights are then replaced by the wider range of the paper.
        for linear in (*self.linears, *self.outputs):
            default_initialise(linear, source)
            fill_uniform(linear.weight, math.sqrt(6 / width), source)

    @staticmethod
    def octaves(
        in_features: int,
        out_features: int,
        limit: Numbers,
        width: int = 256,
        depth: int = 3,
        period: float = 2.0,
        seed: Seed = 0,
    ) -> BandLimited:
        """Return a network with the band limits limit / 2^depth, ..., limit / 2, limit.

        Args:
            in_features: d, the number of coordinates.
            out_features: Values of each output.
            limit: The last output's band limit in cycles per unit, one number or one per axis.
            width: Waves of a layer.
            depth: Products; there are depth + 1 outputs.
            period: Period of the network, in units of the coordinate.
            seed: A seed or a generator, for frequencies and weights.

        Raises:
            InputError: As for the class; the lowest octave must hold a multiple of 1 / period.
        """
        top = positive_per_axis(limit, check_count(in_features, "in_features"), "limit")
        powers = range(check_count(depth, "depth"), -1, -1)
        limits = [tuple(t / 2**k for t in top) for k in powers]
        return BandLimited(in_features, out_features, limits, width, period, seed)

    @property
    def limits(self) -> tuple[tuple[float, ...], ...]:
        """Band limit per output and axis, in cycles per unit."""
        return tuple(tuple(k / self.period for k in row) for row in self._multiples)

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Bandwidth per axis of the last output, in cycles per unit.

        It is exact for the sampled frequencies and an expectation over the initial weights, so it is approximate after
        training; `limits` holds for any weights.
        """
        indices = [wave.index.cpu() for wave in self.filters if isinstance(wave, LatticeFilter)]
        return tuple(
            power_bandwidth(product_power([i[:, a] for i in indices], self.linears), 1 / self.period)
            for a in range(self.in_features)
        )

    def with_bandwidth(self, cycles: Numbers) -> BandLimited:
        """Return a copy with multiplied frequencies, rounded to multiples of 1 / period, and the same weights.

        The limits are multiplied alike. The bandwidth is met to half a multiple per filter.

        Args:
            cycles: The new bandwidth in cycles per unit, one for all axes or one per axis.

        Raises:
            InputError: If the number of bandwidths is wrong, one is not positive and finite, or so low that limits
                would coincide.
        """
        target = positive_per_axis(cycles, self.in_features, "bandwidth")
        factors = torch.tensor(
            [goal / b for goal, b in zip(target, self.bandwidth, strict=True)],
            dtype=torch.float64,
            device="cpu",
        )
        # The distance of two limits is the highest frequency of one filter: the sum over filters is the last limit.
        steps = torch.tensor(
            [(0,) * self.in_features, *self._multiples], dtype=torch.float64, device="cpu"
        ).diff(dim=0)
        new_steps = (steps * factors).round()
        if float(new_steps.min()) < 1:
            raise InputError(
                f"a bandwidth that leaves a multiple of 1/period = {1 / self.period:.4g} between the limits",
                ", ".join(f"{goal:g}" for goal in target),
                "pass a higher bandwidth, or build the network with a longer period",
                "bandwidth",
            )
        new = copy.deepcopy(self)
        for wave in new.filters:
            assert isinstance(wave, LatticeFilter)
            wave.index.copy_((wave.index.double() * factors.to(wave.index.device)).round())
        new._multiples = [tuple(int(k) for k in row) for row in new_steps.cumsum(0).tolist()]
        return new

    def describe(self) -> str:
        """Return one line for titles and records, "BandLimited 3 x 256 to 64"."""
        top = self.limits[-1]
        shown = ", ".join(f"{v:.4g}" for v in (top[:1] if len(set(top)) == 1 else top))
        return f"BandLimited {len(self.linears)} x {self.width} to {shown}"

    def all_outputs(self, coords: Tensor) -> Tensor:
        """Return all outputs, in ascending order of their band limits.

        Args:
            coords: (..., d).

        Returns:
            (len(limits), ..., out_features).

        Raises:
            InputError: If there are not d coordinates.
        """
        check_last_axis(coords, self.in_features, "coordinates")
        hidden = self.filters[0](coords)
        values = [self.outputs[0](hidden)]
        for wave, linear, output in zip(self.filters[1:], self.linears, self.outputs[1:], strict=True):
            hidden = wave(coords) * linear(hidden)
            values.append(output(hidden))
        return torch.stack(values)

    def forward(self, features: Tensor) -> Tensor:
        """Return the values (..., out_features) of the output with the highest limit at coordinates (..., d)."""
        check_last_axis(features, self.in_features, "coordinates")
        # The side outputs do not contribute to the last one, so they are not evaluated.
        hidden = self.filters[0](features)
        for wave, linear in zip(self.filters[1:], self.linears, strict=True):
            hidden = wave(features) * linear(hidden)
        return self.outputs[-1](hidden)


def _limit_multiples(limits: Sequence[Numbers], axes: int, period: float) -> list[tuple[int, ...]]:
    """Return the limits as multiples of 1 / period, rounded down."""
    if len(limits) < 2:
        raise InputError("at least two band limits", f"{len(limits)}", "pass one per output", "limits")
    # 1e-12 keeps a limit that is a multiple up to rounding from losing one.
    rows = [
        tuple(math.floor(v * period * (1 + 1e-12)) for v in positive_per_axis(limit, axes, "limits"))
        for limit in limits
    ]
    for low, high in zip([(0,) * axes, *rows], rows, strict=False):
        if any(b <= a for a, b in zip(low, high, strict=True)):
            raise InputError(
                f"limits that ascend by at least 1/period = {1 / period:.4g} on each axis",
                f"{[tuple(k / period for k in row) for row in rows]} as multiples of it",
                "pass limits further apart, or a longer period",
                "limits",
            )
    return rows

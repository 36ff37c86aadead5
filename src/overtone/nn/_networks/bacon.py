"""BACON: a multiplicative filter network with an output per layer, each with a band limit that holds exactly."""

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
from overtone.nn._utils import Numbers, Seed, fill_uniform, generator, last_axis, per_axis, size
from overtone.nn.activations._base import default_initialise
from overtone.units._frequency import positive


@final
class BandLimited(NetworkBase):
    """z_0 = g_0, z_i = g_i * (W_i z_(i-1) + b_i), and after each layer an output y_i = V_i z_i + c_i.

    The filters g_i are sines of fixed frequencies within limits_i - limits_(i-1), so nothing that training does
    can put power of y_i above limits_i on any axis. Frequencies are whole multiples of 1 / period, so every
    output repeats after a period (Lindell et al. 2022, "BACON", sections 3.1 and 3.2). W ~ U(-sqrt(6/n),
    sqrt(6/n)), which keeps the power alike at every depth.

    Args:
        in_features: d, the number of coordinates.
        out_features: Values of each output.
        limits: Ascending band limits in cycles per unit of the coordinate, one per output, each one number or
            one per axis; rounded down to whole multiples of 1 / period. There are len(limits) - 1 products.
        width: Waves of a layer.
        period: Length after which the network repeats, in units of the coordinate: 2 for [-1, 1].
        seed: A seed, or the generator to draw from.

    Raises:
        InputError: If a size is below 1, the limits do not ascend by 1 / period at least on each axis, or the
            period is not positive.
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
            size(in_features, "in_features"),
            size(out_features, "out_features"),
        )
        self.width, self.period = size(width, "width"), positive(period, "period")
        self._multiples = _whole(limits, in_features, self.period)
        source = generator(seed, "weights")
        steps = zip(((0,) * in_features, *self._multiples), self._multiples, strict=False)
        self.filters = nn.ModuleList(
            LatticeFilter(
                1 / self.period, tuple(b - a for a, b in zip(low, high, strict=True)), width, source
            )
            for low, high in steps
        )
        self.linears, self.outputs = (
            nn.ModuleList(torch.nn.utils.skip_init(nn.Linear, width, n, device="cpu") for n in [out] * count)
            for out, count in ((width, len(self.filters) - 1), (out_features, len(self.filters)))
        )
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
        """Outputs with the limits limit / 2^depth, ..., limit / 2, limit.

        Args:
            in_features: d, the number of coordinates.
            out_features: Values of each output.
            limit: The last output's band limit in cycles per unit, one number or one per axis.
            width: Waves of a layer.
            depth: Products; there are depth + 1 outputs.
            period: Length after which the network repeats, in units of the coordinate.
            seed: A seed, or the generator to draw from.

        Raises:
            InputError: As for the class; the lowest octave must hold a multiple of 1 / period.
        """
        top = per_axis(limit, size(in_features, "in_features"), "limit")
        powers = range(size(depth, "depth"), -1, -1)
        limits = [tuple(t / 2**k for t in top) for k in powers]
        return BandLimited(in_features, out_features, limits, width, period, seed)

    @property
    def limits(self) -> tuple[tuple[float, ...], ...]:
        """Per output and axis, the frequency above which there is nothing, in cycles per unit."""
        return tuple(tuple(k / self.period for k in row) for row in self._multiples)

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Per axis, the 90 % point of the last output's power, in cycles per unit.

        Exact for the frequencies drawn, in expectation over the weights (see `product_power`); after training a
        guide, while `limits` holds for any weights.
        """
        indices = [wave.index.cpu() for wave in self.filters if isinstance(wave, LatticeFilter)]
        return tuple(
            power_bandwidth(product_power([i[:, a] for i in indices], self.linears), 1 / self.period)
            for a in range(self.in_features)
        )

    def with_bandwidth(self, cycles: Numbers) -> BandLimited:
        """A copy that keeps its weights, its frequencies multiplied and rounded to whole multiples of 1 / period.

        The limits move alike, so the bandwidth is met to half a multiple a filter.

        Args:
            cycles: The bandwidth in cycles per unit, one for all axes or one per axis.

        Raises:
            InputError: If the number of bandwidths is wrong, one is not positive and finite, or so low that limits
                would coincide.
        """
        target = per_axis(cycles, self.in_features, "bandwidth")
        factors = torch.tensor(
            [w / b for w, b in zip(target, self.bandwidth, strict=True)], dtype=torch.float64, device="cpu"
        )
        steps = torch.tensor(
            [(0,) * self.in_features, *self._multiples], dtype=torch.float64, device="cpu"
        ).diff(dim=0)
        moved = (steps * factors).round()
        if float(moved.min()) < 1:
            raise InputError(
                f"a bandwidth that leaves a multiple of 1/period = {1 / self.period:.4g} between the limits",
                ", ".join(f"{w:g}" for w in target),
                "raise it, or build the network with a longer period",
                "bandwidth",
            )
        new = copy.deepcopy(self)
        for wave in new.filters:
            assert isinstance(wave, LatticeFilter)
            wave.index.copy_((wave.index.double() * factors.to(wave.index.device)).round())
        new._multiples = [tuple(int(k) for k in row) for row in moved.cumsum(0).tolist()]
        return new

    def describe(self) -> str:
        """One line for titles and records, "BandLimited 3 x 256 to 64"."""
        top = self.limits[-1]
        shown = ", ".join(f"{v:.4g}" for v in (top[:1] if len(set(top)) == 1 else top))
        return f"BandLimited {len(self.linears)} x {self.width} to {shown}"

    def scales(self, coords: Tensor) -> Tensor:
        """All outputs, the lowest limit first.

        Args:
            coords: (..., d).

        Returns:
            (len(limits), ..., out_features).

        Raises:
            InputError: If there are not d coordinates.
        """
        last_axis(coords, self.in_features, "coordinates")
        hidden = self.filters[0](coords)
        values = [self.outputs[0](hidden)]
        for wave, linear, output in zip(self.filters[1:], self.linears, self.outputs[1:], strict=True):
            hidden = wave(coords) * linear(hidden)
            values.append(output(hidden))
        return torch.stack(values)

    def forward(self, features: Tensor) -> Tensor:
        """The output with the highest limit: coordinates (..., d) to values (..., out_features)."""
        last_axis(features, self.in_features, "coordinates")
        hidden = self.filters[0](features)
        for wave, linear in zip(self.filters[1:], self.linears, strict=True):
            hidden = wave(features) * linear(hidden)
        return self.outputs[-1](hidden)


def _whole(limits: Sequence[Numbers], axes: int, period: float) -> list[tuple[int, ...]]:
    """The limits in whole multiples of 1 / period."""
    if len(limits) < 2:
        raise InputError("at least two band limits", f"{len(limits)}", "pass one per output", "limits")
    rows = [
        tuple(math.floor(v * period * (1 + 1e-12)) for v in per_axis(limit, axes, "limits"))
        for limit in limits
    ]
    for low, high in zip([(0,) * axes, *rows], rows, strict=False):
        if any(b <= a for a, b in zip(low, high, strict=True)):
            raise InputError(
                f"limits that ascend by at least 1/period = {1 / period:.4g} on each axis",
                f"{[tuple(k / period for k in row) for row in rows]} in whole multiples of it",
                "pass limits further apart, or a longer period",
                "limits",
            )
    return rows

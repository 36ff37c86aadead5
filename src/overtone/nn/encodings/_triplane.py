"""Three planes of trained values for volumes."""

from __future__ import annotations

import math
from operator import add, mul
from typing import final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn._utils import Numbers, Seed, fill_uniform, generator, last_axis, per_axis, size
from overtone.nn.encodings._base import Encoding, precisions
from overtone.nn.encodings._grids import LARGEST, PACE, SINGLE
from overtone.nn.encodings._lookup import combined, lookup, taps
from overtone.units._grids import Interpolation, lattice_bandwidth

PAIRS = ((0, 1), (0, 2), (1, 2))
"""The axes of each plane."""

INITIAL = 0.1
"""Largest initial value."""


@final
class Triplane(Encoding):
    """gamma(v) = P_xy(v_x, v_y) + P_xz(v_x, v_z) + P_yz(v_y, v_z), each a plane of trained values, interpolated.

    Memory grows with the square of the resolution, not its cube (Chan et al. 2022, EG3D, section 3.2, who take 256
    cells and 32 features). Interpolation and derivatives are those of `MultiResolution`; coordinates outside of
    [0, 1] take the value at the border. Values begin as U(-0.1, 0.1).

    Args:
        resolution: Cells per unit, one for all three axes or one per axis.
        features: F, values per node, and outputs.
        kernel: The interpolation.
        seed: A seed, or the generator to draw the values from.

    Attributes:
        table: (nodes of the three planes, F) parameter.
        resolution: (3,) float64 cells per unit.

    Raises:
        InputError: If `features` is below 1, the table too large, or a resolution is not positive and finite.
    """

    resolution: Tensor
    _last: Tensor
    _width: Tensor
    _start: Tensor

    def __init__(
        self,
        resolution: Numbers = 128.0,
        features: int = 32,
        kernel: Interpolation = Interpolation.LINEAR,
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        cells = torch.tensor(per_axis(resolution, 3, "resolution"), dtype=torch.float64, device="cpu")
        self.in_features, self.out_features = 3, size(features, "features")
        self.kernel, self.domain, self.pace = kernel, (0.0, 1.0), {"table": PACE}
        self.register_buffer("frequencies", None)
        self.register_buffer("resolution", cells)
        self._lay_out()
        self.table = nn.Parameter(torch.empty(self._entries, features, device="cpu"))
        fill_uniform(self.table, INITIAL, generator(seed, "table"))
        self.register_load_state_dict_post_hook(lambda module, _: module._lay_out())

    def _lay_out(self) -> None:
        nodes = (self.resolution + 0.5).floor().to(torch.int64) + self.kernel.taps
        held = [math.prod(nodes[list(pair)].tolist()) for pair in PAIRS]
        self._entries, self._coarse = sum(held), float(self.resolution.max()) <= SINGLE
        if self._entries > LARGEST:
            raise InputError(
                f"planes of at most {LARGEST} nodes", f"{self._entries}", "pass a lower one", "resolution"
            )
        self.register_buffer("_last", (nodes - self.kernel.taps).to(torch.int32), persistent=False)
        self.register_buffer(
            "_width", nodes[[second for _, second in PAIRS]].to(torch.int32), persistent=False
        )
        starts = [sum(held[:plane]) for plane in range(3)]
        self.register_buffer(
            "_start", torch.tensor(starts, dtype=torch.int32, device=nodes.device), persistent=False
        )

    @staticmethod
    def from_bandwidth(
        bandwidth: Numbers,
        features: int = 32,
        kernel: Interpolation = Interpolation.LINEAR,
        seed: Seed = 0,
    ) -> Triplane:
        """The encoding with the given bandwidth.

        Args:
            bandwidth: In cycles per unit, one for all three axes or one per axis.
            features: Values per node.
            kernel: The interpolation.
            seed: A seed, or the generator to draw the values from.

        Raises:
            InputError: As for the class.
        """
        bandwidths = per_axis(bandwidth, 3, "bandwidth")
        share = lattice_bandwidth([1.0], kernel)
        return Triplane([b / share for b in bandwidths], features, kernel, seed)

    def with_bandwidth(self, bandwidth: Numbers, seed: Seed = 0) -> Triplane:
        """New planes that reach `bandwidth`, their values drawn anew from `seed`."""
        new = Triplane.from_bandwidth(bandwidth, self.out_features, self.kernel, seed)
        return new.to(self.table.device, self.table.dtype)

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Per axis, that of independent values at the nodes; see `lattice_bandwidth`."""
        return tuple(lattice_bandwidth([n], self.kernel) for n in self.resolution.tolist())

    def describe(self) -> str:
        """One line for titles and records."""
        shown = " x ".join(f"{n:.4g}" for n in self.resolution.tolist())
        return f"Triplane({shown}, {self.out_features} features, {self.kernel.value})"

    def forward(self, coords: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Encode coordinates (..., 3) as (..., F). See `Encoding.forward`."""
        last_axis(coords, 3, "coordinates")
        exact, out = precisions(coords, dtype, self._coarse)
        table = self.table.to(torch.promote_types(self.table.dtype, torch.float32))
        inside = coords.to(exact).clamp(0, 1) * self.resolution.to(exact) + 0.5
        nodes, weights = [], []
        for axis in range(3):
            first, shares = taps(inside[..., axis], self.kernel)
            lowest = torch.minimum(first.clamp(min=0), self._last[axis])
            nodes.append([lowest + node for node in range(self.kernel.taps)])
            weights.append(shares)
        rows = torch.stack([self._rows(nodes, plane) for plane in range(3)], dim=-2)
        weight = torch.stack([combined([weights[i], weights[j]], mul) for i, j in PAIRS], dim=-2)
        return lookup(table, rows, weight.to(table.dtype)).sum(-2).to(out)

    def _rows(self, nodes: list[list[Tensor]], plane: int) -> Tensor:
        first, second = PAIRS[plane]
        across = [node * self._width[plane] + self._start[plane] for node in nodes[first]]
        return combined([across, nodes[second]], add)

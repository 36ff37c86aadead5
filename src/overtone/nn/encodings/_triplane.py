"""Triplane encoding: three planes of trained values for volumes."""

from __future__ import annotations

import math
from operator import add, mul
from typing import final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn._utils import (
    Numbers,
    Seed,
    check_count,
    check_last_axis,
    fill_uniform,
    positive_per_axis,
    torch_generator,
)
from overtone.nn.encodings._base import Encoding, phase_and_output_dtype
from overtone.nn.encodings._grids import MAX_FLOAT32_CELLS, MAX_ROWS, TABLE_LR_MULTIPLIER
from overtone.nn.encodings._lookup import combine_axes, interpolation_weights, lookup
from overtone.units._grids import Interpolation, lattice_bandwidth

PLANE_AXES = ((0, 1), (0, 2), (1, 2))
"""Axes of each plane."""

INITIAL_BOUND = 0.1
"""Bound of the initial values."""


@final
class Triplane(Encoding):
    """The sum P_xy(v_x, v_y) + P_xz(v_x, v_z) + P_yz(v_y, v_z) of three interpolated planes of trained values.

    Memory grows with the square of the resolution, not its cube (Chan et al. 2022, EG3D, section 3.2, with 256
    cells and 32 features). Interpolation and derivatives are those of `HashGrid`; coordinates outside [0, 1] take the
    value at the border. Initial values are U(-0.1, 0.1).

    Args:
        resolution: Cells per unit, one for all three axes or one per axis.
        features: F, values per node, and outputs.
        kernel: The interpolation.
        seed: A seed or a generator, for the initial values.

    Attributes:
        table: (nodes of the three planes, F) parameter.
        resolution: (3,) float64 cells per unit.

    Raises:
        InputError: If `features` is below 1, the table too large, or a resolution is not positive and finite.

    Example:
        >>> import torch
        >>> from overtone.nn.encodings import Triplane
        >>> encoding = Triplane(16.0, features=8)
        >>> encoding(torch.rand(5, 3)).shape, [round(b, 1) for b in encoding.bandwidth]
        (torch.Size([5, 8]), [6.8, 6.8, 6.8])
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
        cells = torch.tensor(
            positive_per_axis(resolution, 3, "resolution"), dtype=torch.float64, device="cpu"
        )
        self.in_features, self.out_features = 3, check_count(features, "features")
        self.kernel, self.domain, self.lr_multipliers = kernel, (0.0, 1.0), {"table": TABLE_LR_MULTIPLIER}
        self.register_buffer("frequencies", None)
        self.register_buffer("resolution", cells)
        self._build_layout()
        self.table = nn.Parameter(torch.empty(self._entries, features, device="cpu"))
        fill_uniform(self.table, INITIAL_BOUND, torch_generator(seed, "table"))
        self.register_load_state_dict_post_hook(lambda module, _: module._build_layout())

    def _build_layout(self) -> None:
        nodes = (self.resolution + 0.5).floor().to(torch.int64) + self.kernel.taps
        row_counts = [math.prod(nodes[list(pair)].tolist()) for pair in PLANE_AXES]
        self._entries, self._float32_phases = (
            sum(row_counts),
            float(self.resolution.max()) <= MAX_FLOAT32_CELLS,
        )
        if self._entries > MAX_ROWS:
            raise InputError(
                f"planes of at most {MAX_ROWS} nodes",
                f"{self._entries}",
                "pass a lower resolution",
                "resolution",
            )
        self.register_buffer("_last", (nodes - self.kernel.taps).to(torch.int32), persistent=False)
        self.register_buffer(
            "_width", nodes[[second for _, second in PLANE_AXES]].to(torch.int32), persistent=False
        )
        starts = [sum(row_counts[:plane]) for plane in range(3)]
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
        """Return an encoding with a bandwidth.

        Args:
            bandwidth: In cycles per unit, one for all three axes or one per axis.
            features: Values per node.
            kernel: The interpolation.
            seed: A seed or a generator, for the initial values.

        Raises:
            InputError: As for the class.
        """
        bandwidths = positive_per_axis(bandwidth, 3, "bandwidth")
        share = lattice_bandwidth([1.0], kernel)
        return Triplane([b / share for b in bandwidths], features, kernel, seed)

    def with_bandwidth(self, bandwidth: Numbers, seed: Seed = 0) -> Triplane:
        """Return an encoding with another bandwidth and new initial values."""
        new = Triplane.from_bandwidth(bandwidth, self.out_features, self.kernel, seed)
        return new.to(self.table.device, self.table.dtype)

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Bandwidth per axis of independent values at the nodes, in cycles per unit."""
        return tuple(lattice_bandwidth([n], self.kernel) for n in self.resolution.tolist())

    def describe(self) -> str:
        """Return one line for titles and records."""
        shown = " x ".join(f"{n:.4g}" for n in self.resolution.tolist())
        return f"Triplane({shown}, {self.out_features} features, {self.kernel.value})"

    def forward(self, coords: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return the features (..., F); see `Encoding.forward`."""
        check_last_axis(coords, 3, "coordinates")
        phase_dtype, out = phase_and_output_dtype(coords, dtype, self._float32_phases)
        table = self.table.to(torch.promote_types(self.table.dtype, torch.float32))
        inside = coords.to(phase_dtype).clamp(0, 1) * self.resolution.to(phase_dtype) + 0.5
        nodes, weights = [], []
        for axis in range(3):
            first, axis_weights = interpolation_weights(inside[..., axis], self.kernel)
            lowest = torch.minimum(first.clamp(min=0), self._last[axis])
            nodes.append([lowest + node for node in range(self.kernel.taps)])
            weights.append(axis_weights)
        # Nodes and weights of an axis serve two planes; all three are looked up in one gather.
        rows = torch.stack([self._rows(nodes, plane) for plane in range(3)], dim=-2)
        weight = torch.stack([combine_axes([weights[i], weights[j]], mul) for i, j in PLANE_AXES], dim=-2)
        return lookup(table, rows, weight.to(table.dtype)).sum(-2).to(out)

    def _rows(self, nodes: list[list[Tensor]], plane: int) -> Tensor:
        first, second = PLANE_AXES[plane]
        across = [node * self._width[plane] + self._start[plane] for node in nodes[first]]
        return combine_axes([across, nodes[second]], add)

"""A low pass whose cut-off can move during training."""

from __future__ import annotations

from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from overtone import units
from overtone.nn.checks import Numbers, per_axis
from overtone.nn.layers.checks import check_axes, check_grid
from overtone.nn.layers.low_pass import white_bandwidth
from overtone.nn.layers.spectral_filter import filtered


@final
class AdaptiveFilter(nn.Module):
    """Each mode is multiplied by m(f) = sigmoid((1 - r) / softness) / sigmoid(1 / softness), r^2 = sum_i (f_i / c_i)^2.

    So a constant passes as it is, a wave at the cut-off c at half its amplitude, and one far above it not at
    all. The cut-off is set with `move_to` (for a schedule or a controller), or trained with the network if
    `learned`: its gradient is the response's, and its logarithm is the parameter, so that it stays positive.

    Args:
        axes: 1 or 2.
        cutoff: c, in cycles per unit of the coordinate, one number or one per axis.
        spacing: Distance of neighbours in units of the coordinate, one or one per axis; 1 makes cut-offs cycles
            per sample, whose highest is 0.5.
        softness: Width of the edge relative to the cut-off.
        periodic: Whether the grid wraps around; else it is mirrored about its half-sample borders.
        learned: Whether training moves the cut-off.

    Raises:
        InputError: If a number is not positive and finite, or there are more than 2 axes.
    """

    def __init__(
        self,
        axes: int,
        cutoff: Numbers,
        spacing: Numbers = 1.0,
        softness: float = 0.1,
        periodic: bool = False,
        learned: bool = False,
    ) -> None:
        super().__init__()
        self.axes, self.periodic = check_axes(axes), periodic
        self.spacing = per_axis(spacing, axes, "spacing")
        self.softness = units.positive(softness, "softness")
        start = torch.tensor(per_axis(cutoff, axes, "cutoff"), dtype=torch.float32, device="cpu").log()
        self.log_cutoff = nn.Parameter(start.to(torch.float32), requires_grad=learned)

    @property
    def cutoff(self) -> tuple[float, ...]:
        """The cut-off c per axis, in cycles per unit of the coordinate."""
        return tuple(self.log_cutoff.detach().double().exp().tolist())

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Per axis, the frequency below which 90 % of filtered white noise along that axis lies, in cycles per unit."""
        return tuple(
            white_bandwidth(partial(self._along, axis)) / self.spacing[axis] for axis in range(self.axes)
        )

    def move_to(self, cutoff: Numbers) -> None:
        """Set the cut-off, in cycles per unit of the coordinate.

        Args:
            cutoff: One number or one per axis.

        Raises:
            InputError: If a number is not positive and finite.
        """
        wanted = torch.tensor(per_axis(cutoff, self.axes, "cutoff"), dtype=torch.float32, device="cpu").log()
        with torch.no_grad():
            self.log_cutoff.copy_(wanted)

    def _along(self, axis: int, frequency: Tensor) -> Tensor:
        return self.response(
            [frequency if a == axis else torch.zeros_like(frequency) for a in range(self.axes)]
        )

    def response(self, frequencies: list[Tensor]) -> Tensor:
        """The factor m at frequencies per axis in cycles per sample, broadcastable to each other."""
        scales = self.log_cutoff.to(frequencies[0].dtype).exp()
        square = torch.zeros_like(frequencies[0])
        for axis, frequency in enumerate(frequencies):
            square = square + (frequency / (self.spacing[axis] * scales[axis])).square()
        edge = 1 / self.softness
        top = torch.sigmoid(torch.tensor(edge, dtype=square.dtype, device=square.device))
        return torch.sigmoid(edge * (1 - square.clamp(min=1e-30).sqrt())) / top

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, channels, *shape) to the same shape.

        Raises:
            InputError: If there are other axes.
        """
        check_grid(values, self.axes)
        return filtered(values, self.axes, self.periodic, self.response)

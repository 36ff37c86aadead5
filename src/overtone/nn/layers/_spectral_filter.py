"""Filters of feature maps in the frequency domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn._utils import Numbers, per_axis, size
from overtone.units._frequency import positive

Response = Callable[[list[Tensor]], Tensor]
"""From the frequencies of each axis, broadcastable to each other, to the factor of each mode."""


def filtered(values: Tensor, axes: int, periodic: bool, response: Response) -> Tensor:
    """Values whose modes along the last `axes` axes are multiplied by a real response.

    Modes are those of the FFT if `periodic`, else of the DCT-II: the grid is mirrored about its half-sample
    borders, which leaves no jump there. Computed in float32 at least.

    Args:
        values: (..., *shape), real.
        axes: Number of axes of the grid.
        periodic: Whether the grid wraps around.
        response: Its factors; it is given unsigned frequencies in cycles per sample.

    Returns:
        (..., *shape) in the values' precision.
    """
    last = list(range(-axes, 0))
    exact = values.to(torch.promote_types(values.dtype, torch.float32))
    if not periodic:
        for axis in last:
            exact = torch.cat([exact, exact.flip(axis)], dim=axis)
    shape = [exact.shape[axis] for axis in last]
    modes = torch.fft.rfftn(exact, dim=last)
    factors = response(frequencies(shape, exact))
    out = torch.fft.irfftn(modes * factors.to(exact.dtype), s=shape, dim=last)
    if not periodic:
        for axis in last:
            out = out.narrow(axis, 0, values.shape[axis])
    return out.to(values.dtype)


def frequencies(shape: Sequence[int], like: Tensor) -> list[Tensor]:
    """Unsigned frequencies of the real FFT's modes per axis, in cycles per sample, broadcastable."""
    grids = []
    for axis, n in enumerate(shape):
        make = torch.fft.rfftfreq if axis == len(shape) - 1 else torch.fft.fftfreq
        axis_frequencies = make(n, dtype=like.dtype, device=like.device).abs()
        grids.append(axis_frequencies.reshape(-1, *[1] * (len(shape) - 1 - axis)))
    return grids


class Border(Enum):
    """WRAP: the grid repeats. MIRROR: it is reflected about its outermost samples. REPEAT: these go on."""

    WRAP = "circular"
    MIRROR = "reflect"
    REPEAT = "replicate"


def check_axes(value: int) -> int:
    """`value` if it is 1 or 2, the numbers of axes that layers are built for."""
    if size(value, "axes") > 2:
        raise InputError("1 or 2 axes", f"{value}", "pass recordings or pictures", "axes")
    return value


def check_grid(values: Tensor, axes: int, channels: int | None = None) -> None:
    """Check that `values` are (batch, channels, *shape) with `axes` axes of shape."""
    fits = values.ndim == axes + 2 and channels in (None, values.shape[1] if values.ndim > 1 else None)
    if not fits:
        target = ("batch", "channels" if channels is None else channels, *["n"] * axes)
        raise InputError(
            f"values of shape ({', '.join(str(w) for w in target)})",
            f"shape {tuple(values.shape)}",
            "pass what the layer was built for",
        )


def check_odd(value: int, name: str) -> int:
    """`value` if it is an odd number of at least 3."""
    if size(value, name, 3) % 2 == 0:
        raise InputError("an odd number", f"{value}", f"pass {name} with a middle", name)
    return value


def check_length(values: Tensor, axes: int, margin: int, border: Border) -> None:
    """Check that a grid can be continued by `margin` samples on each side."""
    minimum = {Border.WRAP: margin, Border.MIRROR: margin + 1, Border.REPEAT: 1}[border]
    shortest = min(values.shape[-axes:])
    if shortest < minimum:
        raise InputError(
            f"at least {minimum} samples along each axis",
            f"shape {tuple(values.shape)}",
            "pass a larger grid, or Border.REPEAT",
        )


POINTS = 8192


def white_bandwidth(response: Callable[[Tensor], Tensor]) -> float:
    """The frequency below which 90 % of the power of filtered white noise lies.

    Args:
        response: From frequencies in cycles per sample to factors.

    Returns:
        In cycles per sample, to 1/16384 of one.
    """
    frequency = (torch.arange(POINTS, dtype=torch.float64, device="cpu") + 0.5) / (2 * POINTS)
    power = response(frequency).detach().double().square().cumsum(0)
    return float(frequency[torch.searchsorted(power, 0.9 * power[-1])])


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
        self.softness = positive(softness, "softness")
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
        target = torch.tensor(per_axis(cutoff, self.axes, "cutoff"), dtype=torch.float32, device="cpu").log()
        with torch.no_grad():
            self.log_cutoff.copy_(target)

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

"""Filters of feature maps in the frequency domain, and checks shared by the layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn._utils import Numbers, check_count, positive_per_axis
from overtone.units._frequency import positive

Response = Callable[[list[Tensor]], Tensor]
"""Function from the frequencies per axis, broadcastable to each other, to the gain of each mode."""


def apply_response(values: Tensor, axes: int, periodic: bool, response: Response) -> Tensor:
    """Return values whose modes along the last `axes` axes are multiplied by a real response.

    Modes are those of the FFT if `periodic`, otherwise of the DCT-II: the grid is mirrored about its half-sample
    borders, which leaves no jump there. The transform is computed in float32 at least.

    Args:
        values: (..., *shape), real.
        axes: Number of axes of the grid.
        periodic: Whether the grid is periodic.
        response: Gains as a function of unsigned frequencies in cycles per sample.

    Returns:
        (..., *shape) in the values' precision.
    """
    last = list(range(-axes, 0))
    exact = values.to(torch.promote_types(values.dtype, torch.float32))
    # The FFT of the mirrored grid has the modes of the DCT-II, which PyTorch lacks; a real response keeps the symmetry.
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
    """Return the unsigned frequencies of the real FFT's modes per axis, in cycles per sample, broadcastable."""
    grids = []
    for axis, n in enumerate(shape):
        # The real transform halves the last axis only; the others have negative frequencies too.
        make = torch.fft.rfftfreq if axis == len(shape) - 1 else torch.fft.fftfreq
        axis_frequencies = make(n, dtype=like.dtype, device=like.device).abs()
        grids.append(axis_frequencies.reshape(-1, *[1] * (len(shape) - 1 - axis)))
    return grids


class Border(Enum):
    """Extension of a grid beyond its border.

    WRAP repeats the grid, MIRROR reflects it about its outermost samples, and REPEAT repeats the outermost samples.

    Example:
        >>> import torch
        >>> from overtone.nn.layers import BinomialPool, Border
        >>> BinomialPool(1, stride=1, border=Border.WRAP)(torch.tensor([[[4.0, 0.0, 0.0, 0.0]]]))
        tensor([[[2., 1., 0., 1.]]])
    """

    WRAP = "circular"
    MIRROR = "reflect"
    REPEAT = "replicate"


def check_axes(value: int) -> int:
    """Return `value` if it is 1 or 2, the supported numbers of axes."""
    if check_count(value, "axes") > 2:
        raise InputError("1 or 2 axes", f"{value}", "pass 1 for recordings or 2 for images", "axes")
    return value


def check_grid(values: Tensor, axes: int, channels: int | None = None) -> None:
    """Check that `values` are (batch, channels, *shape) with `axes` axes of shape."""
    matches = values.ndim == axes + 2 and channels in (None, values.shape[1] if values.ndim > 1 else None)
    if not matches:
        target = ("batch", "channels" if channels is None else channels, *["n"] * axes)
        raise InputError(
            f"values of shape ({', '.join(str(w) for w in target)})",
            f"shape {tuple(values.shape)}",
            "pass a tensor of this shape, or build the layer for the input",
        )


def check_odd(value: int, name: str) -> int:
    """Return `value` if it is an odd number of at least 3."""
    if check_count(value, name, 3) % 2 == 0:
        raise InputError("an odd number", f"{value}", f"pass {value + 1} {name}", name)
    return value


def check_length(values: Tensor, axes: int, margin: int, border: Border) -> None:
    """Check that a grid can be extended by `margin` samples on each side."""
    minimum = {Border.WRAP: margin, Border.MIRROR: margin + 1, Border.REPEAT: 1}[border]
    shortest = min(values.shape[-axes:])
    if shortest < minimum:
        raise InputError(
            f"at least {minimum} samples along each axis",
            f"shape {tuple(values.shape)}",
            "pass a larger grid, or Border.REPEAT",
        )


QUADRATURE_POINTS = 8192
"""Frequencies at which a response is sampled to find its bandwidth."""


def white_bandwidth(response: Callable[[Tensor], Tensor]) -> float:
    """Return the frequency below which 90 % of the power of filtered white noise lies.

    Args:
        response: Gain as a function of the frequency in cycles per sample.

    Returns:
        The bandwidth in cycles per sample, right to 1/16384.
    """
    # Midpoints of cells between 0 and the Nyquist frequency, 1/2 cycle per sample.
    frequency = (torch.arange(QUADRATURE_POINTS, dtype=torch.float64, device="cpu") + 0.5) / (
        2 * QUADRATURE_POINTS
    )
    power = response(frequency).detach().double().square().cumsum(0)
    return float(frequency[torch.searchsorted(power, 0.9 * power[-1])])


@final
class AdaptiveFilter(nn.Module):
    """A low-pass filter with a soft, adjustable cut-off: m(f) = sigmoid((1 - r) / softness) / sigmoid(1 / softness).

    r^2 = sum_i (f_i / c_i)^2. A constant passes unchanged, a wave at the cut-off c has half its amplitude, and
    frequencies far above c are removed. The cut-off is set with `move_to` (for a schedule or a controller), or trained
    with the network if `learned`; its logarithm is the parameter, so that it stays positive.

    Args:
        axes: 1 or 2.
        cutoff: c, in cycles per unit of the coordinate, one number or one per axis.
        spacing: Distance of neighbours in units of the coordinate, one or one per axis; with 1, cut-offs are in
            cycles per sample, at most 0.5.
        softness: Width of the edge relative to the cut-off.
        periodic: Whether the grid is periodic; otherwise it is mirrored about its half-sample borders.
        learned: Whether the cut-off is trained.

    Raises:
        InputError: If a number is not positive and finite, or there are more than 2 axes.

    Example:
        >>> from overtone.nn.layers import AdaptiveFilter
        >>> low_pass = AdaptiveFilter(2, cutoff=4.0, spacing=1 / 64)  # cycles per image of 64 x 64 pixels
        >>> low_pass.move_to(16.0)
        >>> [round(c, 4) for c in low_pass.cutoff]
        [16.0, 16.0]
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
        self.spacing = positive_per_axis(spacing, axes, "spacing")
        self.softness = positive(softness, "softness")
        start = torch.tensor(
            positive_per_axis(cutoff, axes, "cutoff"), dtype=torch.float32, device="cpu"
        ).log()
        self.log_cutoff = nn.Parameter(start.to(torch.float32), requires_grad=learned)

    @property
    def cutoff(self) -> tuple[float, ...]:
        """Cut-off c per axis, in cycles per unit of the coordinate."""
        return tuple(self.log_cutoff.detach().double().exp().tolist())

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Frequency per axis below which 90 % of the power of filtered white noise lies, in cycles per unit."""
        return tuple(
            white_bandwidth(partial(self._axis_response, axis)) / self.spacing[axis]
            for axis in range(self.axes)
        )

    def move_to(self, cutoff: Numbers) -> None:
        """Set the cut-off, in cycles per unit of the coordinate.

        Args:
            cutoff: One number or one per axis.

        Raises:
            InputError: If a number is not positive and finite.
        """
        target = torch.tensor(
            positive_per_axis(cutoff, self.axes, "cutoff"), dtype=torch.float32, device="cpu"
        ).log()
        with torch.no_grad():
            self.log_cutoff.copy_(target)

    def _axis_response(self, axis: int, frequency: Tensor) -> Tensor:
        return self.response(
            [frequency if a == axis else torch.zeros_like(frequency) for a in range(self.axes)]
        )

    def response(self, frequencies: list[Tensor]) -> Tensor:
        """Return the gain m at frequencies per axis in cycles per sample, broadcastable to each other."""
        scales = self.log_cutoff.to(frequencies[0].dtype).exp()
        square = torch.zeros_like(frequencies[0])
        for axis, frequency in enumerate(frequencies):
            square = square + (frequency / (self.spacing[axis] * scales[axis])).square()
        # The square root has no gradient at 0, where the constant lies: hence the clamp.
        edge = 1 / self.softness
        # Divided by the gain at f = 0, so that a constant passes unchanged.
        top = torch.sigmoid(torch.tensor(edge, dtype=square.dtype, device=square.device))
        return torch.sigmoid(edge * (1 - square.clamp(min=1e-30).sqrt())) / top

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, channels, *shape) to the same shape.

        Raises:
            InputError: If the values have other axes.
        """
        check_grid(values, self.axes)
        return apply_response(values, self.axes, self.periodic, self.response)

"""The wide network whose fit is wanted, on a signal's grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor

from overtone.errors import InputError
from overtone.nn import Field, Frame
from overtone.nn.encodings import Encoding
from overtone.nn.encodings import Fourier as Waves
from overtone.signals import Grid
from overtone.theory.ntk import infinite
from overtone.theory.ntk.infinite import Dense, Dual, Fourier, Wide
from overtone.theory.ntk.operators.lags import lags, whole_cycles
from overtone.theory.ntk.operators.toeplitz import Toeplitz


@final
@dataclass(frozen=True)
class Model:
    """A wide network after a Fourier encoding, and how far apart it sees a grid's samples.

    Attributes:
        wide: The network; its inputs are Fourier features.
        spacing: Distance of neighbouring samples per axis, in the unit of the encoding's coordinates.
    """

    wide: Wide
    spacing: tuple[float, ...]

    def operator(self, shape: tuple[int, ...], present: Tensor | None = None) -> Toeplitz:
        """The tangent kernel between the present samples of a grid of `shape`, float64.

        Axes along which all frequencies complete whole cycles are not doubled.

        Args:
            shape: Samples per axis.
            present: (*shape) bool, or None for all.

        Raises:
            InputError: If the axes do not fit or no sample is present.
        """
        around = whole_cycles(self.wide, shape, self.spacing)
        return Toeplitz(lags(self.wide, shape, self.spacing, around), shape, around, present)


def after(
    encoding: Encoding, grid: Grid, *, depth: int = 3, dual: Dual | None = None, bias: float = 0.0
) -> Model:
    """The infinitely wide network in NTK parameterisation after an encoding with the frequencies it has.

    Args:
        encoding: A Fourier encoding.
        grid: Where the samples lie; it is brought to the encoding's domain as for training.
        depth: Hidden layers.
        dual: The activation; None for ReLU.
        bias: Standard deviation sigma_b of the biases; the weights have sigma_w^2 = 2.

    Raises:
        InputError: If the encoding has no frequencies, or a number of layers is below 1.
    """
    if depth < 1:
        raise InputError("at least one hidden layer", f"{depth}", "raise it", "depth")
    layers = [Dense.ntk(sigma_b=bias)] * (depth + 1)
    wide = infinite.fully_connected(layers, dual or infinite.relu(), _features(encoding))
    frame = Frame.of(grid.origin, grid.extent, grid.units, encoding.domain)
    return Model(wide, _spacing(frame, encoding, grid))


def of(field: Field, grid: Grid) -> Model:
    """The infinitely wide counterpart of a field as PyTorch initialises it, with the fan-ins it has.

    Args:
        field: Its encoding must have frequencies, its body a limit (`infinite.of`).
        grid: Where the samples lie.

    Raises:
        InputError: If the encoding has no frequencies or a layer has no infinitely wide counterpart.
    """
    return Model(
        infinite.of(field.body, _features(field.encoding)), _spacing(field.frame, field.encoding, grid)
    )


def _features(encoding: Encoding) -> Fourier:
    if not isinstance(encoding, Waves):
        raise InputError(
            "an encoding with frequencies, after which the kernel is stationary",
            encoding.describe(),
            "use a Gaussian or positional encoding",
            "encoding",
        )
    return Fourier(encoding.frequencies, encoding.gain)


def _spacing(frame: Frame, encoding: Encoding, grid: Grid) -> tuple[float, ...]:
    axes = len(grid.shape)
    if encoding.in_features != axes or len(frame.scale) != axes:
        raise InputError(
            f"an encoding of {axes} coordinates", f"{encoding.in_features}", "build it for this grid", "model"
        )
    return tuple(pitch * scale for pitch, scale in zip(grid.spacing, frame.scale.tolist(), strict=True))

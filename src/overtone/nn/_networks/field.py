"""Fields: networks with physical coordinates as input and physical values as output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from overtone._utils.tensors import as_tensor
from overtone.errors import InputError
from overtone.nn._networks.mlp import NetworkBase
from overtone.nn._utils import HighPrecisionBuffers, check_last_axis, positive_per_axis
from overtone.nn.encodings import Encoding


@final
class CoordinateScaling(HighPrecisionBuffers):
    """The map v = low + scale (x - origin) per axis from physical to encoding coordinates, in float64.

    Args:
        origin: (d,) physical coordinate that is mapped to `low`.
        scale: (d,) positive, in encoding units per physical unit.
        low: (d,) position of the origin in the encoding's domain.

    Raises:
        InputError: If the counts differ, a number is not finite, or a scale is not positive.

    Example:
        >>> import torch
        >>> from overtone import nn
        >>> scaling = nn.CoordinateScaling.of(origin=(0.0,), extent=(5.0,), units=("s",), domain=(0.0, 1.0))
        >>> scaling(torch.tensor([[2.5]])), scaling.to_physical([10.0])
        (tensor([[0.5000]], dtype=torch.float64), (2.0,))
    """

    origin: Tensor
    scale: Tensor
    low: Tensor

    def __init__(self, origin: Sequence[float], scale: Sequence[float], low: Sequence[float]) -> None:
        super().__init__()
        axes = len(origin)
        if axes == 0 or len(low) != axes or not all(map(math.isfinite, (*origin, *low))):
            raise InputError(
                "finite origin and low, one per axis", f"{origin} and {low}", "pass one number per axis"
            )
        numbers = {"origin": origin, "scale": positive_per_axis(scale, axes, "scale"), "low": low}
        for name, values in numbers.items():
            self.register_buffer(name, torch.tensor(tuple(values), dtype=torch.float64, device="cpu"))

    @staticmethod
    def identity(axes: int) -> CoordinateScaling:
        """Return the scaling that leaves `axes` coordinates as they are."""
        return CoordinateScaling((0.0,) * axes, (1.0,) * axes, (0.0,) * axes)

    @staticmethod
    def of(
        origin: Sequence[float],
        extent: Sequence[float],
        units: Sequence[str],
        domain: tuple[float, float],
    ) -> CoordinateScaling:
        """Return the scaling of the box [origin, origin + extent) to a domain, with one scale for axes of one unit.

        The longest of the axes of one unit fills the domain and the others are centred in it, so that the pixels of an
        image stay square and a bandwidth means the same along both sides.

        Args:
            origin: (d,) lower corner in physical units.
            extent: (d,) lengths in physical units.
            units: (d,) name of each axis's unit.
            domain: (low, high), an encoding's `domain`.

        Raises:
            InputError: If the counts differ or a length is not positive and finite.
        """
        # One scale for all axes of a unit: the longest axis of the unit sets it.
        lengths = positive_per_axis(tuple(extent), len(origin), "extent")
        if len(units) != len(origin):
            raise InputError(
                f"one unit per axis ({len(origin)})", f"{len(units)}", "pass one name per axis", "units"
            )
        low, high = domain
        longest = [max(e for e, u in zip(lengths, units, strict=True) if u == unit) for unit in units]
        return CoordinateScaling(
            origin,
            [(high - low) / top for top in longest],
            [low + (high - low) * (top - e) / (2 * top) for e, top in zip(lengths, longest, strict=True)],
        )

    def forward(self, coords: Tensor) -> Tensor:
        """Return the encoding coordinates (..., d) of physical coordinates (..., d), in float64."""
        check_last_axis(coords, len(self.scale), "coordinates")
        return self.low + self.scale * (coords.double() - self.origin)

    def to_physical(self, frequency: Sequence[float]) -> tuple[float, ...]:
        """Convert frequencies per axis from cycles per encoding unit to cycles per physical unit."""
        return tuple(f * s for f, s in zip(frequency, self.scale.tolist(), strict=True))


LARGE_OFFSET = 1e4
"""Offset over scale from which rounding to float32 costs more than a thousandth of the scale."""


@final
class OutputScaling(HighPrecisionBuffers):
    """The map y = offset + scale z per channel from network outputs to physical values.

    It is computed in float64 and returned in the precision of z, or in float64 where float32 would round away
    detail beside a large offset.

    Args:
        offset: (C,) in physical value units.
        scale: (C,) positive, physical value units per unit of the network's output.

    Raises:
        InputError: If the counts differ, a number is not finite, or a scale is not positive.

    Example:
        >>> import torch
        >>> from overtone import nn
        >>> nn.OutputScaling(offset=[20.0], scale=[5.0])(torch.tensor([[-1.0], [1.0]]))
        tensor([[15.],
                [25.]])
    """

    offset: Tensor
    scale: Tensor

    def __init__(self, offset: Tensor | Sequence[float], scale: Tensor | Sequence[float]) -> None:
        super().__init__()
        pair = [as_tensor(v, torch.float64).detach().clone() for v in (offset, scale)]
        same = pair[0].ndim == 1 and pair[0].shape == pair[1].shape and pair[0].numel() > 0
        if not same or not all(bool(v.isfinite().all()) for v in pair) or not bool((pair[1] > 0).all()):
            raise InputError(
                "one finite offset and one positive scale per channel",
                f"{pair[0].tolist()} and {pair[1].tolist()}",
                "pass the normalisation of the values that the network was trained on",
            )
        self.register_buffer("offset", pair[0])
        self.register_buffer("scale", pair[1])
        self._rounds = bool((pair[0].abs() > LARGE_OFFSET * pair[1]).any())

    @staticmethod
    def identity(channels: int) -> OutputScaling:
        """Return the scaling that leaves `channels` values as they are."""
        return OutputScaling((0.0,) * channels, (1.0,) * channels)

    def forward(self, normalised: Tensor) -> Tensor:
        """Return the physical values (..., C) of network outputs (..., C)."""
        # Rounded once, at the end: float32 would round the product before a large offset is added.
        values = self.offset + self.scale * normalised.double()
        return values if self._rounds else values.to(normalised.dtype)


@final
class Field(nn.Module):
    """A network from physical coordinates (N, d) to physical values (N, C): restore(body(encoding(frame(x)))).

    The coordinate scaling and the phases of the encoding are computed in float64, so that a recording of many minutes
    keeps its phase; features, network and values have the precision of the network's parameters.

    Args:
        encoding: Encoding of d coordinates in its domain.
        body: Network from the features to C values: an `MLP`, a `ResidualMLP` or any other module.
        frame: Scaling from physical coordinates to the encoding's domain; the identity by default.
        restore: Scaling from the body's outputs to physical values; the identity by default.

    Raises:
        InputError: If the numbers of coordinates, features or channels do not fit together.

    Example:
        >>> import torch
        >>> from overtone import nn
        >>> encoding = nn.encodings.Gaussian(2, 64, sigma=5.0)
        >>> field = nn.Field(encoding, nn.MLP(encoding.out_features, 3, width=32, depth=2))
        >>> field(torch.zeros(10, 2)).shape, field.describe()
        (torch.Size([10, 3]), 'Gaussian(64 features, sigma 5) + MLP 2 x 32 ReLU')
    """

    def __init__(
        self,
        encoding: Encoding,
        body: nn.Module,
        frame: CoordinateScaling | None = None,
        restore: OutputScaling | None = None,
    ) -> None:
        super().__init__()
        self.encoding, self.body = encoding, body
        self.frame = frame or CoordinateScaling.identity(encoding.in_features)
        self.restore = restore or nn.Identity()
        _check_count("coordinates of the frame", len(self.frame.scale), encoding.in_features)
        if isinstance(body, NetworkBase):
            _check_count("inputs of the body", body.in_features, encoding.out_features)
            if restore is not None:
                _check_count("channels of the output scaling", len(restore.scale), body.out_features)

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the network's parameters."""
        return next((p.dtype for p in self.body.parameters() if p.is_floating_point()), torch.float32)

    @property
    def bandwidth(self) -> tuple[float, ...] | None:
        """Bandwidth per axis, in cycles per physical unit.

        It is that of the encoding, or that of the network after an identity encoding; None if neither has one.
        """
        inner = self.encoding.bandwidth
        if inner is None and self.encoding.frequencies is None and isinstance(self.body, NetworkBase):
            inner = self.body.bandwidth
        return None if inner is None else self.frame.to_physical(inner)

    @property
    def parameter_count(self) -> int:
        """Number of trainable parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def describe(self) -> str:
        """Return one line for titles and records, "Gaussian(256 features, sigma 10) + MLP 3 x 256 ReLU"."""
        body = self.body.describe() if isinstance(self.body, NetworkBase) else type(self.body).__name__
        return f"{self.encoding.describe()} + {body}"

    def normalised(self, coords: Tensor) -> Tensor:
        """Return the network's output in normalised units, which training compares with normalised values.

        Args:
            coords: (N, d) physical coordinates; float64 if float32 does not resolve the samples.

        Returns:
            (N, C) in the precision of the network's parameters.

        Raises:
            InputError: If there are not d coordinates.
        """
        precision = self.dtype
        return self.body(self.encoding(self.frame(coords), precision)).to(precision)

    def forward(self, coords: Tensor) -> Tensor:
        """Return the physical values (N, C) at physical coordinates (N, d)."""
        return self.restore(self.normalised(coords))


def output_power(network: nn.Module) -> float:
    """Return the mean square scale of a field's outputs, 1 of other networks: a loss over it is one of scaled outputs.

    Optimizers such as Adam, which add 1e-8 to the size of gradients, need it where values are small.

    Args:
        network: The network.
    """
    restore = getattr(network, "restore", None)
    return float(restore.scale.square().mean()) if isinstance(restore, OutputScaling) else 1.0


def _check_count(counted: str, got: int, expected: int) -> None:
    if got != expected:
        raise InputError(f"{expected} {counted}", f"{got}", "build both modules for the same number", "Field")

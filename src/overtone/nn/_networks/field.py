"""Coordinate networks in physical units: scaled coordinates, encoding, body, scaled outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from overtone._utils.tensors import as_tensor
from overtone.errors import InputError
from overtone.nn._networks.mlp import NetworkBase
from overtone.nn._utils import HighPrecisionBuffers, last_axis, per_axis
from overtone.nn.encodings import Encoding


@final
class CoordinateScaling(HighPrecisionBuffers):
    """The map v = low + scale (x - origin) per axis, computed and returned in float64.

    Args:
        origin: (d,) physical coordinate that is mapped to `low`.
        scale: (d,) positive, in encoding units per physical unit.
        low: (d,) where the origin lies in the encoding's domain.

    Raises:
        InputError: If the counts differ, a number is not finite, or a scale is not positive.
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
        numbers = {"origin": origin, "scale": per_axis(scale, axes, "scale"), "low": low}
        for name, values in numbers.items():
            self.register_buffer(name, torch.tensor(tuple(values), dtype=torch.float64, device="cpu"))

    @staticmethod
    def identity(axes: int) -> CoordinateScaling:
        """The map that leaves `axes` coordinates as they are."""
        return CoordinateScaling((0.0,) * axes, (1.0,) * axes, (0.0,) * axes)

    @staticmethod
    def of(
        origin: Sequence[float],
        extent: Sequence[float],
        units: Sequence[str],
        domain: tuple[float, float],
    ) -> CoordinateScaling:
        """Fit the box [origin, origin + extent) into a domain, with one scale for the axes that share a unit.

        Of the axes of one unit the longest fills the domain and the others are centred in it, so that a
        picture's pixels stay square and a bandwidth means the same along both sides.

        Args:
            origin: (d,) lower corner in physical units.
            extent: (d,) lengths in physical units.
            units: (d,) name of each axis's unit.
            domain: (low, high), an encoding's `domain`.

        Returns:
            The frame.

        Raises:
            InputError: If the counts differ or a length is not positive and finite.
        """
        lengths = per_axis(tuple(extent), len(origin), "extent")
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
        """Physical coordinates (..., d) to encoding coordinates (..., d) in float64."""
        last_axis(coords, len(self.scale), "coordinates")
        return self.low + self.scale * (coords.double() - self.origin)

    def to_physical(self, frequency: Sequence[float]) -> tuple[float, ...]:
        """Frequencies per axis in cycles per encoding unit, as cycles per physical unit."""
        return tuple(f * s for f, s in zip(frequency, self.scale.tolist(), strict=True))


@final
class OutputScaling(HighPrecisionBuffers):
    """The map y = offset + scale z per channel, computed in float64 and returned in the precision of z.

    Args:
        offset: (C,) in physical value units.
        scale: (C,) positive, physical value units per unit of the network's output.

    Raises:
        InputError: If the counts differ, a number is not finite, or a scale is not positive.
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

    @staticmethod
    def identity(channels: int) -> OutputScaling:
        """The map that leaves `channels` values as they are."""
        return OutputScaling((0.0,) * channels, (1.0,) * channels)

    def forward(self, normalised: Tensor) -> Tensor:
        """Network outputs (..., C) to physical values (..., C)."""
        return (self.offset + self.scale * normalised.double()).to(normalised.dtype)


@final
class Field(nn.Module):
    """Physical coordinates (N, d) to physical values (N, C): restore(body(encoding(frame(x)))).

    The frame and the phases of the encoding are computed in float64, so that a recording of many minutes
    keeps its phase; features, network and values have the precision of the network's parameters.

    Args:
        encoding: From d coordinates in its domain to features.
        body: Any module from those features to C values; `MLP` or `ResidualMLP` from here, or one's own.
        frame: From physical coordinates to the encoding's domain; none for coordinates that lie in it
            already.
        restore: From the body's outputs to physical values; none if they are that already.

    Raises:
        InputError: If the numbers of coordinates, features or channels do not fit together.
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
        _fits("coordinates of the frame", len(self.frame.scale), encoding.in_features)
        if isinstance(body, NetworkBase):
            _fits("inputs of the body", body.in_features, encoding.out_features)
            if restore is not None:
                _fits("channels of the restoring map", len(restore.scale), body.out_features)

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the network's parameters."""
        return next((p.dtype for p in self.body.parameters() if p.is_floating_point()), torch.float32)

    @property
    def bandwidth(self) -> tuple[float, ...] | None:
        """Bandwidth per axis, in cycles per physical unit.

        The encoding's, or that of the waves which a network brings to plain coordinates; None if there is neither.
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
        """One line for titles and records, "Gaussian(256 features, sigma 10) + MLP 3 x 256 ReLU"."""
        body = self.body.describe() if isinstance(self.body, NetworkBase) else type(self.body).__name__
        return f"{self.encoding.describe()} + {body}"

    def normalised(self, coords: Tensor) -> Tensor:
        """The network's output before it is restored: what training compares with normalised values.

        Args:
            coords: (N, d) physical coordinates; float64 wherever a float32 does not resolve the samples.

        Returns:
            (N, C) in the precision of the network's parameters.

        Raises:
            InputError: If there are not d coordinates.
        """
        precision = self.dtype
        return self.body(self.encoding(self.frame(coords), precision)).to(precision)

    def forward(self, coords: Tensor) -> Tensor:
        """Physical values (N, C) at physical coordinates (N, d); see `normalised`."""
        return self.restore(self.normalised(coords))


def _fits(what: str, got: int, expected: int) -> None:
    if got != expected:
        raise InputError(f"{expected} {what}", f"{got}", "build both for the same number", "Field")

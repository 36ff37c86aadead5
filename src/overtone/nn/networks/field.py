"""A network as a function of physical coordinates."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn.encodings import Encoding
from overtone.nn.networks.body import Body
from overtone.nn.networks.frame import Frame
from overtone.nn.networks.restore import Restore


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
        self, encoding: Encoding, body: nn.Module, frame: Frame | None = None, restore: Restore | None = None
    ) -> None:
        super().__init__()
        self.encoding, self.body = encoding, body
        self.frame = frame or Frame.identity(encoding.in_features)
        self.restore = restore or nn.Identity()
        _fits("coordinates of the frame", len(self.frame.scale), encoding.in_features)
        if isinstance(body, Body):
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
        seen = self.encoding.bandwidth
        if seen is None and self.encoding.frequencies is None and isinstance(self.body, Body):
            seen = self.body.bandwidth
        return None if seen is None else self.frame.to_physical(seen)

    @property
    def parameter_count(self) -> int:
        """Number of trainable parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def describe(self) -> str:
        """One line for titles and records, "Gaussian(256 features, sigma 10) + MLP 3 x 256 ReLU"."""
        body = self.body.describe() if isinstance(self.body, Body) else type(self.body).__name__
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

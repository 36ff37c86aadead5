"""No encoding: the coordinates as they are."""

from __future__ import annotations

from typing import Never, final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.nn.checks import Numbers, last_axis, size
from overtone.nn.encodings.encoding import Encoding


@final
class Identity(Encoding):
    """gamma(v) = v, for plain networks and for sine networks, which bring their own frequencies.

    Args:
        in_features: d, the number of coordinates.
    """

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.in_features = self.out_features = size(in_features, "in_features")
        self.domain = (-1.0, 1.0)
        self.register_buffer("frequencies", None)

    @property
    def bandwidth(self) -> None:
        """None: nothing is added to the frequencies of the network."""
        return None

    def with_bandwidth(self, bandwidth: Numbers) -> Never:
        """Refuses: there is no frequency to set."""
        raise InputError(
            "an encoding that has a bandwidth",
            f"Identity, to reach {bandwidth}",
            "take another encoding, or set the bandwidth of the network after it",
            "bandwidth",
        )

    def describe(self) -> str:
        """One line for titles and records."""
        return "Identity"

    def forward(self, coords: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """The coordinates (..., d), in `dtype` if given."""
        last_axis(coords, self.in_features, "coordinates")
        return coords if dtype is None else coords.to(dtype)

"""The simplest Fourier features: one cycle per axis."""

from __future__ import annotations

from typing import final

import torch

from overtone.nn.checks import size
from overtone.nn.encodings.fourier import Fourier, share_bandwidth


@final
class Basic(Fourier):
    """gamma(v) = [cos(2 pi v), sin(2 pi v)] per axis, which wraps the domain into a circle.

    "Basic" in Tancik et al. 2020, section 6.

    Args:
        in_features: d, the number of coordinates.
    """

    def __init__(self, in_features: int) -> None:
        super().__init__(torch.eye(size(in_features, "in_features"), device="cpu"))

    def describe(self) -> str:
        """One line for titles and records."""
        found = share_bandwidth(self.frequencies)
        return "Basic" if set(found) == {1.0} else f"Basic({', '.join(f'{b:.4g}' for b in found)} cycles)"

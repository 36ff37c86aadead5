"""What is known of an infinitely wide layer for pairs of samples."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class State:
    """Moments of one unit h of a layer over the random weights, and its tangent kernel. All float64.

    Attributes:
        q11: (N, 1) E[h(x)^2].
        q22: (1, M) E[h(x')^2].
        q12: (N, M) E[h(x) h(x')].
        tangent: (N, M) sum over parameters of dh(x)/dtheta dh(x')/dtheta.
        mean1: (N, 1) E[h(x)].
        mean2: (1, M) E[h(x')].
    """

    q11: Tensor
    q22: Tensor
    q12: Tensor
    tangent: Tensor
    mean1: Tensor
    mean2: Tensor

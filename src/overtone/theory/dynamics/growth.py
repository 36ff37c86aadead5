"""A kernel that grows while features are learned, continued as a power of the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError

STEEPEST = 4.0
"""Largest exponent that is believed: twice the steps then multiply an eigenvalue by 16."""


@final
@dataclass(frozen=True)
class Growth:
    """Eigenvalues that go on as k(t) = k(s) (t / s)^g for t >= s.

    Attributes:
        exponents: (mode,) g, between 0 and `STEEPEST`.
        since: s, the step of the kernel whose eigenvalues are continued.
    """

    exponents: Tensor
    since: int

    @staticmethod
    def between(earlier: Tensor, eigenvalues: Tensor, modes: Tensor, first: int, second: int) -> Growth:
        """Exponents from the kernel at two steps: g = log(k / u^T K' u) / log(s / s') for each mode u.

        Args:
            earlier: (M, M) the kernel K' at step `first`.
            eigenvalues: (M,) k of the kernel at step `second`.
            modes: (M, M) its eigenvectors u, in columns.
            first: s', at least 1.
            second: s, after it.

        Raises:
            InputError: If the steps are not 1 <= first < second.
        """
        if not 1 <= first < second:
            raise InputError(
                "1 <= first < second", f"{first} and {second}", "linearise twice along the pilot", "growth"
            )
        floor = torch.finfo(torch.float64).eps * len(modes) * eigenvalues.max()
        before = ((earlier.double() @ modes) * modes).sum(0).clamp_min(floor)
        ratio = torch.log(eigenvalues.clamp_min(floor) / before)
        per_octave = torch.log(torch.tensor(second / first, dtype=torch.float64))
        return Growth((ratio / per_octave).clamp(0, STEEPEST), second)

    def slowed(self, share: float) -> Growth:
        """The same with `share` of the exponents."""
        return Growth(share * self.exponents, self.since)

    def factor(self, start: int, stop: int) -> Tensor:
        """(mode,) mean of (t / s)^g over start <= t <= stop."""
        power = self.exponents + 1
        a, b = start / self.since, stop / self.since
        return (b**power - a**power) / (power * (b - a))

"""A kernel that grows while features are learned, continued as a power of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError

APART = 1.5
"""Ratio of the steps of two kernels from which a growth is read, where there are such."""

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
        per_octave = torch.log(torch.tensor(second / first, dtype=torch.float64, device="cpu"))
        return Growth((ratio / per_octave).clamp(0, STEEPEST), second)

    def slowed(self, share: float) -> Growth:
        """The same with `share` of the exponents."""
        return Growth(share * self.exponents, self.since)

    def factor(self, start: int, stop: int) -> Tensor:
        """(mode,) mean of (t / s)^g over start <= t <= stop."""
        power = self.exponents + 1
        a, b = start / self.since, stop / self.since
        return (b**power - a**power) / (power * (b - a))


@final
class Kernels:
    """A few kernels of the same samples on the way, to read a growth from."""

    def __init__(self) -> None:
        self._noted: list[tuple[int, Tensor]] = []

    def branch(self) -> Kernels:
        """Another one that begins with the same kernels."""
        other = Kernels()
        other._noted = list(self._noted)
        return other

    def note(self, step: int, kernel: Tensor) -> None:
        """Keep the kernel at a step, unless one shortly before is kept; steps ascend from 1."""
        if self._noted and step < self._noted[-1][0] * math.sqrt(APART):
            return
        known = [each for each in self._noted if each[0] * APART <= step]
        self._noted = [*known[-1:], *self._noted[len(known) :], (step, kernel)]

    def growth(self, eigenvalues: Tensor, modes: Tensor, step: int) -> Growth | None:
        """The growth from the last kernel `APART` before `step`, or else the first one; None if there is none earlier.

        Args:
            eigenvalues: (M,) of the kernel at `step`.
            modes: (M, M) its eigenvectors, in columns.
            step: Step of that kernel.
        """
        earlier = [each for each in self._noted if each[0] < step]
        far = [each for each in earlier if each[0] * APART <= step]
        if not earlier:
            return None
        first, kernel = far[-1] if far else earlier[0]
        return Growth.between(kernel, eigenvalues, modes, first, step)

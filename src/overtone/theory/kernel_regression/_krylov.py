"""One Krylov space per channel: the fit at all training times from the same products with the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone._utils.special import decay_integral
from overtone.errors import InputError, RunError
from overtone.theory.ntk._operators.stationary import ToeplitzOperator


@final
class GradientFlowKrylov:
    """Gradient flow of a kernel predictor on |f - y|^2 / 2, started from 0.

    After time t the prediction is f_t(x) = k(x, X) g_t(K) y with g_t(z) = (1 - exp(-z t)) / z. Lanczos builds
    V and the tridiagonal H with K V = V H + rest, and g_t(K) y = |y| V g_t(H) e_1: one space holds all times.
    Without reorthogonalisation: rounding costs a few more vectors, not accuracy (Druskin and Knizhnerman 1992,
    "Error bounds in the simple Lanczos procedure"; Musco, Musco, Sidford 2018, arXiv 1708.07788).

    Args:
        operator: The kernel between the training samples, float64.
        values: (size, C) y.
        probes: (P,) flat indices of grid samples at which the fit is wanted at every time.

    Attributes:
        dimension: Vectors per channel so far.
    """

    def __init__(self, operator: ToeplitzOperator, values: Tensor, probes: Tensor) -> None:
        self._operator, self._probes = operator, probes.to(operator.device)
        self._least = torch.finfo(torch.float64).eps * float(operator.spectrum.abs().max())
        start = values.to(operator.device, torch.float64).mT.contiguous()
        self._norm = start.norm(dim=1)
        self._next = start / self._norm.clamp_min(torch.finfo(torch.float64).tiny)[:, None]
        self._basis: list[Tensor] = []
        self._seen: list[Tensor] = []
        self._diagonal: list[Tensor] = []
        self._below: list[Tensor] = []

    @property
    def dimension(self) -> int:
        """Vectors per channel so far."""
        return len(self._basis)

    def extend(self, dimension: int) -> None:
        """Grow every channel's space to `dimension` vectors; a space that is exhausted stays as it is."""
        while len(self._basis) < dimension:
            vector = self._next
            field = self._operator.everywhere(vector)
            self._seen.append(field.reshape(len(vector), -1)[:, self._probes])
            product = self._operator.restricted(field)
            if self._basis:
                product = product - self._below[-1][:, None] * self._basis[-1]
            along = (product * vector).sum(1)
            product = product - along[:, None] * vector
            size = product.norm(dim=1)
            size = torch.where(size > self._least, size, 0.0)
            self._basis.append(vector)
            self._diagonal.append(along)
            self._below.append(size)
            self._next = torch.where(size[:, None] > 0, product / size[:, None].clamp_min(self._least), 0.0)

    def probed(self, times: Tensor) -> Tensor:
        """(T, P, C) the fit at the probes after each of T times."""
        weights = self._weights(times)
        return torch.stack([w @ s for w, s in zip(weights, torch.stack(self._seen, 1), strict=True)], 2)

    def predict(self, time: float) -> Tensor:
        """(*shape, C) the fit on the whole grid after one time."""
        weights = self._weights(torch.tensor([time], dtype=torch.float64, device="cpu"))
        total = torch.zeros_like(self._next)
        for step, vector in enumerate(self._basis):
            total += weights[:, :, step] * vector
        return self._operator.everywhere(total).movedim(0, -1)

    def _weights(self, times: Tensor) -> Tensor:
        """(C, T, m) |y| g_t(H) e_1."""
        diagonal, below = torch.stack(self._diagonal, 1), torch.stack(self._below, 1)[:, :-1]
        matrix = diagonal.diag_embed() + below.diag_embed(1) + below.diag_embed(-1)
        values, vectors = torch.linalg.eigh(matrix)
        learned = decay_integral(values.clamp_min(0)[:, None], times.to(values)[:, None])
        return self._norm[:, None, None] * ((learned * vectors[:, :1]) @ vectors.mT)


@final
class PrincipalChannels:
    """The fits of C channels by one kernel.

    The kernel acts on all channels alike, so they may be rotated among each other. Along their principal axes
    most of the power lies in one (the brightness of a picture); the others need fewer vectors for the same
    error in sum.

    Args:
        operator: The kernel between the training samples.
        values: (size, C) y.
        probes: (P,) flat indices of grid samples at which the fit is wanted at every time.

    Attributes:
        rotation: (C, C) orthogonal, from principal axes (rows) to channels (columns).
    """

    def __init__(self, operator: ToeplitzOperator, values: Tensor, probes: Tensor) -> None:
        exact = values.double()
        _, axes = torch.linalg.eigh(exact.mT @ exact)
        self.rotation = axes.mT.to(operator.device)
        self._spaces = [
            GradientFlowKrylov(operator, each[:, None], probes) for each in (exact @ axes).unbind(1)
        ]

    def __len__(self) -> int:
        return len(self._spaces)

    @property
    def vectors(self) -> int:
        """Krylov vectors of all axes together."""
        return sum(space.dimension for space in self._spaces)

    def probed(self, axis: int, dimension: int, times: Tensor) -> Tensor:
        """(T, P) fit of one principal axis at the probes, from `dimension` vectors or more."""
        self._spaces[axis].extend(dimension)
        return self._spaces[axis].probed(times)[..., 0]

    def predict(self, time: float) -> Tensor:
        """(*shape, C) the fit of the channels on the whole grid after one time."""
        return torch.cat([space.predict(time) for space in self._spaces], -1) @ self.rotation


FIRST, GROWTH = 24, 1.3
"""Vectors before the first look at the fit, and the factor until the next."""

CONFIRM = 1.1
"""The same factor once no later time promises less: a second look settles it."""

QUIET = 0.1
"""Share of the squared change allowed to all channels below which one of them is left alone."""

FLAT = 1.001
"""Errors within this factor of the least are one plateau, of which the earliest time is taken."""

PROMISE = 0.995
"""A later time counts as better only if its squared error is below this share of the best one."""


@final
@dataclass(frozen=True)
class SolverOptions:
    """How far to go, and how exactly.

    Attributes:
        tolerance: A time is settled when its held-out predictions move by less than this share of their own
            root mean square error as the Krylov space last grew.
        vectors: Most Krylov vectors per channel.
        memory: Most memory for them, in GiB.
    """

    tolerance: float = 0.05
    vectors: int = 600
    memory: float = 4.0

    def __post_init__(self) -> None:
        if not (0 < self.tolerance < 1 and self.vectors >= 2 and self.memory > 0):
            raise InputError(
                "a tolerance between 0 and 1, 2 vectors or more and a positive memory",
                f"{self.tolerance}, {self.vectors} and {self.memory}",
                "leave them at 0.05, 600 and 4",
                "effort",
            )

    def max_vectors(self, samples: int, channels: int) -> int:
        """Vectors that fit, for `samples` values per channel."""
        return max(2, min(self.vectors, int(self.memory * 2**30 / (8 * samples * channels))))


@final
@dataclass(frozen=True)
class ErrorPath:
    """Held-out error along training.

    Attributes:
        error: (T, C) mean squared held-out error; of times not settled it is an estimate.
        settled: (T,) bool, True for a prefix of the times.
        best: Index of the settled time with the least error, averaged over channels (`earliest`).
        change: Root mean square change of the held-out predictions at that time as the space last grew,
            relative to their root mean square error.
        vectors: Krylov vectors of all channels together.
        complete: Whether no later time promised less when the search ended.
    """

    error: Tensor
    settled: Tensor
    best: int
    change: float
    vectors: int
    complete: bool


def earliest_minimum(error: Tensor) -> int:
    """Index of the first of the (T,) errors that is within a thousandth of the least."""
    return int((error <= FLAT * error.min()).int().argmax())


def follow_error_path(
    channels: PrincipalChannels, truth: Tensor, times: Tensor, effort: SolverOptions, most: int
) -> ErrorPath:
    """Grow the Krylov spaces of all channels until the time of least held-out error is settled.

    A principal axis whose held-out predictions no longer matter to the sum, at any time, is not grown further.

    Args:
        channels: The spaces; they are extended in place.
        truth: (P, C) held-out values at the spaces' probes.
        times: (T,) training times, ascending.
        effort: How exactly.
        most: Most vectors per axis.

    Returns:
        The errors and what is settled.

    Raises:
        RunError: If `most` vectors settle not even the first time.
    """
    wanted, sure = min(FIRST, most), False
    count = len(channels)
    fits: list[Tensor] = [truth.new_zeros(0)] * count
    moved = truth.new_full((len(times), count), float("inf"))
    growing = list(range(count))
    floor = torch.finfo(torch.float64).eps * truth.square().mean()
    while True:
        for axis in growing:
            fit = channels.probed(axis, wanted, times)
            if fits[axis].numel():
                moved[:, axis] = (fit - fits[axis]).square().mean(1)
            fits[axis] = fit
        error = (torch.stack(fits, -1) @ channels.rotation - truth).square().mean(1)
        mean = error.mean(1)
        allowed = effort.tolerance**2 * mean.clamp_min(floor)
        settled = (moved.mean(1) <= allowed).cumprod(0).bool()
        complete = False
        if bool(settled.any()):
            best = earliest_minimum(torch.where(settled, mean, float("inf")))
            complete = not bool((mean[~settled] < PROMISE * mean[best]).any())
            if bool(settled.all()) or (complete and sure) or wanted >= most:
                change = float((moved[best].mean() / mean[best].clamp_min(floor)).sqrt())
                return ErrorPath(error, settled, best, change, channels.vectors, complete)
        elif wanted >= most:
            change = float((moved.mean(1) / mean.clamp_min(floor)).min().sqrt())
            raise RunError(
                f"held-out predictions that settle to {effort.tolerance:g} of their error",
                f"changes of {change:.2g} after {wanted} vectors",
                "allow more vectors or memory",
                "twin",
            )
        growing = [c for c in growing if bool((moved[:, c] > QUIET * allowed).any())]
        wanted = min(most, int((CONFIRM if complete else GROWTH) * wanted) + 1)
        sure = complete

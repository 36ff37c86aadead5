"""Krylov solver of NTK regression: the fit at all training times, and the time of minimum held-out error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone._utils.special import decay_integral
from overtone.errors import InputError, RunError
from overtone.theory.ntk._operators.lanczos import Lanczos
from overtone.theory.ntk._operators.stationary import ToeplitzOperator

FIRST_DIMENSION, GROWTH = 24, 1.3
"""Vectors before the first evaluation of the fit, and the growth factor before each later one."""

CONFIRM = 1.1
"""Growth factor once no later time has a smaller estimated error: one more evaluation confirms this."""

NEGLIGIBLE_SHARE = 0.1
"""Share of the allowed squared change of all channels below which one channel is not extended further."""

PLATEAU = 1.001
"""Errors within this factor of the minimum form one plateau, whose earliest time is chosen."""

IMPROVEMENT = 0.995
"""A later time counts as better only if its squared error is below this share of the smallest one."""


@final
class GradientFlowKrylov:
    """Gradient flow of a kernel predictor on |f - y|^2 / 2, started from 0.

    After time t the prediction is f_t(x) = k(x, X) g_t(K) y with g_t(z) = (1 - exp(-z t)) / z. Lanczos builds V and
    the tridiagonal H with K V = V H + remainder, and g_t(K) y = |y| V g_t(H) e_1: one space represents all times.
    There is no
    reorthogonalisation: rounding costs a few more vectors, not accuracy (Druskin and Knizhnerman 1992, "Error bounds
    in the simple Lanczos procedure"; Musco, Musco, Sidford 2018, arXiv 1708.07788).

    Args:
        operator: The kernel between the training samples, float64.
        values: (size, C) y.
        probes: (P,) flat indices of grid samples whose fit is evaluated at every time.
    """

    def __init__(self, operator: ToeplitzOperator, values: Tensor, probes: Tensor) -> None:
        self._operator, self._probes = operator, probes.to(operator.device)
        self._at_probes: list[Tensor] = []
        start = values.to(operator.device, torch.float64).mT.contiguous()
        self._norm = start.norm(dim=1)
        self._lanczos = Lanczos(
            self._multiply,
            start / self._norm.clamp_min(torch.finfo(torch.float64).tiny)[:, None],
            reorthogonalise=False,
            negligible=torch.finfo(torch.float64).eps * float(operator.spectrum.abs().max()),
        )

    @property
    def dimension(self) -> int:
        """Number of vectors per channel so far."""
        return len(self._lanczos.basis)

    def extend(self, dimension: int) -> None:
        """Extend every channel's space to `dimension` vectors; an exhausted space is not changed."""
        while self.dimension < dimension:
            self._lanczos.step()

    def predict_at_probes(self, times: Tensor) -> Tensor:
        """Return (T, P, C), the fit at the probes after each of T times."""
        weights = self._weights(times)
        columns = torch.stack(self._at_probes, 1)
        return torch.stack([w @ column for w, column in zip(weights, columns, strict=True)], 2)

    def predict(self, time: float) -> Tensor:
        """Return (*shape, C), the fit on the whole grid after one time."""
        weights = self._weights(torch.tensor([time], dtype=torch.float64, device="cpu"))
        total = torch.zeros_like(self._lanczos.basis[0])
        for step, vector in enumerate(self._lanczos.basis):
            total += weights[:, :, step] * vector
        return self._operator.apply_everywhere(total).movedim(0, -1)

    def _multiply(self, vector: Tensor) -> Tensor:
        # The product is computed on the whole grid, so that its values at the probes are available at no cost.
        field = self._operator.apply_everywhere(vector)
        self._at_probes.append(field.reshape(len(vector), -1)[:, self._probes])
        return self._operator.at_samples(field)

    def _weights(self, times: Tensor) -> Tensor:
        """Return (C, T, m), |y| g_t(H) e_1."""
        values, vectors = torch.linalg.eigh(self._lanczos.tridiagonal())
        learned = decay_integral(values.clamp_min(0)[:, None], times.to(values)[:, None])
        return self._norm[:, None, None] * ((learned * vectors[:, :1]) @ vectors.mT)


@final
class PrincipalChannels:
    """The fits of C channels by one kernel.

    The kernel is the same for all channels, so the channels may be rotated. Most of the power lies along one
    principal axis (the brightness of a picture); the other axes need fewer vectors for the same total error.

    Args:
        operator: The kernel between the training samples.
        values: (size, C) y.
        probes: (P,) flat indices of grid samples whose fit is evaluated at every time.

    Attributes:
        rotation: (C, C) orthogonal, from principal axes (rows) to channels (columns).
    """

    def __init__(self, operator: ToeplitzOperator, values: Tensor, probes: Tensor) -> None:
        exact = values.double()
        _, axes = torch.linalg.eigh(exact.mT @ exact)
        self.rotation = axes.mT.to(operator.device)
        self._spaces = [
            GradientFlowKrylov(operator, column[:, None], probes) for column in (exact @ axes).unbind(1)
        ]

    def __len__(self) -> int:
        return len(self._spaces)

    @property
    def vectors(self) -> int:
        """Krylov vectors of all axes together."""
        return sum(space.dimension for space in self._spaces)

    def predict_at_probes(self, axis: int, dimension: int, times: Tensor) -> Tensor:
        """Return (T, P), the fit along one principal axis at the probes, from at least `dimension` vectors."""
        self._spaces[axis].extend(dimension)
        return self._spaces[axis].predict_at_probes(times)[..., 0]

    def predict(self, time: float) -> Tensor:
        """Return (*shape, C), the fit of the channels on the whole grid after one time."""
        return torch.cat([space.predict(time) for space in self._spaces], -1) @ self.rotation


@final
@dataclass(frozen=True)
class SolverOptions:
    """Accuracy and limits of the Krylov solver.

    Attributes:
        tolerance: A time has converged if its held-out predictions change by less than this share of their root mean
            square error at the last extension of the Krylov space.
        vectors: Maximum number of Krylov vectors per channel.
        memory: Maximum memory for the vectors, in GiB.

    Example:
        >>> SolverOptions(vectors=100).max_vectors(samples=10_000, channels=3)
        100
    """

    tolerance: float = 0.05
    vectors: int = 600
    memory: float = 4.0

    def __post_init__(self) -> None:
        if not (0 < self.tolerance < 1 and self.vectors >= 2 and self.memory > 0):
            raise InputError(
                "a tolerance between 0 and 1, at least 2 vectors and a positive memory",
                f"{self.tolerance}, {self.vectors} and {self.memory}",
                "pass for instance 0.05, 600 and 4",
                "options",
            )

    def max_vectors(self, samples: int, channels: int) -> int:
        """Return the number of vectors that fit in memory, for `samples` values per channel."""
        return max(2, min(self.vectors, int(self.memory * 2**30 / (8 * samples * channels))))


@final
@dataclass(frozen=True)
class ErrorPath:
    """Held-out error at the training times.

    Attributes:
        error: (T, C) mean squared held-out error; an estimate for times without convergence.
        settled: (T,) bool, whether each time has converged; True for a prefix of the times.
        best: Index of the converged time with the minimum error, averaged over channels (`earliest_minimum`).
        change: Root mean square change of the held-out predictions at that time at the last extension of the space,
            relative to their root mean square error.
        vectors: Krylov vectors of all channels together.
        complete: Whether no later time had a smaller estimated error when the search ended.
    """

    error: Tensor
    settled: Tensor
    best: int
    change: float
    vectors: int
    complete: bool


def earliest_minimum(error: Tensor) -> int:
    """Return the index of the first of the (T,) errors within a thousandth of the minimum."""
    return int((error <= PLATEAU * error.min()).int().argmax())


def follow_error_path(
    channels: PrincipalChannels, truth: Tensor, times: Tensor, options: SolverOptions, max_vectors: int
) -> ErrorPath:
    """Extend the Krylov spaces of all channels until the time of minimum held-out error has converged.

    A principal axis whose held-out predictions affect the sum negligibly at all times is not extended further.

    Args:
        channels: The spaces; they are extended in place.
        truth: (P, C) held-out values at the spaces' probes.
        times: (T,) training times, ascending.
        options: Accuracy.
        max_vectors: Maximum number of vectors per axis.

    Returns:
        The errors and the converged times.

    Raises:
        RunError: If the first time has not converged with `max_vectors`.
    """
    dimension, confirmed = min(FIRST_DIMENSION, max_vectors), False
    count = len(channels)
    fits: list[Tensor] = [truth.new_zeros(0)] * count
    moved = truth.new_full((len(times), count), float("inf"))
    growing = list(range(count))
    floor = torch.finfo(torch.float64).eps * truth.square().mean()
    while True:
        # Evaluate the fit along every axis that is still extended, and the change by its last extension.
        for axis in growing:
            fit = channels.predict_at_probes(axis, dimension, times)
            if fits[axis].numel():
                moved[:, axis] = (fit - fits[axis]).square().mean(1)
            fits[axis] = fit
        error = (torch.stack(fits, -1) @ channels.rotation - truth).square().mean(1)
        mean = error.mean(1)
        # Early times converge first (short Krylov spaces suffice), so the converged times are a prefix.
        allowed = options.tolerance**2 * mean.clamp_min(floor)
        settled = (moved.mean(1) <= allowed).cumprod(0).bool()
        complete = False
        if bool(settled.any()):
            best = earliest_minimum(torch.where(settled, mean, float("inf")))
            # Stop once no later time has a smaller estimated error, twice in a row: estimates can still decrease.
            complete = not bool((mean[~settled] < IMPROVEMENT * mean[best]).any())
            if bool(settled.all()) or (complete and confirmed) or dimension >= max_vectors:
                change = float((moved[best].mean() / mean[best].clamp_min(floor)).sqrt())
                return ErrorPath(error, settled, best, change, channels.vectors, complete)
        elif dimension >= max_vectors:
            change = float((moved.mean(1) / mean.clamp_min(floor)).min().sqrt())
            raise RunError(
                f"held-out predictions that converge to {options.tolerance:g} of their error",
                f"changes of {change:.2g} after {dimension} vectors",
                "allow more vectors or memory",
                "options",
            )
        growing = [c for c in growing if bool((moved[:, c] > NEGLIGIBLE_SHARE * allowed).any())]
        dimension = min(max_vectors, int((CONFIRM if complete else GROWTH) * dimension) + 1)
        confirmed = complete

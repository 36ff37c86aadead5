"""True errors of candidates beside their residuals, where the solution of an equation is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import xarray

CLEARLY = 1.2
"""Ratio of two residuals, and of two errors, from which they count as different."""

SOLVED = 1e-6
"""Relative errors up to which an equation is solved: smaller ones are compared as if they were equal."""

TINY = float(np.finfo(np.float64).tiny)


@final
@dataclass(frozen=True)
class CandidateErrors:
    """A candidate against the known solution.

    Attributes:
        name: Name of the candidate.
        residual: Root of the held-out loss over that of the zero field, geometric mean over seeds.
        error: Relative L2 error of the field, geometric mean over seeds.
        regret: That error over the least of all candidates, both at least 1e-6.
        bands: Per band, the amplitude of the error over that of the whole solution, root mean square over seeds.
    """

    name: str
    residual: float
    error: float
    regret: float
    bands: tuple[float, ...]


@final
@dataclass(frozen=True)
class TrueErrors:
    """All candidates against the known solution.

    Attributes:
        candidates: Their errors, least first.
        edges: Edges of the bands, in `unit`.
        solution: Per band, the amplitude of the solution over that of the whole.
        unit: Unit of frequency.
    """

    candidates: tuple[CandidateErrors, ...]
    edges: tuple[float, ...]
    solution: tuple[float, ...]
    unit: str

    @property
    def by_residual(self) -> CandidateErrors:
        """The candidate of the least residual, which is taken where the solution is unknown."""
        return min(self.candidates, key=lambda one: one.residual)

    @property
    def reversals(self) -> tuple[tuple[str, str], ...]:
        """Pairs of which the first has clearly the smaller residual and clearly the larger error."""
        return tuple(
            (a.name, b.name)
            for a in self.candidates
            for b in self.candidates
            if a.residual * CLEARLY < b.residual and a.error > CLEARLY * max(b.error, SOLVED)
        )

    @property
    def dataset(self) -> xarray.Dataset:
        """`error` (candidate, band) and `solution` (band), with `band_low` and `band_high`."""
        return xarray.Dataset(
            {
                "error": (("candidate", "band"), np.array([one.bands for one in self.candidates])),
                "solution": ("band", np.array(self.solution)),
                "band_low": ("band", np.array(self.edges[:-1])),
                "band_high": ("band", np.array(self.edges[1:])),
            },
            {"candidate": [one.name for one in self.candidates]},
            {"frequency_unit": self.unit},
        )


@final
@dataclass(frozen=True)
class FieldErrors:
    """One field against the known solution: residual, error and amplitudes of the error as in `CandidateErrors`."""

    residual: float
    error: float
    bands: tuple[float, ...]


def true_errors(
    fields: Mapping[str, Sequence[FieldErrors]],
    edges: Sequence[float],
    solution: Sequence[float],
    unit: str,
) -> TrueErrors:
    """Return the errors of all candidates.

    Args:
        fields: Per candidate, one per seed.
        edges: Edges of the bands.
        solution: Amplitude of the solution per band, over that of the whole.
        unit: Unit of frequency.
    """
    means = {
        name: (_mean([one.residual for one in seeds]), _mean([one.error for one in seeds]))
        for name, seeds in fields.items()
    }
    smallest = min(error for _, error in means.values())
    candidates = [
        CandidateErrors(
            name,
            *means[name],
            max(means[name][1], SOLVED) / max(smallest, SOLVED),
            tuple(np.sqrt(np.mean(np.square([one.bands for one in seeds]), axis=0)).tolist()),
        )
        for name, seeds in fields.items()
    ]
    candidates.sort(key=lambda one: one.error)
    return TrueErrors(tuple(candidates), tuple(edges), tuple(solution), unit)


def _mean(values: Sequence[float]) -> float:
    """Geometric mean; an exact field has a positive one."""
    return float(np.exp(np.mean(np.log(np.maximum(values, TINY)))))

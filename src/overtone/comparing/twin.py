"""The kernel twin as a candidate."""

from __future__ import annotations

from typing import final

import torch

from overtone.baselines import set_aside
from overtone.comparing.budget import WIDTH
from overtone.comparing.candidate import Attempt, Candidate
from overtone.comparing.network import Trained
from overtone.comparing.problem import Problem
from overtone.planning import Budget
from overtone.theory import kernel_regression as twin
from overtone.theory.kernel_regression.krylov import Krylov

EFFORT = twin.Effort(tolerance=0.05, vectors=300, memory=1.0)
"""Enough for the stop; more would move the prediction by less than a twentieth of its error."""


@final
class KernelTwin(Candidate):
    """The fit that an infinitely wide network of the same encoding would reach.

    The time to stop is chosen by a tenth of the training samples, then all are fitted for that time. It needs no
    budget.

    Args:
        network: Whose frequencies and depth it has.
    """

    def __init__(self, network: Trained) -> None:
        self._network = network

    @property
    def trained(self) -> bool:
        """No: it is a formula."""
        return False

    @property
    def drawn(self) -> bool:
        """Yes: the frequencies are."""
        return True

    def attempt(
        self,
        problem: Problem,
        budget: Budget,  # noqa: ARG002 - it needs none
        seed: int,
        device: torch.device,  # noqa: ARG002 - on the CPU
    ) -> Attempt:
        """See `Candidate.attempt`."""
        signal = problem.signal
        model = twin.of(self._network.field(problem, WIDTH, seed), signal.geometry)
        present = torch.zeros(signal.geometry.samples, dtype=torch.bool, device="cpu")
        present[signal.train_index] = True
        aside = torch.from_numpy(set_aside(present.numpy(), seed))
        chosen = twin.fit(signal.with_split(present & ~aside, aside), model, EFFORT)
        values = signal.normalisation.apply(signal.values.double())[present]
        mean = values.mean(0)
        space = Krylov(
            model.operator(signal.geometry.shape, present.reshape(signal.geometry.shape)),
            values - mean,
            signal.train_index[:1],
        )
        space.extend(min(chosen.vectors, EFFORT.most(len(values), values.shape[1])))
        fitted = signal.normalisation.restore(space.predict(chosen.time) + mean)
        return Attempt(fitted.reshape(signal.values.shape).to(signal.values), None, " ".join(chosen.notes))

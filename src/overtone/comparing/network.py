"""A trained network as a candidate."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from overtone._training import Decay, Ending, Options, Outcome, train
from overtone._utils.text import plural
from overtone.baselines import set_aside
from overtone.comparing.best import Best
from overtone.comparing.budget import WIDTH
from overtone.comparing.candidate import Attempt, Candidate
from overtone.comparing.extent import Extent
from overtone.comparing.problem import Problem
from overtone.errors import InputError
from overtone.fitting.network import NetworkSettings, build
from overtone.nn import Field
from overtone.planning import Budget, measure_noise
from overtone.planning.size import LEARNING_RATE
from overtone.probes import LogSchedule
from overtone.probes.evaluate import chunk_size, predict

NARROWEST = 8
"""Units per hidden layer below which a network is not built to meet a budget."""


@final
@dataclass(frozen=True)
class Trained(Candidate):
    """A network with the chosen bandwidth, trained with Adam and a learning rate that falls to 0 on a cosine.

    On noisy samples a tenth of those to train on is set aside and the step of their least error kept; else all are
    trained on to the end.

    Attributes:
        settings: Encoding, activation and depth; the width follows from the budget.
        lr: Learning rate.
        extent: What a budget in seconds pays for.
    """

    settings: NetworkSettings
    lr: float = LEARNING_RATE
    extent: Extent = dataclasses.field(default_factory=Extent)

    @property
    def trained(self) -> bool:
        """Yes."""
        return True

    @property
    def drawn(self) -> bool:
        """Yes: weights, frequencies and batches are."""
        return True

    def field(self, problem: Problem, width: int, seed: int) -> Field:
        """The network before training, for the problem's signal."""
        reach = problem.bandwidth if self.settings.has_bandwidth else None
        settings = replace(self.settings, width=width, bandwidth=reach)
        return build(problem.signal, settings, seed, lambda: measure_noise(problem.signal)).field

    def width(self, problem: Problem, budget: Budget) -> int:
        """The most units per hidden layer, up to 1,024, that keep to the budget's parameters.

        Raises:
            InputError: If even 8 units are too many.
        """
        most = self.extent.width
        if budget.parameters is None:
            return most or WIDTH
        low, high = NARROWEST, 1024
        least = _count(self.field(problem, low, 0))
        if least > budget.parameters:
            raise InputError(
                f"a budget of at least {least:,} parameters",
                f"{budget.parameters:,}",
                "raise it",
                "parameters",
            )
        while low < high:
            middle = (low + high + 1) // 2
            fits = _count(self.field(problem, middle, 0)) <= budget.parameters
            low, high = (middle, high) if fits else (low, middle - 1)
        return low if most is None else min(low, most)

    def check(self, problem: Problem, budget: Budget, device: torch.device) -> None:  # noqa: ARG002
        """See `Candidate.check`."""
        self.width(problem, budget)

    def attempt(self, problem: Problem, budget: Budget, seed: int, device: torch.device) -> Attempt:
        """See `Candidate.attempt`."""
        field = self.field(problem, self.width(problem, budget), seed).to(device)
        pace = self.extent.pace if self.lr >= LEARNING_RATE else 1.0
        options = Options(
            budget.steps,
            budget.seconds,
            batch=self.extent.batch,
            lr=self.lr * pace,
            decay=Decay.COSINE,
            seed=seed,
        )
        signal, due, note = problem.signal, LogSchedule().due, ""
        if problem.noisy:
            present = torch.zeros(signal.geometry.samples, dtype=torch.bool, device="cpu")
            present[signal.train_index.cpu()] = True
            aside = torch.from_numpy(set_aside(present.numpy(), seed))
            signal = signal.with_split(present & ~aside, aside)
            best = Best(field, signal)
            ended = _finish(train(field, signal, options, best, wants=due))
            best.restore()
            note = f"Stopped at step {best.step} by {int(aside.sum()):,} samples set aside."
        else:
            ended = _finish(train(field, signal, options, lambda *_: None, wants=lambda _: False))
            note = f"Trained for {plural(ended.step, 'step')}."
        return Attempt(_everywhere(field, problem), _count(field), note, ended.step)


def _finish(ended: Outcome) -> Outcome:
    if ended.ending is Ending.INTERRUPTED:
        raise KeyboardInterrupt
    return ended


def _everywhere(field: Field, problem: Problem) -> Tensor:
    with torch.no_grad():
        return predict(field, problem.signal.geometry, None, chunk=chunk_size(field, 1.0))


def _count(field: Field) -> int:
    return sum(p.numel() for p in field.parameters())

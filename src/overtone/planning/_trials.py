"""Trials: short trainings of candidates, extrapolated to the length of the run by their tangent kernel."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple, final

import torch
from torch import Tensor

from overtone._config import Decay, TrainingConfig
from overtone._training import train
from overtone._utils.seeding import draw_subset
from overtone.errors import InputError, RunError
from overtone.nn import Field
from overtone.signals import Geometry, Signal

TINY = 1e-300
"""Smallest error that is turned into dB."""

RIDGES = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5)
"""Ridges of the regressions with a trained network's kernel, relative to its largest eigenvalue."""

KERNEL_SAMPLES = 400
"""Largest numbers of training and of held-out samples of such a regression."""

CHUNK = 8192
"""Samples that are evaluated at a time."""

JUDGES = 8192
"""Largest number of held-out samples that judge a trial; evaluating more takes longer than the trial's steps."""


class Trial(NamedTuple):
    """Outcome of a trial.

    Attributes:
        error: Smallest held-out mean squared error, in normalised units.
        spread_db: Its standard error in dB.
        steps: Steps trained.
        outlook: Held-out error that the remainder of the run may reach, in normalised units; `error` if it was not
            extrapolated.
    """

    error: float
    spread_db: float
    steps: int
    outlook: float


@final
class TrialRunner:
    """Trains candidates with the run's own settings for some steps, and scores them on held-out samples.

    Args:
        signal: With samples held out.
        training: Settings of the run.
        seed: Seeds the subset of samples.
        device: Device of the training.
    """

    def __init__(
        self, signal: Signal[Geometry], training: TrainingConfig, seed: int, device: torch.device
    ) -> None:
        self._signal, self._training, self._seed, self._device = signal, training, seed, device
        self._held = signal.held_out_index
        self._judges = _subset(self._held, JUDGES, seed, "judges")
        self._truth = self._normalised(self._judges)

    def run(self, field: Field, steps: int, seconds: float | None = None) -> Trial:
        """Train a network for some steps.

        Args:
            field: The untrained network; it is trained in place.
            steps: How many steps.
            seconds: Time limit; if it is reached first, the trial has fewer steps.
        """
        field = field.to(self._device)
        # A constant rate: a decay that ends with the trial would not be the beginning of the run's.
        options = replace(self._training, steps=steps, seconds=seconds, decay=Decay.CONSTANT, compile=False)
        coords = self._coords(self._judges)
        best = Trial(math.inf, 0.0, steps, math.inf)

        def observe(step: int, *_: object) -> None:
            nonlocal best
            if not step:
                return
            square = (evaluate_normalised(field, coords) - self._truth).square().mean(1)
            error = float(square.mean())
            if error < best.error:
                relative = float(square.std(correction=0)) / max(error, TINY) / math.sqrt(max(1, len(square)))
                best = Trial(error, 10 / math.log(10) * relative, steps, error)

        marks = {steps, round(0.75 * steps), round(0.5 * steps), round(0.3 * steps)}
        try:
            outcome = train(field, self._signal, options, observe, wants=lambda step: step in marks)
        except RunError:
            # A network that diverges within the trial is no candidate; the others decide.
            return best
        return best._replace(steps=outcome.step)

    def extrapolate(self, field: Field, trial: Trial) -> Trial:
        """Return a trial with its outlook: the least held-out error of kernel regressions of the residual.

        With f the trained outputs, y the target and K the network's tangent kernel, f + K (K + r l 1)^-1 (y - f) is the
        linearised network after a time that falls with r; l is the largest eigenvalue. Only held-out samples say
        where the run would be stopped.

        Args:
            field: The network after the trial.
            trial: The trial.
        """
        return trial._replace(outlook=min(trial.error, self._least_error(field)))

    def _least_error(self, field: Field) -> float:
        from overtone.theory.dynamics._pilot_run import NormalisedOutputs
        from overtone.theory.ntk import empirical_ntk

        train_index = _subset(self._signal.train_index, KERNEL_SAMPLES, self._seed, "train")
        held_index = _subset(self._held, KERNEL_SAMPLES, self._seed, "held out")
        x, held = self._coords(train_index), self._coords(held_index)
        remainder = self._normalised(train_index) - evaluate_normalised(field, x)
        miss = evaluate_normalised(field, held) - self._normalised(held_index)
        try:
            kernel = empirical_ntk(NormalisedOutputs(field), torch.cat([x, held])).matrix.double().cpu()
        except (InputError, RunError):
            # The kernel of a network with random outputs or infinite gradients says nothing.
            return math.inf
        count = len(x)
        eigenvalues, modes = torch.linalg.eigh(kernel[:count, :count])
        scale = eigenvalues[-1].clamp_min(TINY)
        coefficients, across = modes.mT @ remainder, kernel[count:, :count] @ modes
        errors = []
        for ridge in RIDGES:
            change = across @ (coefficients / (eigenvalues.clamp_min(0) + ridge * scale)[:, None])
            errors.append(float((miss + change).square().mean()))
        return min((error for error in errors if math.isfinite(error)), default=math.inf)

    def _coords(self, index: Tensor) -> Tensor:
        return self._signal.geometry.coords(index).to(self._device)

    def _normalised(self, index: Tensor) -> Tensor:
        return self._signal.normalisation.apply(self._signal.values[index].double()).cpu()


def evaluate_normalised(field: Field, coords: Tensor) -> Tensor:
    """Return normalised outputs (N, C) in float64 on the CPU.

    Args:
        field: The network.
        coords: (N, d) physical coordinates on its device.
    """
    with torch.no_grad():
        return torch.cat([field.normalised(part) for part in coords.split(CHUNK)]).double().cpu()


def _subset(index: Tensor, limit: int, seed: int, name: str) -> Tensor:
    index = index.cpu()
    return index[torch.from_numpy(draw_subset(len(index), limit, seed, "outlook", name))]

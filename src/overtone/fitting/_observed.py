"""Training of a fit under observation: rows, progress, checkpoints, and the rule that ends it."""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch

from overtone._training import Checkpoint, Ending, Outcome, TrainingConfig, train
from overtone.fitting._monitor import mean_band_edge
from overtone.fitting._progress import FitProgress
from overtone.fitting._run_directory import RunDirectory
from overtone.fitting._stopping import FitController, RuleMonitor
from overtone.nn import Field
from overtone.probes import Probe


class Trained(Protocol):
    """A network with its optimizer, as it is trained."""

    @property
    def field(self) -> Field:
        """The network."""

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """Its optimizer."""


def train_observed(
    trained: Trained,
    data: Any,
    training: TrainingConfig,
    probe: Probe,
    directory: RunDirectory,
    stopping: FitController | RuleMonitor | None,
    checkpoint: Checkpoint | None,
    shown: FitProgress,
) -> Outcome:
    """Train until the budget or the stopping rule ends it, with a row of the record at every step that is due.

    Args:
        trained: Network and optimizer.
        data: What is trained on, as `train` takes it.
        training: The settings.
        probe: Writes the rows.
        directory: The run directory, with the checkpoint.
        stopping: The rule or the controller; None for none.
        checkpoint: Where a resumed run goes on; None at the beginning.
        shown: The progress.
    """
    lowest = mean_band_edge(probe)

    def observe(step: int, loss: float, rate: float, last: bool) -> bool:
        recorded = probe(step, None if math.isnan(loss) else loss, rate, force=last)
        learned = probe.highest_learned if probe.highest_learned > lowest else math.nan
        shown.update(training.share(step, probe.elapsed), step, loss, learned)
        if not recorded or stopping is None:
            return False
        done = stopping.update(step, probe.latest)
        for line in stopping.news():
            shown.say(line)
        return done

    if checkpoint is not None and stopping is not None and stopping.ended:
        # Killed between its last row and its end: nothing is left to train, only to finish.
        checkpoint.restore(trained.field, trained.optimizer)
        return Outcome(checkpoint.step, checkpoint.seconds, Ending.OBSERVER)
    return train(
        trained.field,
        data,
        training,
        observe,
        wants=probe.schedule.due,
        checkpoint=directory.checkpoint,
        resume=checkpoint,
        optimizer=trained.optimizer,
        average=None if stopping is None else stopping.average,
    )

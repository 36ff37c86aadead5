"""Callback for Lightning's Trainer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from overtone._utils.optional import import_optional
from overtone.probes._view import View
from overtone.probes.callbacks._base import TrainerProbe
from overtone.signals import Signal

Callback: Any = import_optional("lightning.pytorch", "lightning").Callback


@final
class LightningProbe(Callback):
    """Probe of the module that a Lightning Trainer trains; needs the package `lightning`.

    Steps are the trainer's `global_step`: optimizer steps, whatever the number of batches in each. With several
    processes each evaluates its share of a row and the first one writes. A fit that continues from a checkpoint
    continues the record.

    Args:
        watched: A signal, view or several views; see `Probe`. `views.choose(inputs, targets)` chooses a view.
        path: Run directory to write to; a temporary one if None, which is not possible with several processes.
        **options: Passed on to `Probe`, for instance `forward`, `outputs`, `schedule` or `loggers`.

    Example:
        A classifier that Lightning trains, measured on its training data::

            lightning.Trainer(callbacks=[LightningProbe(views.choose(x, y), "run")])
    """

    def __init__(
        self, watched: Signal | View | Sequence[View], path: str | Path | None = None, **options: Any
    ) -> None:
        super().__init__()
        self._trainer_probe = TrainerProbe(watched, path, options)

    @property
    def probe(self) -> Any:
        """The `Probe` of the current or last fit, None before."""
        return self._trainer_probe.probe

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Make the probe and record the untrained network."""
        self._trainer_probe.begin(pl_module, trainer.global_step, trainer.world_size)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record a row, if one is due."""
        del pl_module, batch, batch_idx
        self._trainer_probe.step(trainer.global_step, _loss(outputs), _rate(trainer.optimizers))

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Record the last step."""
        del pl_module
        self._trainer_probe.end(trainer.global_step)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Close the record."""
        del trainer, pl_module, exception
        self._trainer_probe.close()


def _loss(outputs: Any) -> float:
    loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
    return float(loss.detach()) if isinstance(loss, Tensor) and loss.numel() == 1 else math.nan


def _rate(optimizers: Sequence[torch.optim.Optimizer]) -> float:
    return float(optimizers[0].param_groups[0]["lr"]) if optimizers else math.nan

"""Callback for the Trainer of PINA, which is one of Lightning."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from overtone._utils.optional import import_optional
from overtone.probes._view import View
from overtone.probes.callbacks._base import TrainerProbe
from overtone.signals import Measured, Signal

Callback: Any = import_optional("lightning.pytorch", "lightning").Callback


@final
class PINAProbe(Callback):
    """Probe of the model of a PINA solver; with a problem, the residuals of its terms by frequency band.

    The model gets `pina.LabelTensor`s with the names of its problem's input variables, and plain tensors come back: the
    coordinates of the problem that is watched are in that order. Steps are the trainer's `global_step`.

    Args:
        watched: A problem of `operators.equation`; or a signal, a view or several views.
        path: Run directory to write to; a temporary one if None.
        **options: Passed on to `Probe`, for instance `schedule`.

    Example:
        One argument of PINA's trainer::

            pina.Trainer(solver, max_epochs=1000, callbacks=[PINAProbe(problem, "run")]).train()
    """

    def __init__(
        self,
        watched: Measured | Signal | View | Sequence[View],
        path: str | Path | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self._watched, self._path, self._options = watched, path, options
        self._trainer_probe: TrainerProbe | None = None

    @property
    def probe(self) -> Any:
        """The `Probe` of the current or last training, None before."""
        return None if self._trainer_probe is None else self._trainer_probe.probe

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Make the probe and record the untrained network."""
        names = list(pl_module.problem.input_variables)
        # Present here: the solver that is trained is PINA's.
        label = importlib.import_module("pina").LabelTensor

        def forward(network: nn.Module, x: Tensor) -> Tensor:
            parameter = next(network.parameters())
            values: Tensor = network(label(x.to(parameter.dtype), names))
            return values.as_subclass(torch.Tensor)

        if self._trainer_probe is None:
            options = {"forward": forward} | self._options
            self._trainer_probe = TrainerProbe(self._watched, self._path, options)
        self._trainer_probe.begin(pl_module.model, trainer.global_step, trainer.world_size)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record a row, if one is due."""
        del pl_module, batch, batch_idx
        if self._trainer_probe is not None:
            loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
            value = float(loss.detach()) if isinstance(loss, Tensor) and loss.numel() == 1 else math.nan
            self._trainer_probe.step(trainer.global_step, value, _rate(trainer.optimizers))

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Record the last step."""
        del pl_module
        if self._trainer_probe is not None:
            self._trainer_probe.end(trainer.global_step)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Close the record of an interrupted training."""
        del trainer, pl_module, exception
        if self._trainer_probe is not None:
            self._trainer_probe.close()


def _rate(optimizers: Sequence[Any]) -> float:
    groups = getattr(optimizers[0], "param_groups", None) if optimizers else None
    return float(groups[0]["lr"]) if groups else math.nan

"""Callback for the training of DeepXDE, with its backend of PyTorch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from overtone.probes._view import View
from overtone.probes.callbacks._base import TrainerProbe
from overtone.signals import Measured, Signal


@final
class DeepXDEProbe:
    """Probe of the network that DeepXDE trains; with a problem, the residuals of its terms by frequency band.

    It has the hooks of `deepxde.callbacks.Callback`, which are called whatever the class is, so that nothing of DeepXDE
    is imported. Steps are DeepXDE's own count, and the loss is the sum of the last ones that it computed
    (`display_every`).

    Args:
        watched: A problem of `operators.equation`, made of the same residuals as DeepXDE's data; or a signal, a view or
            several views.
        path: Run directory to write to; a temporary one if None.
        **options: Passed on to `Probe`, for instance `schedule`.

    Example:
        One argument of DeepXDE's training::

            problem = operators.equation({"equation": (pde, 200), "ends": (lambda x, u: u, [[0.0], [1.0]])}, [(0, 1)])
            model.train(iterations=5000, callbacks=[DeepXDEProbe(problem, "run")])
    """

    def __init__(
        self,
        watched: Measured | Signal | View | Sequence[View],
        path: str | Path | None = None,
        **options: Any,
    ) -> None:
        self._trainer_probe = TrainerProbe(watched, path, options)
        self.model: Any = None

    @property
    def probe(self) -> Any:
        """The `Probe` of the current or last training, None before."""
        return self._trainer_probe.probe

    def set_model(self, model: Any) -> None:
        """Take the model of the training."""
        self.model = model
        self.init()

    def init(self) -> None:
        """Do nothing: the probe is made when training begins."""

    def on_train_begin(self) -> None:
        """Make the probe and record the network as it is."""
        self._trainer_probe.begin(self.model.net, self._step, 1)

    def on_epoch_end(self) -> None:
        """Record a row, if one is due."""
        self._trainer_probe.step(self._step, _total(self.model.train_state.loss_train), self._rate)

    def on_train_end(self) -> None:
        """Record the last step."""
        self._trainer_probe.end(self._step)

    def on_epoch_begin(self) -> None:
        """Do nothing."""

    def on_batch_begin(self) -> None:
        """Do nothing."""

    def on_batch_end(self) -> None:
        """Do nothing."""

    def on_predict_begin(self) -> None:
        """Do nothing."""

    def on_predict_end(self) -> None:
        """Do nothing."""

    @property
    def _step(self) -> int:
        return int(self.model.train_state.step)

    @property
    def _rate(self) -> float:
        groups = getattr(getattr(self.model, "opt", None), "param_groups", None)
        return float(groups[0]["lr"]) if groups else math.nan


def _total(losses: Any) -> float:
    """Sum of the losses of all terms; NaN before the first."""
    return math.nan if losses is None else float(sum(map(float, losses)))

"""Callback for the Trainer of Hugging Face Transformers, which also covers Accelerate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from overtone._utils.optional import import_optional
from overtone.probes._view import View
from overtone.probes.callbacks._base import TrainerProbe
from overtone.signals import Signal

TrainerCallback: Any = import_optional("transformers", "transformers").TrainerCallback


@final
class TransformersProbe(TrainerCallback):
    """Probe of the model that a Trainer trains; needs the packages `transformers` and `accelerate`.

    Inputs are dicts such as `{"input_ids": ..., "attention_mask": ...}`; the `logits` of the model's output are
    compared unless `outputs=` selects another entry. Steps are the trainer's `global_step`: optimizer steps. The loss
    of a row is the last one that the trainer logged.

    Args:
        watched: A signal, view or several views; see `Probe`. `views.choose(inputs, targets)` chooses a view.
        path: Run directory to write to; a temporary one if None, which is not possible with several processes.
        **options: Passed on to `Probe`, for instance `outputs`, `schedule` or `loggers`.

    Example:
        A text classifier, measured at its tokens::

            tokens = {"input_ids": ids, "attention_mask": mask}
            probe = TransformersProbe(views.choose(tokens, labels, features=embeddings), "run")
            transformers.Trainer(model=model, args=args, train_dataset=data, callbacks=[probe])
    """

    def __init__(
        self, watched: Signal | View | Sequence[View], path: str | Path | None = None, **options: Any
    ) -> None:
        self._trainer_probe = TrainerProbe(watched, path, options)
        self._loss = math.nan

    @property
    def probe(self) -> Any:
        """The `Probe` of the current or last training, None before."""
        return self._trainer_probe.probe

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Make the probe and record the untrained network."""
        del control
        self._loss = math.nan
        self._trainer_probe.begin(kwargs["model"], state.global_step, args.world_size)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Store the loss for the next row."""
        del args, state, control
        self._loss = float((kwargs.get("logs") or {}).get("loss", self._loss))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Record a row, if one is due."""
        del args, control
        self._trainer_probe.step(state.global_step, self._loss, _rate(kwargs.get("optimizer")))

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Record the last step."""
        del args, control, kwargs
        self._trainer_probe.end(state.global_step)


def _rate(optimizer: Any) -> float:
    groups = getattr(optimizer, "param_groups", None)
    return float(groups[0]["lr"]) if groups else math.nan

"""The Observer: the same record from predictions that any library made."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.probes._inputs import as_number_tensor, as_tensor_inputs
from overtone.probes._recorder import RunRecorder, step_number
from overtone.probes._run_writer import ProbeWarning, RunWriter
from overtone.probes._schedule import LogSchedule, Schedule
from overtone.probes._target_reading import ShapeHints
from overtone.probes._view import OutputView, Row, as_views
from overtone.probes.loggers._loggers import Logger
from overtone.probes.views import GridView
from overtone.probes.views._choose import choose_view, sample_shapes
from overtone.signals import Signal


@final
class Observer(RunRecorder):
    """Records how much of each frequency band of its targets given predictions have learned.

    For networks of JAX, Keras, scikit-learn and others: predict at `inputs` whenever `due(step)` says so, and hand the
    predictions over as NumPy arrays. The rows are those of a `Probe`.

    Args:
        watched: A signal, or views of samples, see `overtone.probes.views`; one record is written for each.
        path: Run directory (or `.sqlite` file) to write to; a temporary one if None.
        schedule: When to record; `LogSchedule()` unless said.
        loggers: Who else gets every row, see `overtone.probes.loggers`.
        strict: Raise what goes wrong at a row instead of marking it.
        attrs: Attributes of the record, for instance `network="MLPRegressor"`.

    Raises:
        InputError: If `path` already holds a record.
    """

    def __init__(
        self,
        watched: Signal | OutputView | Sequence[OutputView],
        path: str | Path | None = None,
        *,
        schedule: Schedule | None = None,
        loggers: Sequence[Logger] = (),
        strict: bool = False,
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        if isinstance(watched, Signal):
            watched = GridView(watched)
        self.views = as_views(
            watched, OutputView, "a signal or views of samples", "use Observer.of(inputs, targets)"
        )
        self.schedule = schedule or LogSchedule()
        super().__init__(RunWriter(self.views, path, dict(attrs or {}), loggers=loggers, strict=strict))

    @staticmethod
    def of(
        inputs: Any,
        targets: Any,
        path: str | Path | None = None,
        *,
        samples: int | None = None,
        features: ArrayLike | None = None,
        classes: int | None = None,
        channel_axis: int | None = None,
        seed: int = 0,
        **options: Any,
    ) -> Observer:
        """An observer with the view that suits the shapes of inputs and targets, see `views.choose`.

        Args:
            inputs: Pictures, a table, sequences, places, or a dict or tuple of arrays.
            targets: Values (N, ..., C), or whole numbers (N,) as labels of classes.
            path: Run directory to write to; a temporary one if None.
            samples: How many samples to watch, drawn at random; 512 (4,096 places, 128 sequences) unless said.
            features: (N, d) rows whose distances mean something, if the inputs' do not.
            classes: Number of classes.
            channel_axis: The axis of targets and predictions that holds the channels: 1 for (N, C, T).
            seed: Seed of the draw.
            **options: Passed on to `Observer`.

        Raises:
            InputError: If inputs and targets do not fit each other.
        """
        batch = as_tensor_inputs(inputs)
        shapes = ShapeHints(inputs=sample_shapes(batch), channel_axis=channel_axis)
        view, doubt = choose_view(
            batch, targets, shapes, samples=samples, features=features, classes=classes, seed=seed
        )
        if doubt:
            warnings.warn(doubt, ProbeWarning, stacklevel=2)
        return Observer(view, path, **options)

    @property
    def inputs(self) -> Any:
        """What to predict at, as NumPy arrays in the nesting of the inputs given: the first view's samples."""
        return self.views[0].samples.arrays()

    def due(self, step: int) -> bool:
        """Whether predictions are wanted at this step."""
        number = step_number(step)
        return self.schedule.due(number) and not self._log.recorded(number)

    def observe(
        self,
        step: int,
        predictions: ArrayLike | Tensor | Mapping[str, ArrayLike],
        loss: float | None = None,
        learning_rate: float | None = None,
    ) -> bool:
        """Record a row, whether or not the schedule asks for it.

        Args:
            step: Optimizer steps (or whatever you count) so far; above every step recorded, or else at or before the
                first one, where a training begins again, see `Probe`.
            predictions: (N, ..., C) at `inputs`, or a dict of such by the names of several views. For labels, logits
                or the logarithm of probabilities.
            loss: The training loss, None if unknown.
            learning_rate: The current learning rate, if known.

        Returns:
            Whether a row was recorded; not if the step was recorded already.
        """
        step = step_number(step)
        if self._log.recorded(step):
            return False
        rows = {view.name: functools.partial(_row, view, predictions) for view in self.views}
        self._append(step, loss, learning_rate, rows)
        return True


def _row(view: OutputView, predictions: Any) -> Row:
    given = predictions
    if isinstance(predictions, Mapping):
        if view.name not in predictions:
            raise InputError(
                f"predictions for the view {view.name!r}",
                f"some for {', '.join(map(repr, predictions)) or 'none'}",
                "pass a dict with one array a view",
                "predictions",
            )
        given = predictions[view.name]
    found = as_number_tensor(given, "predictions").cpu()
    if found.is_complex() or found.ndim < 1 or len(found) != view.samples.count:
        raise InputError(
            f"real predictions at {view.samples.count} samples",
            f"{found.dtype} of shape {tuple(found.shape)}",
            "predict at observer.inputs",
            "predictions",
        )
    found = found if found.is_floating_point() else found.double()
    return view.compare(found[:, None] if found.ndim == 1 else found)

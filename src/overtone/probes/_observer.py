"""Observer: the records of a probe, from predictions of any library."""

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
    """Records how much of each frequency band of the targets a model has learned, from its predictions.

    For models of JAX, Keras, scikit-learn and others: predict at `inputs` whenever `due(step)` is true, and pass the
    predictions as NumPy arrays. The rows are the same as a `Probe`'s.

    Args:
        watched: A signal, or views of outputs, see `overtone.probes.views`; one record is written for each.
        path: Run directory (or `.sqlite` file) to write to; a temporary one if None.
        schedule: When to record; `LogSchedule()` by default.
        loggers: Loggers that also receive every row, see `overtone.probes.loggers`.
        strict: Raise errors of a row instead of marking the row.
        attrs: Attributes of the record, for instance `network="MLPRegressor"`.

    Raises:
        InputError: If `path` already holds a record.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(40, 5))
        >>> with Observer.of(x, np.sin(x[:, :1])) as observer:
        ...     observer.observe(0, np.zeros((40, 1)))
        True
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
        periodic: bool | Sequence[bool] | None = None,
        seed: int = 0,
        **options: Any,
    ) -> Observer:
        """Make an observer with the view that suits the shapes of inputs and targets, see `views.choose`.

        Args:
            inputs: Pictures, a table, sequences, points, or a dict or tuple of arrays.
            targets: Values (N, ..., C), or whole numbers (N,) as labels of classes.
            path: Run directory to write to; a temporary one if None.
            samples: Number of samples, drawn at random; 512 (4,096 points, 128 sequences, 32 fields) by default.
            features: (N, d) rows with meaningful distances, if the inputs have none.
            classes: Number of classes.
            channel_axis: The axis of targets and predictions that holds the channels: 1 for (N, C, T).
            periodic: Whether the axes of fields wrap around, one value or one per axis; they do not by default.
            seed: Seed of the random draw.
            **options: Passed on to `Observer`.

        Raises:
            InputError: If inputs and targets do not match.
        """
        batch = as_tensor_inputs(inputs)
        shapes = ShapeHints(inputs=sample_shapes(batch), channel_axis=channel_axis)
        view, doubt = choose_view(
            batch,
            targets,
            shapes,
            samples=samples,
            features=features,
            classes=classes,
            periodic=periodic,
            seed=seed,
        )
        if doubt:
            warnings.warn(doubt, ProbeWarning, stacklevel=2)
        return Observer(view, path, **options)

    @property
    def inputs(self) -> Any:
        """Inputs of the first view as NumPy arrays, in the nesting of the original inputs."""
        return self.views[0].inputs.arrays()

    def due(self, step: int) -> bool:
        """Return whether a row is due at this step."""
        number = step_number(step)
        return self.schedule.due(number) and not self._writer.recorded(number)

    def observe(
        self,
        step: int,
        predictions: ArrayLike | Tensor | Mapping[str, ArrayLike],
        loss: float | None = None,
        learning_rate: float | None = None,
    ) -> bool:
        """Record a row, whether or not the schedule includes the step.

        Args:
            step: Number of optimizer steps (or of any other unit) so far; above all recorded steps. A step at or
                before the first one restarts the record, see `Probe`.
            predictions: (N, ..., C) at `inputs`, or a dict of arrays by the names of several views. For labels,
                logits or the logarithm of probabilities.
            loss: The training loss, None if unknown.
            learning_rate: The current learning rate, if known.

        Returns:
            Whether a row was recorded; False if the step was already recorded.
        """
        step = step_number(step)
        if self._writer.recorded(step):
            return False
        rows = {view.name: functools.partial(_row, view, predictions) for view in self.views}
        self._append(step, loss, learning_rate, rows)
        return True


def _row(view: OutputView, predictions: Any) -> Row:
    if isinstance(predictions, Mapping):
        if view.name not in predictions:
            raise InputError(
                f"predictions for the view {view.name!r}",
                f"some for {', '.join(map(repr, predictions)) or 'none'}",
                "pass a dict with one array per view",
                "predictions",
            )
        predictions = predictions[view.name]
    values = as_number_tensor(predictions, "predictions").cpu()
    if values.is_complex() or values.ndim < 1 or len(values) != view.inputs.count:
        raise InputError(
            f"real predictions at {view.inputs.count} samples",
            f"{values.dtype} of shape {tuple(values.shape)}",
            "predict at observer.inputs",
            "predictions",
        )
    values = values if values.is_floating_point() else values.double()
    return view.compare(values[:, None] if values.ndim == 1 else values)

"""Probe: measures a network during training and writes one record per view."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, final

from torch import Tensor, nn

from overtone.errors import InputError
from overtone.probes._describe import describe_network
from overtone.probes._distributed import OutputCache, Processes, SingleProcess
from overtone.probes._evaluator import Evaluator, Forward, Outputs
from overtone.probes._inputs import CoordinateInputs, Inputs, RoundingCollisions, as_tensor_inputs
from overtone.probes._recorder import RunRecorder, step_number
from overtone.probes._run_writer import ProbeWarning, ResumedRecord, RunWriter, discard_rows
from overtone.probes._schedule import LogSchedule, Schedule
from overtone.probes._target_reading import ShapeHints, position_axes
from overtone.probes._view import OutputView, View, as_views
from overtone.probes.loggers._loggers import Logger
from overtone.probes.views._choose import choose_view, sample_shapes
from overtone.probes.views._grid import GridView
from overtone.signals import Signal
from overtone.spectra import Bands

ALL_AT_ONCE = "all samples at once"
"""The attribute `evaluated` of records whose network does not evaluate each sample independently."""


@final
class Probe(RunRecorder):
    """Measures, at scheduled steps, how much of each frequency band of its targets a network has learned.

    One row holds, per band and channel, the residual power |F(target - prediction)|^2 and the cross power
    Re<F(prediction), F(target)> for the transform F of a view, the training loss, the seconds since the probe was
    made, and the mean square errors on training, held-out and clean samples; everything in the target's units.

    The whole state of the network is restored: parameters, buffers, gradients, train/eval flags, attributes, caches
    and hooks, and so are gradient mode and random generators. A network that cannot be restored is refused. After
    construction, errors of a probe do not end the training: a row that cannot be measured or written is NaN, `faults`
    states the reason, and a `ProbeWarning` is issued once.

    Args:
        watched: The targets of the training: a signal, a view (`overtone.probes.views`), or several views; one record
            is written for each. Window, bands and snapshots of a signal are options of `views.GridView`.
        network: The network. For a signal it maps coordinates (N, d), in the signal's units, to values (N, C).
        path: Run directory (or `.sqlite` file) of a new record; a temporary one if None. Rows are appended one by
            one. `Probe.resume` continues an existing record.
        schedule: When to record; `LogSchedule()` by default.
        forward: A function from inputs to outputs to call instead of the network, for instance
            `lambda x: network(2 * x.float() - 1)`; a function of two arguments also receives the network, without its
            wrappers: `lambda network, x: network(x, edges)`.
        outputs: A function from the network's return value to the one tensor to compare, for instance
            `lambda answer: answer["logits"]`.
        memory: Memory budget for evaluating the network, in GiB.
        loggers: Loggers that also receive every row, see `overtone.probes.loggers`.
        strict: Raise errors of a row instead of marking the row.
        processes: `DistributedGroup()` if every process of a distributed run makes the same probe and calls it at the
            same steps; each then evaluates its share, and the first one writes. The current process alone if None.
        attrs: Further attributes of the record.

    Raises:
        InputError: If the network's output does not fit the views, or `path` already holds a record.

    Example:
        >>> import torch
        >>> from overtone import signals
        >>> signal = signals.array(torch.linspace(0, 1, 32).sin(), spacing=1.0)
        >>> network = torch.nn.Linear(1, 1)
        >>> with Probe(signal, network) as probe:
        ...     recorded = [probe(step) for step in range(4)]
        >>> recorded, probe.record.residual_power.dims
        ([True, True, True, True], ('step', 'band', 'channel'))
    """

    def __init__(
        self,
        watched: Signal | View | Sequence[View],
        network: nn.Module,
        path: str | Path | ResumedRecord | None = None,
        *,
        schedule: Schedule | None = None,
        forward: Forward | None = None,
        outputs: Outputs | None = None,
        memory: float = 1.0,
        loggers: Sequence[Logger] = (),
        strict: bool = False,
        processes: Processes | None = None,
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        self.views = _as_views(watched)
        self.network, self.schedule = network, schedule or LogSchedule()
        self._evaluate = Evaluator(network, forward=forward, outputs=outputs, memory=memory)
        self._processes = processes or SingleProcess()
        deterministic = self.check()
        described = describe_network(self._evaluate.network)
        if not deterministic:
            described["deterministic"] = False
        if self._evaluate.whole:
            described["evaluated"] = ALL_AT_ONCE
        collisions = self._collisions()
        if collisions is not None:
            described["crowding"] = collisions.to_json()
        # Only the first process of a group writes; the others retain headers, so that all take part in each exchange.
        writes = self._processes.writes
        super().__init__(
            RunWriter(
                self.views,
                path,
                described | dict(attrs or {}),
                opened=None if writes else discard_rows,
                loggers=loggers if writes else (),
                strict=strict,
            )
        )
        if not deterministic:
            self._writer.warn(
                "the network returns different outputs at a second evaluation in eval mode; rows contain this noise, "
                "and the record's attribute `deterministic` is False."
            )
        if collisions is not None:
            self._writer.warn(f"{collisions.sentence}. The record's attribute `crowding` holds the counts.")
        self._coupled = False
        self._report_coupling()
        for view in () if isinstance(path, ResumedRecord) else self._grid_views:
            self._writer.snapshot(view.name, "target", -1, view.target_snapshot())

    @staticmethod
    def of(
        inputs: Any,
        targets: Any,
        network: nn.Module,
        path: str | Path | None = None,
        *,
        samples: int | None = None,
        features: Tensor | Any | None = None,
        classes: int | None = None,
        channel_axis: int | None = None,
        periodic: bool | Sequence[bool] | None = None,
        seed: int = 0,
        **options: Any,
    ) -> Probe:
        """Make a probe with the view that suits the shapes of inputs, targets and outputs, see `views.choose`.

        The network resolves ambiguities of the targets where it can: whole numbers are labels if it has an output for
        each class, and the channels lie in the one axis along which it accepts no shorter inputs. The record's
        `notes` state how targets were read; a `ProbeWarning` is issued if another interpretation is equally
        plausible.

        Args:
            inputs: Arguments of the network: pictures, a table, sequences, points, or a dict or tuple of tensors.
            targets: Values (N, ..., C), or whole numbers (N,) as labels of classes.
            network: The network.
            path: Run directory to write to; a temporary one if None.
            samples: Number of samples, drawn at random; 512 (4,096 points, 128 sequences, 32 fields) by default.
            features: (N, d) rows with meaningful distances, if the inputs have none.
            classes: Number of classes.
            channel_axis: The axis of targets and outputs that holds the channels: 1 for (N, C, T) and (N, C, H, W).
            periodic: Whether the axes of fields wrap around, one value or one per axis; they do not by default.
            seed: Seed of the random draw.
            **options: Passed on to `Probe`.

        Raises:
            InputError: If inputs, targets and network do not match, or targets can be read in two ways.

        Example:
            >>> import torch
            >>> x = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
            >>> probe = Probe.of(x, x[:, :1].sin(), torch.nn.Linear(6, 1))
            >>> probe.views[0].name
            'graph'
            >>> probe.close()
        """
        batch = as_tensor_inputs(inputs)
        call = {key: options.get(key) for key in ("forward", "outputs")}
        evaluate = Evaluator(network, **call, memory=options.get("memory", 1.0))
        hints = ShapeHints(
            outputs=evaluate.form(batch)[0],
            inputs=sample_shapes(batch),
            arranged=any(value is not None for value in call.values()),
            channel_axis=channel_axis,
            position_axes=functools.partial(position_axes, evaluate, batch),
        )
        view, doubt = choose_view(
            batch,
            targets,
            hints,
            samples=samples,
            features=features,
            classes=classes,
            periodic=periodic,
            seed=seed,
        )
        if doubt:
            warnings.warn(doubt, ProbeWarning, stacklevel=2)
        return Probe(view, network, path, **options)

    @staticmethod
    def resume(
        watched: Signal | View | Sequence[View],
        network: nn.Module,
        path: str | Path,
        *,
        after: int,
        elapsed: float = 0.0,
        **options: Any,
    ) -> Probe:
        """Make a probe that continues an existing record.

        Args:
            watched: As for `Probe`; the views of the record.
            network: The network.
            path: Run directory or `.sqlite` file of the record.
            after: The last step to retain; rows after it are dropped.
            elapsed: Seconds that earlier sessions of the run took.
            **options: Passed on to `Probe`.

        Raises:
            InputError: If the network's output does not fit the views.
            RunError: If there is no record at `path`.
        """
        return Probe(watched, network, ResumedRecord(Path(path), after, elapsed), **options)

    @property
    def last_step(self) -> int | None:
        """The last step recorded by this probe, None before the first."""
        return self._writer.last

    def begin_again(self, step: int, last: int) -> None:
        """Copy the record, then drop its rows from a step on: a training that had reached `last` restarts there."""
        self._writer.begin_again(step, last)

    def check(self) -> bool:
        """Evaluate the network on a few samples of each view, twice.

        Returns:
            Whether both evaluations agree.

        Raises:
            InputError: If the shape of its outputs does not fit.
        """
        deterministic = True
        for view in self.views:
            if isinstance(view, OutputView):
                outputs, same = self._evaluate.trial(view.inputs)
                view.check(outputs)
                deterministic &= same
        return deterministic

    def __call__(
        self,
        step: int | float | Tensor,
        loss: float | Tensor | None = None,
        learning_rate: float | None = None,
        *,
        force: bool = False,
    ) -> bool:
        """Record a row if `step` is due and not recorded yet.

        A step at or before the first recorded one means that training has restarted: the record restarts with it, the
        earlier rows are preserved in a copy, and a `ProbeWarning` is issued once.

        Args:
            step: Optimizer steps taken so far; 0 is the untrained network. Where several batches make one step,
                repeated calls with the same number are allowed: the first call counts.
            loss: The training loss at this step; None if there is none, since NaN stands for a diverged loss.
            learning_rate: The current learning rate, if known.
            force: Record even if the schedule does not include the step (the last step of a run).

        Returns:
            Whether a row was recorded.

        Raises:
            InputError: If step, loss or learning rate is not a single number.
        """
        step = step_number(step)
        if not (force or self.schedule.due(step)) or self._writer.recorded(step):
            return False
        # All views share one cache: each set of inputs is evaluated once, and a group of processes exchanges the
        # outputs of all of them in a single message.
        outputs = self._outputs(inputs for view in self.views for inputs in view.required_inputs)
        rows = {view.name: functools.partial(view.row, outputs) for view in self.views}
        self._append(step, loss, learning_rate, rows)
        self._report_coupling()
        for view in self._grid_views:
            if step in view.snapshot_steps:
                self._writer.guard(step, view.name, functools.partial(self._snapshot, view, step))
        return True

    def predict(self, index: Tensor | None = None) -> Tensor:
        """Return the network's current outputs at the first view's samples.

        Args:
            index: Of a signal, flat sample indices (M,), or None for every sample of the signal.
        """
        first = self.views[0]
        if isinstance(first, GridView):
            return self._outputs()(CoordinateInputs(first.signal.geometry, index))
        if not isinstance(first, OutputView) or index is not None:
            raise InputError("a probe of a signal", f"view {first.name!r}", "omit index", "index")
        return self._outputs()(first.inputs)

    def final_errors(self) -> dict[str, float]:
        """Return mean square errors of the current network over a signal, see `GridView.final_errors`."""
        return self._grid_view.final_errors(self._outputs())

    def snapshot(self, step: int) -> None:
        """Record the network's prediction of a signal; of more than a million samples, a part."""
        self._snapshot(self._grid_view, step)

    def snapshot_and_errors(self, step: int) -> dict[str, float]:
        """Record a snapshot and return the final errors of the same network, see `GridView.final_errors`."""
        view = self._grid_view
        array, errors = view.snapshot_and_errors(self._outputs())
        self._writer.snapshot(view.name, "prediction", step, array)
        return errors

    def store(self, name: str, step: int, array: Any) -> None:
        """Store an array beside the rows of the first view's record.

        Args:
            name: Name of the snapshot.
            step: Step that it belongs to.
            array: The array.
        """
        self._writer.snapshot(self.views[0].name, name, step, array)

    def annotate(self, **attrs: Any) -> None:
        """Add attributes to every record."""
        self._writer.annotate(**attrs)

    @property
    def signal(self) -> Signal:
        """The signal that is measured."""
        return self._grid_view.signal

    @property
    def bands(self) -> Bands:
        """The frequency bands of a signal's record; the first one contains the mean."""
        return self._grid_view.measurement.bands

    @property
    def elapsed(self) -> float:
        """Seconds since the start of the run, over all its sessions."""
        return self._writer.elapsed

    @property
    def highest_learned(self) -> float:
        """Upper edge of the contiguous learned bands of the first view at the last row; NaN if there are none."""
        return self._writer.highest_learned

    @property
    def latest(self) -> Mapping[str, Any]:
        """The first view's last row, by variable of the record; empty before the first."""
        return self._writer.latest

    def _collisions(self) -> RoundingCollisions | None:
        """Return the collisions of inputs in the network's precision, for the first view that has any."""
        every = (self._evaluate.crowding(view.inputs) for view in self.views if isinstance(view, OutputView))
        return next(filter(None, every), None)

    def _outputs(self, required: Iterable[Inputs] = ()) -> OutputCache:
        return OutputCache(self._evaluate, self._processes, required)

    def _snapshot(self, view: GridView, step: int) -> None:
        self._writer.snapshot(view.name, "prediction", step, view.snapshot(self._outputs()))

    def _report_coupling(self) -> None:
        """Warn once, and annotate the record, when outputs at a sample depend on other samples."""
        if self._evaluate.coupled and not self._coupled:
            self._coupled = True
            self.annotate(evaluated=ALL_AT_ONCE)
            self._writer.warn(
                "the network's output at a sample depends on the other samples of the batch; rows evaluate it at all "
                "samples at once (attribute `evaluated` of the record). Pass forward= to choose the other samples."
            )

    @property
    def _grid_views(self) -> list[GridView]:
        return [view for view in self.views if isinstance(view, GridView)]

    @property
    def _grid_view(self) -> GridView:
        if not self._grid_views:
            raise InputError(
                "a probe of a signal on a grid",
                ", ".join(view.name for view in self.views),
                "make it with Probe(signal, network)",
                "probe",
            )
        return self._grid_views[0]


def _as_views(watched: Signal | View | Sequence[View]) -> tuple[View, ...]:
    if isinstance(watched, Signal):
        return (GridView(watched),)
    return as_views(
        watched,
        View,
        "a signal, a view or several views",
        "make views with overtone.probes.views, or use Probe.of(inputs, targets, network)",
    )

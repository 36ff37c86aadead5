"""The Probe: watches a network during training and writes what it saw into Records."""

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
from overtone.probes._grid_measurement import Window
from overtone.probes._inputs import CoordinateInputs, Inputs, RoundingCollisions, as_tensor_inputs
from overtone.probes._recorder import RunRecorder, step_number
from overtone.probes._run_writer import (
    OpenRecord,
    ProbeWarning,
    RunWriter,
    create_record,
    discard_rows,
    resume_record,
)
from overtone.probes._schedule import LogSchedule, Schedule
from overtone.probes._spread_sampling import Spread
from overtone.probes._target_reading import ShapeHints, position_axes
from overtone.probes._view import OutputView, View, as_views
from overtone.probes.loggers._loggers import Logger
from overtone.probes.views import GridView
from overtone.probes.views._choose import choose_view, sample_shapes
from overtone.signals import Signal
from overtone.spectra import Bands, NoiseFloor

WHOLE = "all samples at once"
"""The attribute `evaluated` of records whose network does not answer each sample by itself."""


@final
class Probe(RunRecorder):
    """Measures, at scheduled steps, how much of each frequency band of its targets a network has learned.

    One row holds, per band and channel, the residual power |F(target - prediction)|^2 and the cross power
    Re<F(prediction), F(target)> for the transform F of a view, the loss you pass, seconds since the probe was made, and
    the mean square errors on training, held-out and clean samples; everything in the target's own units.

    The network is left exactly as it was, with all that it holds: parameters, buffers, gradients, train/eval flags,
    attributes, caches and hooks; so are gradient mode and random generators. What cannot be put back is refused.
    Once made, a probe does not end a training run by its own trouble: a row that it cannot measure or write is NaN,
    `faults` tells why, and a `ProbeWarning` is given once.

    Args:
        watched: What is being learned: a signal, a view (`overtone.probes.views`), or several views; one record is
            written for each.
        network: The network. For a signal it maps coordinates (N, d), in the signal's units, to values (N, C).
        path: Run directory (or `.sqlite` file) to write to; a temporary one if None. Appended row by row.
        schedule: When to record; `LogSchedule()` unless said.
        window: Of a signal, the part of the grid that is measured: a `Window`, one block, or a `Spread` over all of it;
            all of it unless said.
        bands: Of a signal, the frequency bands; the default of `spectra.Bands.log` unless said.
        noise: Of a signal, the noise floor, if it is already known; estimated from the signal if None.
        forward: A function from inputs to outputs to call instead of the network, for instance
            `lambda x: network(2 * x.float() - 1)`; one of two arguments is given the network too, without what wraps
            it: `lambda network, x: network(x, edges)`.
        outputs: A function from what the network returns to the one tensor that is meant, for instance
            `lambda answer: answer["logits"]`.
        snapshots: Of a signal, steps at which the whole prediction is kept, for reports.
        memory: Memory budget for evaluating the network, in GiB.
        loggers: Who else gets every row, see `overtone.probes.loggers`.
        strict: Raise what goes wrong at a row instead of marking it.
        processes: `Group()` where every process of a distributed run makes the same probe and calls it at the same
            steps; each then evaluates its share, and the first one writes. This process alone if None.
        resume_after: Continue an existing record, dropping its rows after this step.
        elapsed: Seconds that a resumed run had already taken.
        attrs: Further attributes of the record.

    Raises:
        InputError: If the network's output does not fit what is watched, or `path` already holds a record.
    """

    def __init__(
        self,
        watched: Signal | View | Sequence[View],
        network: nn.Module,
        path: str | Path | None = None,
        *,
        schedule: Schedule | None = None,
        window: Window | Spread | None = None,
        bands: Bands | None = None,
        noise: NoiseFloor | None = None,
        forward: Forward | None = None,
        outputs: Outputs | None = None,
        snapshots: Sequence[int] = (),
        memory: float = 1.0,
        loggers: Sequence[Logger] = (),
        strict: bool = False,
        processes: Processes | None = None,
        resume_after: int | None = None,
        elapsed: float = 0.0,
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        self.views = _views(watched, window, bands, noise)
        self.network, self.schedule = network, schedule or LogSchedule()
        self._snapshots = frozenset(snapshots)
        self._evaluate = Evaluator(network, forward=forward, outputs=outputs, memory=memory)
        self._processes = processes or SingleProcess()
        steady = self.check()
        told = describe_network(self._evaluate.network) | ({} if steady else {"deterministic": False})
        if self._evaluate.whole:
            told["evaluated"] = WHOLE
        crowded = self._crowding()
        if crowded is not None:
            told["crowding"] = crowded.to_json()
        super().__init__(
            RunWriter(
                self.views,
                path,
                told | dict(attrs or {}),
                opened=self._opened(resume_after),
                loggers=loggers if self._processes.writes else (),
                strict=strict,
                elapsed=elapsed,
            )
        )
        if not steady:
            self._log.warn(
                "the network gives other outputs at a second evaluation in eval mode; rows hold that noise, and the "
                "record's attribute `deterministic` is False."
            )
        if crowded is not None:
            self._log.warn(f"{crowded.sentence}. The record's attribute `crowding` says so too.")
        self._coupled = False
        self._tell_coupled()
        for view in self._grids if resume_after is None else ():
            self._log.snapshot(view.name, "target", -1, view.target_snapshot())

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
        seed: int = 0,
        **options: Any,
    ) -> Probe:
        """A probe with the view that suits the shapes of inputs, targets and outputs, see `views.choose`.

        What the targets leave open is settled by the network where it can be: whole numbers are labels if it has an
        output for each class, and the channels lie in the one axis along which it takes no shorter inputs. What was
        read is told in the record's `notes`, and in a `ProbeWarning` where another reading is as good.

        Args:
            inputs: What the network is called with: pictures, a table, sequences, places, or a dict or tuple of
                tensors.
            targets: Values (N, ..., C), or whole numbers (N,) as labels of classes.
            network: The network.
            path: Run directory to write to; a temporary one if None.
            samples: How many samples to watch, drawn at random; 512 (4,096 places, 128 sequences) unless said.
            features: (N, d) rows whose distances mean something, if the inputs' do not.
            classes: Number of classes.
            channel_axis: The axis of targets and outputs that holds the channels: 1 for (N, C, T) and (N, C, H, W).
            seed: Seed of the draw.
            **options: Passed on to `Probe`.

        Raises:
            InputError: If inputs, targets and network do not fit each other, or targets can be read in two ways.
        """
        batch = as_tensor_inputs(inputs)
        arranged = {key: options.get(key) for key in ("forward", "outputs")}
        evaluate = Evaluator(network, **arranged, memory=options.get("memory", 1.0))
        form = evaluate.form(batch)[0]
        shapes = ShapeHints(
            outputs=form,
            inputs=sample_shapes(batch),
            arranged=any(value is not None for value in arranged.values()),
            channel_axis=channel_axis,
            following=functools.partial(position_axes, evaluate, batch),
        )
        view, doubt = choose_view(
            batch, targets, shapes, samples=samples, features=features, classes=classes, seed=seed
        )
        if doubt:
            warnings.warn(doubt, ProbeWarning, stacklevel=2)
        return Probe(view, network, path, **options)

    @property
    def last_step(self) -> int | None:
        """The step recorded last by this probe, None before the first."""
        return self._log.last

    def begin_again(self, step: int, last: int) -> None:
        """Drop the rows from a step on, after copying them: a training that got to `last` begins again there."""
        self._log.begin_again(step, last)

    def check(self) -> bool:
        """Evaluate the network on a few samples of each view, twice.

        Returns:
            Whether both evaluations agree.

        Raises:
            InputError: If the shape of its outputs does not fit.
        """
        steady = True
        for view in self.views:
            if isinstance(view, OutputView):
                outputs, same = self._evaluate.trial(view.samples)
                view.check(outputs)
                steady &= same
        return steady

    def _crowding(self) -> RoundingCollisions | None:
        """How the inputs of the first view of which some fall together do so."""
        seen = (self._evaluate.crowding(view.samples) for view in self.views if isinstance(view, OutputView))
        return next(filter(None, seen), None)

    def __call__(
        self,
        step: int | float | Tensor,
        loss: float | Tensor | None = None,
        learning_rate: float | None = None,
        *,
        force: bool = False,
    ) -> bool:
        """Record a row if `step` is due and not recorded yet.

        A step at or before the first one recorded is a training that begins again: the record begins again with it,
        what it held is kept beside it, and a `ProbeWarning` says so once.

        Args:
            step: Optimizer steps taken so far; 0 is the untrained network. Where several batches make one step, call it
                with the same number as often as you like: the first call counts.
            loss: The training loss at this step; None if there is none, since NaN means that it is not a number.
            learning_rate: The current learning rate, if known.
            force: Record even if the schedule does not ask for it (the last step of a run).

        Returns:
            Whether a row was recorded.

        Raises:
            InputError: If step, loss or learning rate is no single number.
        """
        step = step_number(step)
        if not (force or self.schedule.due(step)) or self._log.recorded(step):
            return False
        outputs = self._answers(asked for view in self.views for asked in view.asks)
        rows = {view.name: functools.partial(view.row, outputs) for view in self.views}
        self._append(step, loss, learning_rate, rows)
        self._tell_coupled()
        if step in self._snapshots:
            self._log.guard(step, self.views[0].name, lambda: self.snapshot(step))
        return True

    def predict(self, index: Tensor | None = None) -> Tensor:
        """The network's present outputs at the first view's samples.

        Args:
            index: Of a signal, flat sample indices (M,), or None for every sample of the signal.
        """
        first = self.views[0]
        if isinstance(first, GridView):
            return self._answers()(CoordinateInputs(first.signal.geometry, index))
        if not isinstance(first, OutputView) or index is not None:
            raise InputError("a probe that watches a signal", f"view {first.name!r}", "leave index out")
        return self._answers()(first.samples)

    def final_errors(self) -> dict[str, float]:
        """Mean square errors of the network as it is over a signal, see `GridView.final_errors`."""
        return self._grid.final_errors(self._answers())

    def snapshot(self, step: int) -> None:
        """Keep the network's prediction of a signal; of more than a million samples, that of a part of them."""
        self._log.snapshot(self._grid.name, "prediction", step, self._grid.snapshot(self._answers()))

    def annotate(self, **attrs: Any) -> None:
        """Add attributes that are known only later, to every record."""
        self._log.annotate(**attrs)

    @property
    def signal(self) -> Signal:
        """The signal watched."""
        return self._grid.signal

    @property
    def bands(self) -> Bands:
        """The frequency bands of a signal's record; the first one holds the mean."""
        return self._grid.measurement.bands

    @property
    def elapsed(self) -> float:
        """Seconds since the run began, over all its sessions."""
        return self._log.elapsed

    @property
    def highest_learned(self) -> float:
        """Upper edge of the first view's bands learned without a gap at the last row; NaN if there is none."""
        return self._log.highest_learned

    @property
    def latest(self) -> Mapping[str, Any]:
        """The first view's last row, by variable of the record; empty before the first."""
        return self._log.latest

    def _answers(self, asked: Iterable[Inputs] = ()) -> OutputCache:
        return OutputCache(self._evaluate, self._processes, asked)

    def _tell_coupled(self) -> None:
        if self._evaluate.coupled and not self._coupled:
            self._coupled = True
            self.annotate(evaluated=WHOLE)
            self._log.warn(
                "the network's answer at a sample depends on the samples beside it; rows evaluate it at all samples at "
                "once, and the record's attribute `evaluated` says so. Pass forward= to give it other company."
            )

    def _opened(self, resume_after: int | None) -> OpenRecord:
        if not self._processes.writes:
            return discard_rows
        return create_record if resume_after is None else resume_record(resume_after)

    @property
    def _grids(self) -> list[GridView]:
        return [view for view in self.views if isinstance(view, GridView)]

    @property
    def _grid(self) -> GridView:
        if not self._grids:
            raise InputError(
                "a probe that watches a signal on a grid",
                ", ".join(view.name for view in self.views),
                "make it with Probe(signal, network)",
                "probe",
            )
        return self._grids[0]


def _views(
    watched: Signal | View | Sequence[View],
    window: Window | Spread | None,
    bands: Bands | None,
    noise: NoiseFloor | None,
) -> tuple[View, ...]:
    if isinstance(watched, Signal):
        return (GridView(watched, window, bands, noise),)
    if window is not None or bands is not None or noise is not None:
        raise InputError(
            "window, bands and noise with a signal alone",
            "them with a view",
            "pass them where the view is made",
            "probe",
        )
    return as_views(
        watched,
        View,
        "a signal, a view or several views",
        "make views with overtone.probes.views, or use Probe.of(inputs, targets, network)",
    )

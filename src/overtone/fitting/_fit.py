"""`fit`: prepare, train, record, return a run; or resume one."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, Unpack

from torch import Tensor

from overtone._config import FitConfig, FitOptions
from overtone._training import Checkpoint, Ending
from overtone._utils.text import format_per_axis, number, plural
from overtone._utils.torch_defaults import standard
from overtone.errors import InputError
from overtone.fitting._begun_run import BegunRun
from overtone.fitting._monitor import (
    check_monitor,
    final_errors,
    frequency_unit,
    make_view,
    plan_monitor,
    record_snapshot,
    snapshot_and_errors,
)
from overtone.fitting._observed import train_observed
from overtone.fitting._prepare import PreparedFit, prepare
from overtone.fitting._progress import FitProgress
from overtone.fitting._run import Run, check_predictions, finished_run
from overtone.fitting._run_directory import RunDirectory, disk_space, fingerprint
from overtone.fitting._settings import RunSettings
from overtone.fitting._stopping import FitController, RuleMonitor, make_stopping
from overtone.fitting._wall_clock import PAGE, WallClock, seconds_after_training
from overtone.planning import ReasonCode
from overtone.planning._duration import choice_seconds, machine_seconds, with_trials
from overtone.planning._labels import is_labelled
from overtone.planning._reasons import Reason, sentences
from overtone.probes import Probe
from overtone.signals import Domain, Geometry, Grid, Measured, Signal, validate
from overtone.signals._measured import ReferenceSamples

G = TypeVar("G", bound=Geometry)

Reference: TypeAlias = Callable[[Tensor], Tensor] | tuple[Any, Any]
"""The known solution of an equation: a function of points, or points with values."""


@standard()
def fit(
    signal: Signal[Geometry] | Measured,
    out: str | Path | None = None,
    config: FitConfig | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
    source: dict[str, Any] | None = None,
    reference: Reference | None = None,
    **overrides: Unpack[FitOptions],
) -> Run:
    """Fit a coordinate network to a signal, record which frequencies it learns when, and return the run.

    Args:
        signal: What to learn; one of `overtone.signals`, on a grid or scattered, measurements of one (k-space,
            projections, blurred samples), or an equation (`operators.equation`): the latter two choose the bandwidth by
            `operators.choose_bandwidth`, train with Adam from 2e-3 on a cosine (unless a rate or a decay is passed) and
            stop on held-out measurements or points. Equations train tanh units in place of the default ReLU.
        out: Run directory; a temporary one if None.
        config: All settings; the defaults of `FitConfig` if None.
        resume: Go on with the run in `out`, with the settings it began with; only a longer budget may be given. A run
            that has nothing left to do is returned as it ended, and none of its files is touched.
        overwrite: Replace an earlier run in `out`.
        progress: Show progress on stderr.
        source: Where the signal came from, stored with the settings.
        reference: Of an equation, its solution where it is known, to measure against: a function from points (N, d) to
            values (N, C), or a pair of points and values. It is never trained on.
        **overrides: Single settings by name, as `width=64` or `steps=500`: the fields of `ModelConfig`,
            `TrainingConfig` and `StoppingConfig`, and `monitor` and `device` of `FitConfig`.

    Returns:
        The run. After Ctrl-C it is the run up to then, and can be resumed.

    Raises:
        InputError: If an argument is wrong, or `out` holds something else.
        RunError: If the loss stops being finite, or the disk is full.

    Example:
        >>> import overtone as ot
        >>> signal = ot.signals.synthetic.harmonics([3.0], samples=64)
        >>> run = ot.fit(signal, width=16, features=8, steps=20)
        >>> run.outcome.step, run.predict().shape
        (20, torch.Size([64, 1]))
    """
    config = (config or FitConfig()).replace(**overrides)
    if reference is not None:
        signal = with_known_solution(signal, reference)
    return fit_on_clock(
        signal, out, config, WallClock(), resume=resume, overwrite=overwrite, progress=progress, source=source
    )


def with_known_solution(signal: Signal[Geometry] | Measured, reference: Reference) -> Measured:
    """Return an equation with its known solution.

    Args:
        signal: The equation.
        reference: The solution, a function or points with values.

    Raises:
        InputError: If it is no equation, or shapes do not fit.
    """
    if not isinstance(signal, Measured) or not isinstance(signal.geometry, Domain):
        raise InputError(
            "reference= only with an equation",
            "samples",
            "pass their noise-free values as clean= of the signal (signal.with_clean)",
            "reference",
        )
    known = reference if callable(reference) else ReferenceSamples(*reference, signal)
    return replace(signal, reference=known)


@standard()
def fit_on_clock(
    signal: Signal[Geometry] | Measured,
    out: str | Path | None,
    config: FitConfig,
    clock: WallClock,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
    source: dict[str, Any] | None = None,
) -> Run:
    """As `fit`, where a limit of the clock bounds reading, choosing, training, measuring and the report together.

    Args:
        signal: As in `fit`.
        out: As in `fit`.
        config: All settings; the seconds of a new run are replaced by what the clock leaves for training.
        clock: The clock of the command. Its parts `choosing`, `training` and `measuring` are ended here.
        resume: As in `fit`; a limit is not applied, because the seconds of a run are those of its training.
        overwrite: As in `fit`.
        progress: As in `fit`.
        source: As in `fit`.
    """
    folder = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="overtone-"))
    if isinstance(signal, Measured):
        # Imported here: the choice for measurements is not part of other fits.
        from overtone.fitting._measured_run import fit_measured

        return fit_measured(
            *(signal, folder, config, clock),
            resume=resume,
            overwrite=overwrite,
            progress=progress,
            source=source,
        )
    directory = RunDirectory(folder)
    if not resume:
        directory.check_free(overwrite)
    samples = fingerprint(validate(signal))
    _refuse_labels(signal)
    begun = BegunRun.of(directory, config) if resume else None
    if begun is not None:
        begun.check_samples(samples, signal.name, str(directory.path))
    prepared = _prepare_on_clock(signal, config, clock) if begun is None else prepare(signal, begun.config)
    clock.end("choosing")
    geometry = prepared.signal.geometry
    if begun is None:
        steps = prepared.expected_steps()
        monitor = config.monitor or plan_monitor(geometry, steps, prepared.batch)
    else:
        monitor = begun.settings.monitor
        check_monitor(geometry, monitor, str(directory.path))
        # The reasons are those of the beginning; warnings were shown then.
        reasons = tuple(map(Reason.recorded, begun.settings.reasons))
        prepared = replace(prepared, reasons=reasons, warnings=())
    # The view and the stopping are made before the directory: what they refuse leaves an earlier run as it is.
    view = make_view(geometry, prepared.signal, monitor, prepared.noise)
    noise = prepared.stopping_noise if begun is None else begun.settings.stopping_noise
    stopping = make_stopping(prepared, view, directory.path, noise, None if begun is None else begun.judged)
    if begun is None:
        settings = RunSettings(
            source,
            samples,
            replace(prepared.config, monitor=monitor),
            prepared.bandwidth,
            tuple(sentences(prepared.reasons)),
            noise,
            tuple(reason.to_json() for reason in prepared.reasons),
        )
        # Snapshots are also taken at the end of the run and of the network that is restored.
        space = disk_space(prepared.signal, prepared.field, len(monitor.snapshots) + 2)
        directory.begin(settings, overwrite, space)
        probe = Probe(view, prepared.field, directory.path, strict=True, attrs=_attributes(prepared))
    elif begun.ended is None:
        probe = begun.reopen(directory, prepared.field, view)
    else:
        with FitProgress(progress, "") as shown:
            shown.say(f"fit {signal.name}: nothing left to do in {directory.path}: {begun.ended}.")
        return finished_run(directory, prepared, stopping, begun.checkpoint, begun.record)
    checkpoint = None if begun is None else begun.checkpoint
    run = _train(prepared, directory, probe, stopping, checkpoint, progress, clock)
    clock.end("measuring")
    return run


def _refuse_labels(signal: Signal[Geometry]) -> None:
    """Refuse scattered labels: squared error would take the third class for three times the first."""
    if not isinstance(signal.geometry, Grid) and is_labelled(signal):
        labels = signal.values.unique().tolist()
        raise InputError(
            "quantities to learn",
            f"{len(labels)} values alone ({', '.join(f'{value:.10g}' for value in labels)}), which look like labels",
            "pass quantities=True to the reader to learn them by squared error, or take the bandwidth of planning.plan "
            "and train a classifier in your own loop, watched by Probe.of(inputs, labels, network)",
            signal.name,
        )


def _prepare_on_clock(signal: Signal[G], config: FitConfig, clock: WallClock) -> PreparedFit[G]:
    """Return a fit that trains for as long as the clock leaves."""
    if clock.limit is None:
        return prepare(signal, config)
    # The size follows from the seconds of training, which are known exactly only once the choice is made.
    left = clock.training_seconds(choice_seconds(signal) + PAGE * machine_seconds())
    # Trials are made of the run's own steps: what they take is not left to it.
    tried = config.model.has_bandwidth and config.model.bandwidth is None
    expected = with_trials(left) if tried and left is not None else left
    try:
        prepared = prepare(signal, _with_seconds(config, expected))
    except InputError as few:
        if few.source != "seconds":
            raise
        # Not even a step fits: the sentence is to speak of the limit that was set.
        prepared = prepare(signal, _with_seconds(config, clock.limit))
    seconds = clock.training_seconds(seconds_after_training(prepared))
    return _with_budget(replace(prepared, config=_with_seconds(prepared.config, seconds)))


def _with_budget(prepared: PreparedFit[G]) -> PreparedFit[G]:
    """Return the fit with the seconds that it trains for in its reasons, and the steps timed on its own network."""

    def renewed(reason: Reason) -> Reason:
        if reason.code is not ReasonCode.TIME_BUDGET:
            return reason
        # The size was chosen from steps of other networks, and before the time of the choice itself was known.
        budget = {"seconds": prepared.config.training.seconds, "steps": prepared.expected_steps()}
        return replace(reason, values={**reason.values, **budget})

    return replace(prepared, reasons=tuple(map(renewed, prepared.reasons)))


def _with_seconds(config: FitConfig, seconds: float | None) -> FitConfig:
    return replace(config, training=replace(config.training, seconds=seconds))


def _attributes(prepared: PreparedFit[Any]) -> dict[str, Any]:
    """Return what the record says of the run from its beginning on."""
    signal, config = prepared.signal, prepared.config
    return {
        "seed": config.training.seed,
        "options": config.training.to_json() | config.model.to_json(),
        "bandwidth": prepared.bandwidth,
        "bandwidth_unit": signal.geometry.frequency_unit,
        "reasons": sentences(prepared.reasons),
        "signal": signal.name,
        "kind": signal.kind,
        "peak": signal.peak,
        "worth": prepared.recommended,
        "stopping_noise": prepared.stopping_noise,
        **_comparison(prepared),
    }


def _comparison(prepared: PreparedFit[Any]) -> dict[str, Any]:
    """Return the bandwidths that were compared, and the quality to expect; nothing if none were."""
    if not prepared.candidates:
        return {}
    expected = prepared.expected
    finite = expected is not None and all(map(math.isfinite, asdict(expected).values()))
    return {
        "candidates": [candidate.to_json() for candidate in prepared.candidates],
        "trial_steps": prepared.trial_steps,
        **({"expected": asdict(expected)} if expected is not None and finite else {}),
    }


def _train(
    prepared: PreparedFit[Any],
    directory: RunDirectory,
    probe: Probe,
    stopping: FitController | RuleMonitor | None,
    checkpoint: Checkpoint | None,
    progress: bool,
    clock: WallClock,
) -> Run:
    signal, field, training = prepared.signal, prepared.field, prepared.config.training
    announcement = _announcement(prepared, directory, checkpoint, clock.limit)
    with probe, FitProgress(progress, frequency_unit(probe)) as shown:
        shown.say(announcement)
        for warning in prepared.warnings:
            shown.say(f"warning: {warning}")
        outcome = train_observed(prepared, signal, training, probe, directory, stopping, checkpoint, shown)
        clock.end("training")
        returned = outcome.step
        # An interrupted run goes on from its last network, not from its best.
        restores = stopping is not None and outcome.ending is not Ending.INTERRUPTED
        # Averaged weights may be those of the last step: a step has one picture, that of what is handed back.
        averaged = restores and stopping is not None and stopping.restores_average
        if not averaged:
            record_snapshot(signal.geometry, probe, outcome.step)
        if restores and stopping is not None:
            returned = stopping.restore() or outcome.step
            probe.annotate(**stopping.attributes(prepared.reasons))
        if averaged or returned != outcome.step:
            errors = snapshot_and_errors(signal.geometry, probe, signal, field, returned)
        else:
            errors = final_errors(signal.geometry, probe, signal, field)
        probe.annotate(
            kept=returned,
            final_errors=errors,
            steps=outcome.step,
            seconds=outcome.seconds,
            ending=outcome.ending.value,
            complete=outcome.ending is not Ending.INTERRUPTED,
        )
    check_predictions(errors.values(), outcome, training)
    return Run(directory, signal, field, outcome)


def _announcement(
    prepared: PreparedFit[Any],
    directory: RunDirectory,
    checkpoint: Checkpoint | None,
    limit: float | None,
) -> str:
    """Return one line on what is about to happen."""
    training, signal = prepared.config.training, prepared.signal
    budget = [plural(training.steps, "step")] if training.steps else []
    if training.seconds:
        whole = "" if limit is None else f" of training within {limit:g} s"
        budget.append(f"{number(training.seconds)} s{whole}")
    bandwidth = "no bandwidth to set"
    if prepared.bandwidth is not None:
        bandwidth = f"bandwidth {format_per_axis(prepared.bandwidth)} {signal.geometry.frequency_unit}"
    start = "" if checkpoint is None else f", from step {checkpoint.step}"
    return f"fit {signal.name}: {bandwidth}, {' or '.join(budget)}{start} -> {directory.path}"

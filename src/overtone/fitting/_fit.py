"""`fit`: prepare, train, record, return a run; or resume one."""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from overtone._config import Decay, FitConfig, FitOptions, TrainingConfig
from overtone._training import Checkpoint, Ending, Outcome, train
from overtone._utils.text import format_per_axis, plural
from overtone._utils.torch_defaults import standard
from overtone.errors import InputError, RunError
from overtone.fitting._monitor import (
    check_monitor,
    final_errors,
    frequency_unit,
    make_probe,
    mean_band_edge,
    plan_monitor,
    record_snapshot,
    window_of,
)
from overtone.fitting._prepare import PreparedFit, prepare
from overtone.fitting._progress import FitProgress
from overtone.fitting._run import Run, finished_run, reason_to_end
from overtone.fitting._run_directory import RunDirectory, disk_space, fingerprint
from overtone.fitting._settings import RunSettings
from overtone.fitting._stopping import FitController, RuleMonitor, make_stopping
from overtone.planning._reasons import Reason, sentences
from overtone.probes import LogSchedule, Probe
from overtone.probes._run_writer import ResumedRecord
from overtone.signals import Geometry, Signal, validate


@standard()
def fit(
    signal: Signal[Geometry],
    out: str | Path | None = None,
    config: FitConfig | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
    source: dict[str, Any] | None = None,
    **overrides: Unpack[FitOptions],
) -> Run:
    """Fit a coordinate network to a signal, record which frequencies it learns when, and return the run.

    Args:
        signal: What to learn; one of `overtone.signals`, on a grid or scattered.
        out: Run directory; a temporary one if None.
        config: All settings; the defaults of `FitConfig` if None.
        resume: Go on with the run in `out`, with the settings it began with; only a longer budget may be given. A run
            that has nothing left to do is returned as it ended, and none of its files is touched.
        overwrite: Replace an earlier run in `out`.
        progress: Show progress on stderr.
        source: Where the signal came from, stored with the settings.
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
    directory = RunDirectory(Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="overtone-")))
    if resume:
        return _resume(signal, directory, config, progress)
    directory.check_free(overwrite)
    samples = fingerprint(validate(signal))
    prepared = prepare(signal, config)
    signal = prepared.signal
    monitor = config.monitor or plan_monitor(signal.geometry, prepared.expected_steps(), prepared.batch)
    settings = RunSettings(
        source,
        samples,
        replace(prepared.config, monitor=monitor),
        prepared.bandwidth,
        tuple(sentences(prepared.reasons)),
    )
    stopping = make_stopping(prepared, window_of(monitor), directory.path)
    # Snapshots are also taken at the end of the run and of the network that is restored.
    directory.begin(settings, overwrite, disk_space(signal, prepared.field, len(monitor.snapshots) + 2))
    probe = make_probe(prepared, monitor, directory.path, attrs=_attributes(prepared))
    return _train(prepared, directory, probe, stopping, None, progress)


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
    }


def _resume(signal: Signal[Geometry], directory: RunDirectory, config: FitConfig, progress: bool) -> Run:
    settings = directory.read_settings()
    directory.check_own()
    if settings.samples not in (None, fingerprint(signal)):
        raise InputError(
            "the samples that the run began with",
            f"others in {signal.name}",
            "pass the same source, or begin a new run in another --out",
            str(directory.path),
        )
    training = _longer(settings.config.training, config.training)
    checkpoint = Checkpoint.load(directory.checkpoint)
    record = directory.load_record()
    ended = reason_to_end(settings.config.training, training, checkpoint, record, str(directory.path))
    model = settings.config.model
    if settings.bandwidth is not None:
        model = replace(model, bandwidth=settings.bandwidth)
    prepared = prepare(signal, replace(settings.config, model=model, training=training, device=config.device))
    # The reasons are those of the beginning; warnings were shown then.
    reasons = tuple(map(Reason.recorded, settings.reasons))
    prepared = replace(prepared, reasons=reasons, warnings=())
    monitor = settings.monitor
    check_monitor(monitor, prepared.signal, str(directory.path))
    window = window_of(monitor)
    if ended is not None:
        with FitProgress(progress, "") as shown:
            shown.say(f"fit {signal.name}: nothing left to do in {directory.path}: {ended}.")
        stopping = make_stopping(prepared, window, directory.path, record)
        return finished_run(directory, prepared, stopping, checkpoint, record)
    # The row of the checkpoint's step is in the record only if the run went on after it, or ends there.
    recorded = LogSchedule().due(checkpoint.step) or training.used_up(checkpoint.step, checkpoint.seconds)
    probe = make_probe(
        prepared,
        monitor,
        ResumedRecord(
            directory.path, checkpoint.step if recorded else checkpoint.step - 1, checkpoint.seconds
        ),
    )
    try:
        options = probe.record.attrs.get("options") or {}
        probe.annotate(complete=False, options=options | training.to_json())
        directory.write_settings(replace(settings, config=replace(settings.config, training=training)))
        stopping = make_stopping(prepared, window, directory.path, probe.record)
    except BaseException:
        probe.close()
        raise
    return _train(prepared, directory, probe, stopping, checkpoint, progress)


def _longer(begun: TrainingConfig, asked: TrainingConfig) -> TrainingConfig:
    """Return the training that a run began with, with the budget that is asked for now."""
    longer = replace(begun, steps=asked.steps or begun.steps, seconds=asked.seconds or begun.seconds)
    if longer != begun and begun.decay is not Decay.CONSTANT:
        raise InputError(
            "the budget the run began with, because its learning rate follows it",
            "another one",
            "leave --steps and --time out",
            "resume",
        )
    return longer


def _train(
    prepared: PreparedFit[Any],
    directory: RunDirectory,
    probe: Probe,
    stopping: FitController | RuleMonitor | None,
    checkpoint: Checkpoint | None,
    progress: bool,
) -> Run:
    signal, field, training = prepared.signal, prepared.field, prepared.config.training
    with probe, FitProgress(progress, frequency_unit(probe)) as shown:
        shown.say(_announcement(prepared, directory, checkpoint))
        for warning in prepared.warnings:
            shown.say(f"warning: {warning}")
        mean_edge = mean_band_edge(probe)

        def observe(step: int, loss: float, rate: float, last: bool) -> bool:
            recorded = probe(step, None if math.isnan(loss) else loss, rate, force=last)
            learned = probe.highest_learned if probe.highest_learned > mean_edge else math.nan
            shown.update(training.share(step, probe.elapsed), step, loss, learned)
            if not recorded or stopping is None:
                return False
            done = stopping.update(step, probe.latest)
            for line in stopping.news():
                shown.say(line)
            return done

        if checkpoint is not None and stopping is not None and stopping.ended:
            # Killed between its last row and its end: nothing is left to train, only to finish.
            checkpoint.restore(field, prepared.optimizer)
            outcome = Outcome(checkpoint.step, checkpoint.seconds, Ending.OBSERVER)
        else:
            outcome = train(
                field,
                signal,
                training,
                observe,
                wants=probe.schedule.due,
                checkpoint=directory.checkpoint,
                resume=checkpoint,
                optimizer=prepared.optimizer,
            )
        record_snapshot(signal.geometry, probe, outcome.step)
        returned = outcome.step
        # An interrupted run goes on from its last network, not from its best.
        if stopping is not None and outcome.ending is not Ending.INTERRUPTED:
            returned = stopping.restore() or outcome.step
            probe.annotate(**stopping.attributes(prepared.reasons))
            if returned != outcome.step:
                record_snapshot(signal.geometry, probe, returned)
        errors = final_errors(signal.geometry, probe, signal, field)
        probe.annotate(
            kept=returned,
            final_errors=errors,
            steps=outcome.step,
            seconds=outcome.seconds,
            ending=outcome.ending.value,
            complete=outcome.ending is not Ending.INTERRUPTED,
        )
    if not all(map(math.isfinite, errors.values())):
        raise RunError(
            "finite predictions",
            f"NaN or infinity after step {outcome.step}",
            f"lower the learning rate of {training.learning_rate:g}; the record up to there is kept",
            "training",
        )
    return Run(directory, signal, field, outcome)


def _announcement(prepared: PreparedFit[Any], directory: RunDirectory, checkpoint: Checkpoint | None) -> str:
    """Return one line on what is about to happen."""
    training, signal = prepared.config.training, prepared.signal
    budget = [plural(training.steps, "step")] if training.steps else []
    budget += [f"{training.seconds:g} s"] if training.seconds else []
    bandwidth = "no bandwidth to set"
    if prepared.bandwidth is not None:
        bandwidth = f"bandwidth {format_per_axis(prepared.bandwidth)} {signal.geometry.frequency_unit}"
    start = "" if checkpoint is None else f", from step {checkpoint.step}"
    return f"fit {signal.name}: {bandwidth}, {' or '.join(budget)}{start} -> {directory.path}"

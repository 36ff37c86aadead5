"""Run of a fit of measurements or of an equation: train, stop on what was held out, record, resume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from overtone._config import FitConfig, MonitorConfig
from overtone._training import Checkpoint, Ending
from overtone._utils.text import format_per_axis, number, plural
from overtone.early_stopping import HeldOut, HeldOutAndNoise
from overtone.errors import InputError
from overtone.fitting._begun_run import BegunRun
from overtone.fitting._equation import equation_fingerprint, is_equation, prepare_equation
from overtone.fitting._measured import (
    PreparedMeasured,
    check_settings,
    counts,
    measured_fingerprint,
    prepare_measured,
)
from overtone.fitting._observed import train_observed
from overtone.fitting._progress import FitProgress
from overtone.fitting._run import Run, check_predictions, finished_run
from overtone.fitting._run_directory import FIXED_BYTES, MAX_CANDIDATES, RunDirectory
from overtone.fitting._settings import RunSettings
from overtone.fitting._stopping import RuleMonitor
from overtone.fitting._wall_clock import PAGE, WallClock
from overtone.operators._kernel import zero_loss
from overtone.planning._duration import machine_seconds
from overtone.probes import Probe
from overtone.signals import Measured

CHOICE_SHARE, CLASSICAL_SHARE = 0.25, 0.25
"""Parts of a limit of the clock for the choice of a bandwidth, and of what it leaves for classical pictures."""

BEGUN = 0.5
"""A run ends early only once its error has been below this share of the held-out power."""


def fit_measured(
    problem: Measured,
    out: Path,
    config: FitConfig,
    clock: WallClock,
    *,
    resume: bool,
    overwrite: bool,
    progress: bool,
    source: dict[str, Any] | None,
) -> Run:
    """As `fit_on_clock`, for a field known through measurements of its samples, or through an equation.

    Args:
        problem: The measurements, or the equation with its conditions.
        out: The run directory.
        config: The settings.
        clock: The clock of the command.
        resume: As in `fit`.
        overwrite: As in `fit`.
        progress: As in `fit`.
        source: As in `fit`.
    """
    check_settings(problem, config)
    directory = RunDirectory(out)
    if not resume:
        directory.check_free(overwrite)
    equation = is_equation(problem)
    samples = equation_fingerprint(problem) if equation else measured_fingerprint(problem)
    begun = BegunRun.of(directory, config) if resume else None
    if begun is not None:
        begun.check_samples(samples, problem.name, str(directory.path))
    settings = config if begun is None else begun.config
    prepared: PreparedMeasured
    if equation:
        prepared = prepare_equation(problem, settings, begun and begun.record)
    else:
        prepared = prepare_measured(problem, settings, clock.share(CHOICE_SHARE))
    if begun is not None:
        prepared = replace(prepared, reasons=begun.settings.reasons)
        if not equation:
            _check_split(prepared, begun, str(directory.path))
    clock.end("choosing")
    views = prepared.views()
    stopping = _stopping(prepared, directory, begun)
    if begun is None:
        facts, pictures = prepared.begin(clock.share(CLASSICAL_SHARE))
        reserve = PAGE * machine_seconds()
        seconds = config.training.seconds if clock.limit is None else clock.training_seconds(reserve)
        prepared = replace(
            prepared,
            config=replace(prepared.config, training=replace(prepared.config.training, seconds=seconds)),
        )
        decided = RunSettings(
            source,
            samples,
            replace(prepared.config, monitor=MonitorConfig()),
            prepared.bandwidth,
            prepared.reasons,
            prepared.noise,
        )
        names = [view.name for view in views[1:]]
        directory.begin(decided, overwrite, _space(prepared), names)
        probe = Probe(views, prepared.field, directory.path, strict=True, attrs=_attributes(prepared, facts))
        for one in pictures:
            probe.store(*one)
    elif begun.ended is None:
        probe = begun.reopen(directory, prepared.field, views)
    else:
        with FitProgress(progress, "") as shown:
            shown.say(f"fit {problem.name}: nothing left to do in {directory.path}: {begun.ended}.")
        run = finished_run(directory, prepared, stopping, begun.checkpoint, begun.record)
        return prepared.handed_back(run)
    run = _train(prepared, directory, probe, stopping, begun and begun.checkpoint, progress, clock)
    clock.end("measuring")
    return prepared.handed_back(run)


def _check_split(prepared: PreparedMeasured, begun: BegunRun, run_path: str) -> None:
    """Refuse a run of an earlier version, which held other measurements out."""
    stored = (begun.record.attrs.get(prepared.attribute) or {}).get("functionals")
    if stored not in (None, counts(prepared.fitted, prepared.held_out)):
        raise InputError(
            "the held-out measurements that the run began with",
            "those of another version",
            "begin a new run in another --out",
            run_path,
        )


def _stopping(
    prepared: PreparedMeasured, directory: RunDirectory, begun: BegunRun | None
) -> RuleMonitor | None:
    """The rule that ends the run: held-out measurements, and the discrepancy where the noise is known."""
    if prepared.held_out is None or not prepared.config.stopping.stop:
        return None
    # The error, of dominant measurements too, may rise once before it falls for good. The run goes on until it is below
    # half of what zeros leave of the held-out measurements alone, beside the noise.
    zero = zero_loss(prepared.held_out)
    noise = prepared.noise or 0.0
    below = noise + BEGUN * max(0.0, zero - noise)
    rule = HeldOutAndNoise(noise, below=below) if noise else HeldOut(below=below)
    stopping = RuleMonitor(directory.path, prepared.field, rule, None)
    if begun is not None:
        stopping.recall(*begun.judged)
    return stopping


def _space(prepared: PreparedMeasured) -> int:
    parameters = sum(p.numel() for p in prepared.field.parameters())
    return FIXED_BYTES + 4 * 20 * prepared.samples + (8 + MAX_CANDIDATES) * 4 * parameters


def _attributes(prepared: PreparedMeasured, facts: dict[str, Any]) -> dict[str, Any]:
    problem, config = prepared.problem, prepared.config
    return {
        "seed": config.training.seed,
        "options": config.training.to_json() | config.model.to_json(),
        "bandwidth": prepared.bandwidth,
        "bandwidth_unit": problem.geometry.frequency_unit,
        "reasons": list(prepared.reasons),
        "signal": problem.name,
        # Views of equations say of what they are themselves.
        **({} if prepared.kind is None else {"kind": prepared.kind, "stopping_noise": prepared.noise}),
        prepared.attribute: facts,
    }


def _train(
    prepared: PreparedMeasured,
    directory: RunDirectory,
    probe: Probe,
    stopping: RuleMonitor | None,
    checkpoint: Checkpoint | None,
    progress: bool,
    clock: WallClock,
) -> Run:
    problem, field, training = prepared.problem, prepared.field, prepared.config.training
    unit = problem.geometry.frequency_unit
    with probe, FitProgress(progress, unit) as shown:
        shown.say(_announcement(prepared, directory, checkpoint))
        outcome = train_observed(
            prepared, prepared.fitted, training, probe, directory, stopping, checkpoint, shown
        )
        clock.end("training")
        interrupted = outcome.ending is Ending.INTERRUPTED
        returned = outcome.step
        # An interrupted run goes on from its last network, not from its best.
        if stopping is not None and not interrupted:
            returned = stopping.restore() or outcome.step
            probe.annotate(averaged=False)
        score, image = prepared.final()
        probe.store("prediction", returned, image)
        described = dict(probe.record.attrs[prepared.attribute]) | {"network": score}
        # The facts lie in the first record; what a run is of and how it ended in each.
        probe.annotate(
            kept=returned,
            final_errors={},
            steps=outcome.step,
            seconds=outcome.seconds,
            ending=outcome.ending.value,
            complete=not interrupted,
            **{prepared.attribute: described},
        )
    check_predictions([score["train"]], outcome, training)
    return Run(directory, problem, field, outcome)


def _announcement(prepared: PreparedMeasured, directory: RunDirectory, checkpoint: Checkpoint | None) -> str:
    """Return one line on what is about to happen."""
    training, problem = prepared.config.training, prepared.problem
    budget = [plural(training.steps, "step")] if training.steps else []
    budget += [f"{number(training.seconds)} s"] if training.seconds else []
    bandwidth = "no bandwidth to set"
    if prepared.bandwidth is not None:
        bandwidth = f"bandwidth {format_per_axis(prepared.bandwidth)} {problem.geometry.frequency_unit}"
    start = "" if checkpoint is None else f", from step {checkpoint.step}"
    return f"fit {problem.name}: {bandwidth}, {' or '.join(budget)}{start} -> {directory.path}"

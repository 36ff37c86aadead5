"""`fit`: choose, train, observe, hand back a Run."""

from __future__ import annotations

import functools
import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from overtone._config import EncodingKind, ModelConfig
from overtone._training import (
    Checkpoint,
    Decay,
    Ending,
    Optimizer,
    Outcome,
    Precision,
    TrainingConfig,
    make_optimizer,
    train,
)
from overtone._utils.text import per_axis, plural
from overtone._utils.torch_defaults import standard
from overtone.errors import InputError, RunError
from overtone.fitting._monitor import expected_steps, plan_watching
from overtone.fitting._prepare import Built, Wishes, build, extent, find_device, hold_out
from overtone.fitting._progress import FitProgress
from overtone.fitting._run import Run, as_it_was, nothing_left
from overtone.fitting._run_directory import RunDirectory, fingerprint, needed
from overtone.fitting._settings import RunSettings
from overtone.fitting._stopping import Control, follow
from overtone.fitting._watching import first_band, last_errors, noise_estimator, snapshot, unit_of, watch
from overtone.fitting.keeping import Keeping
from overtone.nn import Activation
from overtone.planning._plan import UNWORTHY, stop_sentence
from overtone.probes import LogSchedule, Probe
from overtone.probes._run_writer import ResumedRecord
from overtone.signals import Geometry, Signal, validate

_training: Any = TrainingConfig


@standard()
def fit(
    signal: Signal[Geometry],
    out: str | Path | None = None,
    *,
    encoding: EncodingKind | str = EncodingKind.AUTO,
    bandwidth: float | Sequence[float] | None = None,
    activation: Activation | str | Sequence[Activation | str] = Activation.RELU,
    width: int | None = None,
    depth: int = 3,
    features: int | None = None,
    residual: bool = False,
    optimizer: Optimizer | str = Optimizer.ADAM,
    lr: float | None = None,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    decay: Decay | str = Decay.CONSTANT,
    steps: int | None = None,
    seconds: float | None = None,
    batch: int | None = None,
    precision: Precision | str = Precision.AUTO,
    compile: bool | None = None,
    held_out: float = 0.1,
    stop: bool = True,
    controller: bool = False,
    seed: int = 0,
    device: str | torch.device = "auto",
    overwrite: bool = False,
    resume: bool = False,
    progress: bool = False,
    source: dict[str, Any] | None = None,
) -> Run:
    """Fit a coordinate network to a signal, record which frequencies it learns when, and hand back the run.

    Args:
        signal: What to learn; one of `overtone.signals`, on a grid or scattered.
        out: Run directory; a temporary one if None.
        encoding: What coordinates are turned into: none, basic, positional, gaussian, power-law, learned, periodic,
            hash-grid, dense-grid, triplane, or auto (gaussian; none before an activation that brings frequencies).
        bandwidth: The encoding's reach in cycles per unit of the coordinate, one number or one per axis; chosen from
            the signal's spectrum and noise floor if None.
        activation: One activation, or one per hidden layer.
        width: Units per hidden layer; 256, or as many as `seconds` allow, if None.
        depth: Hidden layers.
        features: Frequencies of the Gaussian encoding; 256, or as many as there are samples or units, if None.
        residual: Hidden layers add to what they receive.
        optimizer: adam or sgd.
        lr: Learning rate; 1e-3, or more where `seconds` are short, if None.
        momentum: SGD's momentum.
        weight_decay: L2 penalty.
        decay: Course of the learning rate: constant, cosine or exponential.
        steps: Optimizer steps; 2,000 if neither steps nor seconds are given.
        seconds: Wall-clock budget.
        batch: Samples per step; all training samples up to 8,192, or what `seconds` allow, if None.
        precision: auto, full or mixed.
        compile: Whether to use `torch.compile`; None lets the device and the length of the run decide.
        held_out: Fraction of the samples kept out of training, 0 for none; ignored if the signal has a mask.
        stop: End the run when the smoothed error on held-out samples has been rising for as many steps again as the
            best one took, and hand back the network that was best (`early_stopping.HeldOut`); off, or with nothing held
            out, all steps are made and the last network is handed back.
        controller: Steer the reach and the learning rate while training, from the bandwidth chosen or given, and stop
            by the noise as well (`controller.Controller`); for encodings that can be rescaled or windowed.
        seed: Seeds the mask, the network and the batches.
        device: "auto" takes a GPU if there is one.
        overwrite: Replace an earlier run in `out`.
        resume: Go on with the run in `out`, with the settings it began with; only a longer budget may be given. A run
            that has nothing left to do is handed back as it ended, and none of its files is touched.
        progress: Show progress on stderr.
        source: Where the signal came from, kept with the settings.

    Returns:
        The run. After Ctrl-C it is what there was until then, and can be resumed.

    Raises:
        InputError: If an argument is wrong, or `out` holds something else.
        RunError: If the loss stops being finite, or the disk is full.
    """
    options = _training(
        steps, seconds, batch, lr, optimizer, momentum, weight_decay, decay, precision, compile, seed
    )
    where = find_device(device)
    directory = RunDirectory(Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="overtone-")))
    if resume:
        return _resume(signal, directory, (steps, seconds), where, progress)
    directory.check_free(overwrite)
    begun_with = fingerprint(validate(signal))
    signal = hold_out(signal, held_out, seed)
    noise = noise_estimator(signal.geometry, signal)
    room = extent(signal, options, Wishes(width, depth, features, lr), where)
    given = ModelConfig(encoding, bandwidth, activation, room.width, depth, room.features, residual)  # type: ignore[arg-type]
    options = replace(options, steps=options.max_steps, batch=room.batch, lr=room.lr)
    built = build(signal, given, seed, noise, room)
    if controller or not (stop and len(signal.held_out_index)):
        built = replace(built, reasons=tuple(r for r in built.reasons if r != stop_sentence()))
    field = built.field.to(where)
    plan = plan_watching(
        signal.geometry, expected_steps(field, signal, options), options.batch_of(signal.train_index.numel())
    )
    rates = make_optimizer(field, options)
    floor = noise() if noise else None
    follower = follow(
        signal, field, rates, plan.window, floor, directory.path, stop=stop, controller=controller
    )
    settings = RunSettings(
        source,
        begun_with,
        built.settings,
        options,
        plan,
        held_out,
        stop,
        controller,
        built.bandwidth,
        built.reasons,
    )
    attrs = {"seed": seed, "options": options.to_json() | built.settings.to_json()}
    attrs |= {"bandwidth": built.bandwidth, "bandwidth_unit": signal.geometry.frequency_unit}
    attrs |= {"reasons": list(built.reasons), "signal": signal.name}
    attrs |= {"kind": signal.kind, "peak": signal.peak, "worth": UNWORTHY not in built.warnings}
    directory.begin(settings, overwrite, needed(signal, field, len(plan.snapshots) + 2))
    probe = watch(signal.geometry, signal, field, directory.path, plan, floor, attrs=attrs)
    built = replace(built, field=field)
    return _train(signal, built, options, directory, probe, rates, follower, None, progress)


def _resume(
    signal: Signal[Geometry],
    directory: RunDirectory,
    budget: tuple[int | None, float | None],
    where: torch.device,
    progress: bool,
) -> Run:
    settings = directory.read_settings()
    directory.check_own()
    if settings.samples not in (None, fingerprint(signal)):
        raise InputError(
            "the samples that the run began with",
            f"others in {signal.name}",
            "pass the same source, or begin a new run in another --out",
            str(directory.path),
        )
    begun = settings.training
    longer = replace(begun, steps=budget[0] or begun.steps, seconds=budget[1] or begun.seconds)
    if longer != begun and begun.decay is not Decay.CONSTANT:
        raise InputError(
            "the budget the run began with, because its learning rate follows it",
            "another one",
            "leave --steps and --time out",
            "resume",
        )
    checkpoint = Checkpoint.load(directory.checkpoint)
    record = directory.load_record()
    done = nothing_left(begun, longer, checkpoint, record, str(directory.path))
    given = settings.network
    if settings.bandwidth is not None:
        given = replace(given, bandwidth=settings.bandwidth)
    signal = hold_out(signal, settings.held_out, begun.seed)
    noise = noise_estimator(signal.geometry, signal)
    built = build(signal, given, begun.seed, noise)
    field = built.field.to(where)
    plan = settings.watch
    plan.check(signal, str(directory.path))
    floor = noise() if noise else None
    rates = make_optimizer(field, longer)
    follow_on = functools.partial(
        follow,
        signal,
        field,
        rates,
        plan.window,
        floor,
        directory.path,
        stop=settings.stop,
        controller=settings.controller,
    )
    if done is not None:
        with FitProgress(progress, "") as shown:
            shown.say(f"fit {signal.name}: nothing left to do in {directory.path}: {done}.")
        return as_it_was(directory, signal, field, rates, follow_on(record=record), checkpoint, record)
    ends_here = LogSchedule().due(checkpoint.step) or longer.used_up(checkpoint.step, checkpoint.seconds)
    probe = watch(
        signal.geometry,
        signal,
        field,
        ResumedRecord(
            directory.path, checkpoint.step if ends_here else checkpoint.step - 1, checkpoint.seconds
        ),
        plan,
        floor,
    )
    try:
        begun_with = probe.record.attrs.get("options") or {}
        probe.annotate(complete=False, options=begun_with | longer.to_json())
        directory.write_settings(replace(settings, training=longer))
        follower = follow_on(record=probe.record)
    except BaseException:
        probe.close()
        raise
    built = replace(built, field=field, reasons=settings.reasons)
    return _train(signal, built, longer, directory, probe, rates, follower, checkpoint, progress)


def _train(
    signal: Signal[Geometry],
    built: Built,
    options: TrainingConfig,
    directory: RunDirectory,
    probe: Probe,
    rates: torch.optim.Optimizer,
    follower: Control | Keeping | None,
    checkpoint: Checkpoint | None,
    progress: bool,
) -> Run:
    with probe, FitProgress(progress, unit_of(probe)) as shown:
        shown.say(_announcement(signal, built, options, directory, checkpoint))
        for warning in built.warnings:
            shown.say(f"warning: {warning}")
        mean = first_band(probe)

        def observe(step: int, loss: float, rate: float, last: bool) -> bool:
            recorded = probe(step, None if math.isnan(loss) else loss, rate, force=last)
            learned = probe.highest_learned if probe.highest_learned > mean else math.nan
            shown.update(options.share(step, probe.elapsed), step, loss, learned)
            if not recorded or follower is None:
                return False
            done = follower.update(step, probe.latest)
            for line in follower.news():
                shown.say(line)
            return done

        if checkpoint is not None and follower is not None and follower.ended:
            checkpoint.restore(built.field, rates)
            outcome = Outcome(checkpoint.step, checkpoint.seconds, Ending.OBSERVER)
        else:
            outcome = train(
                built.field,
                signal,
                options,
                observe,
                wants=probe.schedule.due,
                checkpoint=directory.checkpoint,
                resume=checkpoint,
                optimizer=rates,
            )
        snapshot(signal.geometry, probe, outcome.step)
        kept = outcome.step
        if follower is not None and outcome.ending is not Ending.INTERRUPTED:
            kept = follower.restore() or outcome.step
            probe.annotate(**follower.attributes(built.reasons))
            if kept != outcome.step:
                snapshot(signal.geometry, probe, kept)
        errors = last_errors(signal.geometry, probe, signal, built.field)
        probe.annotate(
            kept=kept,
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
            f"lower the learning rate of {options.learning_rate:g}; the record up to there is kept",
            "training",
        )
    return Run(directory, signal, built.field, outcome)


def _announcement(
    signal: Signal[Geometry],
    built: Built,
    options: TrainingConfig,
    directory: RunDirectory,
    checkpoint: Checkpoint | None,
) -> str:
    """What is about to happen, in one line."""
    budget = [plural(options.steps, "step")] if options.steps else []
    budget += [f"{options.seconds:g} s"] if options.seconds else []
    reach = "no bandwidth to set"
    if built.bandwidth is not None:
        reach = f"bandwidth {per_axis(built.bandwidth)} {signal.geometry.frequency_unit}"
    start = "" if checkpoint is None else f", from step {checkpoint.step}"
    return f"fit {signal.name}: {reach}, {' or '.join(budget)}{start} -> {directory.path}"

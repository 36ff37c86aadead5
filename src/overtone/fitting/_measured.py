"""Fit of a field known through measurements: choose by least squares, train, stop on held-out measurements, record."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from overtone._config import Decay, EncodingKind, FitConfig, MonitorConfig
from overtone._state import evaluation_mode
from overtone._training import Checkpoint, Ending, Outcome, make_optimizer, train
from overtone._utils.seeding import derive_seed
from overtone._utils.text import format_per_axis, number, plural
from overtone.baselines import Reconstruction, reconstruct
from overtone.early_stopping import HeldOut, HeldOutAndNoise
from overtone.errors import InputError
from overtone.fitting._begun_run import BegunRun
from overtone.fitting._measured_split import judged_measurements, split_measured
from overtone.fitting._progress import FitProgress
from overtone.fitting._run import Run, check_predictions, finished_run
from overtone.fitting._run_directory import FIXED_BYTES, MAX_CANDIDATES, RunDirectory
from overtone.fitting._settings import RunSettings
from overtone.fitting._stopping import RuleMonitor
from overtone.fitting._wall_clock import PAGE, WallClock
from overtone.nn import Field
from overtone.operators import choose_bandwidth
from overtone.operators._features import ConfiguredNetwork
from overtone.operators._kernel import zero_loss
from overtone.operators._training import LEARNING_RATE
from overtone.operators._wording import reasons as choice_reasons
from overtone.planning._duration import machine_seconds
from overtone.probes import Probe
from overtone.probes.views._residuals import residuals
from overtone.signals import Grid, Measured

WIDTH, FEATURES = 64, 64
"""Units per hidden layer and frequencies, those of the networks whose choices were measured."""

BEGUN = 0.5
"""A run ends early only once its error has been below this share of the held-out power."""


@final
@dataclass(frozen=True)
class PreparedMeasured:
    """A fit of measurements before its first step.

    Attributes:
        problem: All measurements.
        fitted: Those that are trained on.
        held_out: Those that are not; None if there are too few.
        config: The settings, with everything decided.
        field: The untrained network.
        optimizer: Optimizer of its parameters.
        bandwidth: Per axis, in cycles per unit; None without one.
        reasons: Why, in sentences.
        noise: Variance of a measurement's noise; 0 where it is unknown.
    """

    problem: Measured
    fitted: Measured
    held_out: Measured | None
    config: FitConfig
    field: Field
    optimizer: torch.optim.Optimizer
    bandwidth: tuple[float, ...] | None
    reasons: tuple[str, ...]
    noise: float

    @property
    def signal(self) -> Measured:
        """The problem, under the name that it has in other fits."""
        return self.problem


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
    """As `fit_on_clock`, for a field known through measurements of its samples.

    Args:
        problem: The measurements.
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
    samples = measured_fingerprint(problem)
    begun = BegunRun.of(directory, config) if resume else None
    if begun is not None:
        begun.check_samples(samples, problem.name, str(directory.path))
    prepared = prepare_measured(problem, config if begun is None else begun.config)
    if begun is not None:
        prepared = replace(prepared, reasons=begun.settings.reasons)
    clock.end("choosing")
    judged = None if prepared.held_out is None else judged_measurements(problem, prepared.held_out)
    views = residuals(prepared.fitted, held_out=judged)
    stopping = _stopping(prepared, directory, begun)
    if begun is None:
        classical = classical_scores(prepared)
        reserve = PAGE * machine_seconds()
        seconds = config.training.seconds if clock.limit is None else clock.training_seconds(reserve)
        prepared = replace(
            prepared,
            config=replace(prepared.config, training=replace(prepared.config.training, seconds=seconds)),
        )
        settings = RunSettings(
            source,
            samples,
            replace(prepared.config, monitor=MonitorConfig()),
            prepared.bandwidth,
            prepared.reasons,
            prepared.noise,
        )
        directory.begin(settings, overwrite, _space(prepared))
        probe = Probe(
            views, prepared.field, directory.path, strict=True, attrs=_attributes(prepared, classical)
        )
        _store_pictures(probe, prepared, classical)
    elif begun.ended is None:
        probe = begun.reopen(directory, prepared.field, views)
    else:
        with FitProgress(progress, "") as shown:
            shown.say(f"fit {problem.name}: nothing left to do in {directory.path}: {begun.ended}.")
        return finished_run(directory, prepared, stopping, begun.checkpoint, begun.record)
    run = _train(prepared, directory, probe, stopping, begun and begun.checkpoint, progress, clock)
    clock.end("measuring")
    return run


def check_settings(problem: Measured, config: FitConfig) -> None:
    """Refuse problems and settings that fits of measurements do not have.

    Args:
        problem: The measurements.
        config: The settings.

    Raises:
        InputError: If an equation is passed, or a setting does not apply.
    """
    if not isinstance(problem.geometry, Grid) or any(term.derivatives for term in problem.terms):
        raise InputError(
            "measurements of samples (k-space, projections, blurred samples)",
            "a field without samples, such as that of an equation",
            "train with operators.train_network, watched by probes.views.residuals",
            "fit",
        )
    refused = {
        "controller": config.stopping.controller,
        "batch": config.training.batch is not None,
        "choose": config.model.choose is not None,
        "compile": config.training.compile is True,
    }
    for name, present in refused.items():
        if present:
            raise InputError(
                "settings that apply to measurements",
                name,
                "leave it out: every step takes all of them",
                name,
            )
    kind = config.device.partition(":")[0]
    if kind not in ("auto", "cpu"):
        raise InputError("the CPU, where operators of measurements are applied", kind, "pass auto", "device")


def prepare_measured(problem: Measured, config: FitConfig) -> PreparedMeasured:
    """Return a fit before its first step; a bandwidth that the settings name is used, others are chosen.

    Args:
        problem: The measurements.
        config: The settings.

    Raises:
        InputError: If a bandwidth does not fit the axes or the encoding.
    """
    seed, training = config.training.seed, config.training
    fitted, held_out = split_measured(problem, config.stopping.held_out, seed)
    model = replace(
        config.model, width=config.model.width or WIDTH, features=config.model.features or FEATURES
    )
    if model.encoding is EncodingKind.AUTO:
        model = replace(model, encoding=model.resolved_encoding)
    if training.lr is None and training.decay is Decay.CONSTANT:
        # As operators.train_network trains: the choices were measured with it.
        training = replace(training, lr=LEARNING_RATE, decay=Decay.COSINE)
    training = replace(training, steps=training.max_steps)
    bandwidth = model.bandwidth
    reasons: tuple[str, ...] = ("The bandwidth was set by hand.",)
    if not model.has_bandwidth:
        bandwidth, reasons = None, (f"The encoding {model.encoding.value} has no bandwidth.",)
        if model.bandwidth is not None:
            raise InputError(
                "an encoding that has a bandwidth", model.encoding.value, "choose gaussian", "bandwidth"
            )
    elif bandwidth is None:
        choice = choose_bandwidth(fitted, model, steps=training.max_steps or 1000, seed=seed)
        bandwidth, reasons = choice.bandwidth, tuple(choice_reasons(choice))
    axes = problem.geometry.axes
    if bandwidth is not None and len(bandwidth) not in (1, axes):
        raise InputError(
            f"one bandwidth or one per axis ({axes})", f"{len(bandwidth)}", "pass that many", "bandwidth"
        )
    bandwidth = bandwidth if bandwidth is None or len(bandwidth) == axes else bandwidth * axes
    field = ConfiguredNetwork(problem, model)(bandwidth or (), derive_seed(seed, "network"))
    assert isinstance(field, Field)
    noise = [term.noise for term in problem.terms]
    variance = noise[0] ** 2 if len(noise) == 1 and noise[0] is not None else 0.0
    config = replace(config, model=model, training=training)
    return PreparedMeasured(
        problem,
        fitted,
        held_out,
        config,
        field,
        make_optimizer(field, training),
        bandwidth,
        reasons,
        variance,
    )


def measured_fingerprint(problem: Measured) -> str:
    """Number of functionals and the crc32 of their data and of what they are of a fixed field."""
    total = 0
    for term in problem.terms:
        place = torch.arange(len(term.points), dtype=torch.float64, device="cpu").remainder(7)
        # A field of small whole numbers: sums of them are exact, so that rounding does not change the fingerprint.
        values = place[:, None].repeat(1, len(problem.channels))
        dtype = torch.complex128 if problem.complex_values else torch.float64
        image = term.operator(term.points, values.to(dtype))
        for part in (term.data, image):
            plain = torch.view_as_real(part) if part.is_complex() else part
            rounded = plain.double().mul(1e6).round().to(torch.int64) if part is image else plain.contiguous()
            total = zlib.crc32(rounded.contiguous().cpu().numpy().data, total)
    return f"{sum(term.size for term in problem.terms)} functionals {total:08x}"


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
    samples = prepared.problem.geometry.samples * len(prepared.problem.channels)  # type: ignore[union-attr]
    return FIXED_BYTES + 4 * 20 * samples + (8 + MAX_CANDIDATES) * 4 * parameters


def classical_scores(prepared: PreparedMeasured) -> list[tuple[Reconstruction, dict[str, Any]]]:
    """Return the classical reconstructions from the measurements that are trained on, with their errors.

    Args:
        prepared: The fit.
    """
    problem, held_out = prepared.problem, prepared.held_out
    score = measured_score(problem, prepared.fitted, held_out)
    judge = prepared.fitted if held_out is None else held_out

    def error(values: Tensor) -> float:
        return float(judge.loss(lambda _: as_outputs(values)))

    return [
        (one, {"name": one.name} | score(as_outputs(one.values)))
        for one in reconstruct(prepared.fitted, error)
    ]


def as_outputs(values: Tensor) -> Tensor:
    """Return values (P, C) as a network's outputs: real and imaginary part in turn of complex ones."""
    return torch.view_as_real(values.resolve_conj()).flatten(1) if values.is_complex() else values


def measured_score(
    problem: Measured, fitted: Measured, held_out: Measured | None
) -> Callable[[Tensor], dict[str, Any]]:
    """Return a function from outputs at all samples to relative residuals and, with a reference, the PSNR in dB.

    Args:
        problem: The problem, with its reference if known.
        fitted: Measurements that are trained on.
        held_out: Those that are not.
    """
    known = None if problem.reference is None else problem.reference(problem.geometry.coords())  # type: ignore[union-attr]
    parts = {"train": fitted, "held_out": held_out}
    count = len(problem.channels)

    def score(outputs: Tensor) -> dict[str, Any]:
        outputs = outputs.double()
        result: dict[str, Any] = {}
        for name, part in parts.items():
            if part is None:
                result[name] = None
                continue
            data = sum(float(term.weight * term.data.abs().square().mean()) for term in part.terms)
            result[name] = math.sqrt(float(part.loss(lambda _: outputs)) / data) if data > 0 else None
        result["psnr"] = None
        if known is not None:
            truth = as_outputs(known)
            error = float((outputs - truth).square().reshape(len(truth), count, -1).sum(2).mean())
            size = float(known.abs().max() - (0 if known.is_complex() else known.min()))
            result["psnr"] = 10 * math.log10(size**2 / error) if error > 0 and size > 0 else None
        return result

    return score


def _attributes(
    prepared: PreparedMeasured, classical: list[tuple[Reconstruction, dict[str, Any]]]
) -> dict[str, Any]:
    problem, config = prepared.problem, prepared.config
    functionals = {"train": sum(term.size for term in prepared.fitted.terms)}
    functionals["held_out"] = 0 if prepared.held_out is None else sum(t.size for t in prepared.held_out.terms)
    grid = problem.geometry
    return {
        "seed": config.training.seed,
        "options": config.training.to_json() | config.model.to_json(),
        "bandwidth": prepared.bandwidth,
        "bandwidth_unit": grid.frequency_unit,
        "reasons": list(prepared.reasons),
        "signal": problem.name,
        "kind": measurement_kind(problem),
        "stopping_noise": prepared.noise,
        "measured": {
            "kind": measurement_kind(problem),
            "functionals": functionals,
            "unknowns": grid.samples * problem.outputs,  # type: ignore[union-attr]
            "angles": len(problem.angles),
            "resolved": resolved_frequency(problem),
            "noise": math.sqrt(prepared.noise) if prepared.noise else None,
            "reference": problem.reference is not None,
            "classical": [score for _, score in classical],
        },
    }


def measurement_kind(problem: Measured) -> str:
    """Return what was measured: "k-space", "projections" or "samples".

    Args:
        problem: The measurements.
    """
    if problem.angles:
        return "projections"
    return "k-space" if problem.terms[0].data.is_complex() else "samples"


def resolved_frequency(problem: Measured) -> float | None:
    """Return the frequency up to which parallel projections determine a picture: 1 / (size * largest gap of angles).

    Args:
        problem: The measurements.

    Returns:
        In cycles per unit; None for other measurements.

    Source: Crowther, DeRosier and Klug 1970, "The reconstruction of a three-dimensional structure from projections".
    """
    if not problem.angles:
        return None
    turns = sorted({angle % 180 for angle in problem.angles})
    gaps = [b - a for a, b in zip(turns, [*turns[1:], turns[0] + 180], strict=True)]
    return 1 / (max(problem.geometry.extent) * math.radians(max(gaps)))


def _store_pictures(
    probe: Probe, prepared: PreparedMeasured, classical: list[tuple[Reconstruction, dict[str, Any]]]
) -> None:
    """Store the classical pictures beside the rows."""
    from overtone.probes.views._residuals import picture

    grid, count = prepared.problem.geometry, len(prepared.problem.channels)
    assert isinstance(grid, Grid)
    for position, (one, _) in enumerate(classical):
        probe.store(f"classical-{position}", 0, picture(as_outputs(one.values).double(), grid.shape, count))


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
        lowest = float(probe.views[0].header({}).band_high[0])

        def observe(step: int, loss: float, rate: float, last: bool) -> bool:
            recorded = probe(step, None if math.isnan(loss) else loss, rate, force=last)
            learned = probe.highest_learned if probe.highest_learned > lowest else math.nan
            shown.update(training.share(step, probe.elapsed), step, loss, learned)
            return recorded and stopping is not None and stopping.update(step, probe.latest)

        if checkpoint is not None and stopping is not None and stopping.ended:
            checkpoint.restore(field, prepared.optimizer)
            outcome = Outcome(checkpoint.step, checkpoint.seconds, Ending.OBSERVER)
        else:
            outcome = train(
                field,
                prepared.fitted,
                training,
                observe,
                wants=probe.schedule.due,
                checkpoint=directory.checkpoint,
                resume=checkpoint,
                optimizer=prepared.optimizer,
            )
        clock.end("training")
        interrupted = outcome.ending is Ending.INTERRUPTED
        returned = outcome.step
        # An interrupted run goes on from its last network, not from its best.
        if stopping is not None and not interrupted:
            returned = stopping.restore() or outcome.step
            probe.annotate(averaged=False)
        score = _final_score(prepared, probe, returned)
        described = dict(probe.record.attrs["measured"]) | {"network": score}
        probe.annotate(
            kept=returned,
            final_errors={},
            measured=described,
            steps=outcome.step,
            seconds=outcome.seconds,
            ending=outcome.ending.value,
            complete=not interrupted,
        )
    check_predictions([score["train"]], outcome, training)
    return Run(directory, problem, field, outcome)


def _final_score(prepared: PreparedMeasured, probe: Probe, step: int) -> dict[str, Any]:
    """Errors of the network that is handed back, whose picture is stored."""
    from overtone.probes.views._residuals import picture

    grid, count = prepared.problem.geometry, len(prepared.problem.channels)
    assert isinstance(grid, Grid)
    with evaluation_mode(prepared.field):
        outputs = prepared.field(grid.coords()).double()
    probe.store("prediction", step, picture(outputs, grid.shape, count))
    return measured_score(prepared.problem, prepared.fitted, prepared.held_out)(outputs)


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

"""Fits of fields known through measurements, before their first step: settings, split, choice, classical pictures."""

from __future__ import annotations

import math
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overtone._config import Decay, EncodingKind, FitConfig, ModelConfig, TrainingConfig
from overtone._state import evaluation_mode
from overtone._training import make_optimizer
from overtone._utils.seeding import derive_seed
from overtone.baselines import Reconstruction
from overtone.baselines._reconstruction import reconstruct_in_time
from overtone.errors import InputError
from overtone.fitting._measured_split import judged_measurements, split_measured
from overtone.nn import Field
from overtone.operators._choose import choose_in_time
from overtone.operators._features import ConfiguredNetwork
from overtone.operators._training import LEARNING_RATE
from overtone.operators._wording import reasons as choice_reasons
from overtone.probes import View
from overtone.probes.views._residuals import residuals
from overtone.probes.views._solution import picture
from overtone.signals import Domain, Grid, Measured

if TYPE_CHECKING:
    from overtone.fitting._run import Run

WIDTH, FEATURES = 64, 64
"""Units per hidden layer and frequencies, those of the networks whose choices were measured."""


@dataclass(frozen=True)
class PreparedMeasured(ABC):
    """A fit of a field known through functionals, before its first step.

    Attributes:
        problem: All functionals.
        fitted: Those that are trained on.
        held_out: Those that are not; None if there are too few.
        config: The settings, with everything decided.
        field: The untrained network.
        optimizer: Optimizer of its parameters.
        bandwidth: Per axis, in cycles per unit; None without one.
        reasons: Why, in sentences.
        noise: Variance of a measurement's noise; 0 where it is unknown.
        attribute: Name of the record's attribute with the facts of the fit.
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
    attribute: ClassVar[str]

    @property
    def signal(self) -> Measured:
        """The problem, under the name that it has in other fits."""
        return self.problem

    @property
    @abstractmethod
    def kind(self) -> str | None:
        """Kind of the measurements in one word or two; None for an equation."""

    @property
    @abstractmethod
    def samples(self) -> int:
        """Values of a stored picture."""

    def handed_back(self, run: Run) -> Run:
        """Return a run with what is handed back beside its network: nothing of measurements.

        Args:
            run: The run.
        """
        return run

    @abstractmethod
    def views(self) -> list[View]:
        """Return what is recorded of each row."""

    @abstractmethod
    def begin(
        self, seconds: float | None = None
    ) -> tuple[dict[str, Any], list[tuple[str, int, NDArray[Any]]]]:
        """Return the facts known before the training, and pictures with name and step.

        Args:
            seconds: Limit of the time of what is made without training; None for none.
        """

    @abstractmethod
    def final(self) -> tuple[dict[str, Any], NDArray[Any]]:
        """Return errors of the network as it is, and its picture."""


@final
@dataclass(frozen=True)
class PreparedSamples(PreparedMeasured):
    """A fit of measurements of samples on a grid before its first step."""

    attribute: ClassVar[str] = "measured"

    @property
    def kind(self) -> str | None:
        """Kind of the measurements in one word or two."""
        return measurement_kind(self.problem)

    @property
    def samples(self) -> int:
        """Values of a stored picture."""
        assert isinstance(self.problem.geometry, Grid)
        return self.problem.geometry.samples * len(self.problem.channels)

    def views(self) -> list[View]:
        """Return what is recorded of each row."""
        judged = None if self.held_out is None else judged_measurements(self.problem, self.held_out)
        return residuals(self.fitted, held_out=judged)

    def begin(
        self, seconds: float | None = None
    ) -> tuple[dict[str, Any], list[tuple[str, int, NDArray[Any]]]]:
        """Return the facts known before the training, and pictures with name and step.

        Args:
            seconds: Limit of the time of classical pictures; None for none.
        """
        problem = self.problem
        grid = problem.geometry
        assert isinstance(grid, Grid)
        classical, left_out = classical_scores(self, seconds)
        facts = {
            "kind": self.kind,
            "functionals": counts(self.fitted, self.held_out),
            "unknowns": grid.samples * problem.outputs,
            "angles": len(problem.angles),
            "resolved": resolved_frequency(problem),
            "noise": math.sqrt(self.noise) if self.noise else None,
            "reference": problem.reference is not None,
            "classical": [score for _, score in classical],
            "classical_left_out": list(left_out),
            "held_out_lines": whole_lines(self.held_out),
        }
        pictures = [
            (f"classical-{i}", 0, self.picture(as_outputs(one.values)))
            for i, (one, _) in enumerate(classical)
        ]
        return facts, pictures

    def final(self) -> tuple[dict[str, Any], NDArray[Any]]:
        """Return errors of the network as it is, and its picture."""
        assert isinstance(self.problem.geometry, Grid)
        with evaluation_mode(self.field):
            outputs = self.field(self.problem.geometry.coords()).double()
        return measured_score(self.problem, self.fitted, self.held_out)(outputs), self.picture(outputs)

    def picture(self, outputs: Tensor) -> NDArray[np.float32]:
        """Return outputs at all samples as a picture.

        Args:
            outputs: (P, outputs) of a network.
        """
        assert isinstance(self.problem.geometry, Grid)
        return picture(outputs.double(), self.problem.geometry.shape, len(self.problem.channels))


def counts(fitted: Measured, held_out: Measured | None) -> dict[str, int]:
    """Return the numbers of functionals that are trained on and held out.

    Args:
        fitted: Those that are trained on.
        held_out: Those that are not.
    """
    return {
        "train": sum(term.size for term in fitted.terms),
        "held_out": 0 if held_out is None else sum(term.size for term in held_out.terms),
    }


def whole_lines(held_out: Measured | None) -> bool:
    """Return whether what is held out are whole lines, readouts or angles, not single functionals or conjugate pairs.

    Args:
        held_out: The measurements that are held out; None if there are none.
    """
    if held_out is None:
        return False
    return all(int(term.group_numbers().unique(return_counts=True)[1].max()) > 2 for term in held_out.terms)


def check_settings(problem: Measured, config: FitConfig) -> None:
    """Refuse problems and settings that fits of measurements and equations do not have.

    Args:
        problem: The measurements.
        config: The settings.

    Raises:
        InputError: If samples are scattered, or a setting does not apply.
    """
    if not isinstance(problem.geometry, Grid | Domain):
        raise InputError(
            "measurements of samples on a grid (k-space, projections, blurred samples), or an equation",
            "measurements of scattered samples",
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
    for term in problem.terms:
        if term.data.device.type != "cpu":
            raise InputError(
                "measurements on the CPU, where they are fitted",
                f"{term.data.device}",
                "move data and functions there, or train with operators.train_network, which stays on their device",
                term.name,
            )
    if not any(term.derivatives or bool((term.data != 0).any()) for term in problem.terms):
        raise InputError(
            "measurements that are not all 0", "zeros", "check the data: the zero field explains them", "fit"
        )
    kind = config.device.partition(":")[0]
    if kind not in ("auto", "cpu"):
        raise InputError("the CPU, where operators of measurements are applied", kind, "pass auto", "device")


def prepare_measured(problem: Measured, config: FitConfig, seconds: float | None = None) -> PreparedSamples:
    """Return a fit before its first step; a bandwidth that the settings name is used, others are chosen.

    Args:
        problem: The measurements.
        config: The settings.
        seconds: Time of the choice; None for no limit.

    Raises:
        InputError: If a bandwidth does not fit the axes or the encoding, or the choice would take far longer.
    """
    seed = config.training.seed
    fitted, held_out = split_measured(problem, config.stopping.held_out, seed)
    config = settled(config)
    model, steps = config.model, config.training.max_steps or 1000
    bandwidth = named_bandwidth(model)
    reasons: tuple[str, ...] = ("The bandwidth was set by hand.",)
    if not model.has_bandwidth:
        reasons = (f"The encoding {model.encoding.value} has no bandwidth.",)
    elif bandwidth is None:
        choice = choose_in_time(fitted, model, steps, seed, seconds)
        bandwidth, reasons = choice.bandwidth, tuple(choice_reasons(choice))
    bandwidth = axis_bandwidth(bandwidth, problem)
    field = untrained(problem, model, bandwidth, seed)
    noise = [term.noise for term in problem.terms]
    variance = noise[0] ** 2 if len(noise) == 1 and noise[0] is not None else 0.0
    optimizer = make_optimizer(field, config.training)
    return PreparedSamples(problem, fitted, held_out, config, field, optimizer, bandwidth, reasons, variance)


def settled(config: FitConfig) -> FitConfig:
    """Return the settings with sizes and schedule of the networks whose choices were measured, where none are set.

    Args:
        config: The settings.
    """
    model, training = config.model, config.training
    model = replace(model, width=model.width or WIDTH, features=model.features or FEATURES)
    if model.encoding is EncodingKind.AUTO:
        model = replace(model, encoding=model.resolved_encoding)
    return replace(config, model=model, training=_schedule(training))


def _schedule(training: TrainingConfig) -> TrainingConfig:
    if training.lr is None and training.decay is Decay.CONSTANT:
        # As operators.train_network trains: the choices were measured with it.
        training = replace(training, lr=LEARNING_RATE, decay=Decay.COSINE)
    return replace(training, steps=training.max_steps)


def named_bandwidth(model: ModelConfig) -> tuple[float, ...] | None:
    """Return the bandwidth that the settings name; None if none, or if the encoding has none.

    Args:
        model: The settings of the network.

    Raises:
        InputError: If one is named for an encoding that has none.
    """
    if model.bandwidth is not None and not model.has_bandwidth:
        raise InputError(
            "an encoding that has a bandwidth", model.encoding.value, "choose gaussian", "bandwidth"
        )
    return model.bandwidth


def axis_bandwidth(bandwidth: tuple[float, ...] | None, problem: Measured) -> tuple[float, ...] | None:
    """Return a bandwidth with one number per axis.

    Args:
        bandwidth: One number or one per axis; None without one.
        problem: The problem.

    Raises:
        InputError: If there are as many as neither.
    """
    axes = problem.geometry.axes
    if bandwidth is None or len(bandwidth) == axes:
        return bandwidth
    if len(bandwidth) != 1:
        raise InputError(
            f"one bandwidth or one per axis ({axes})", f"{len(bandwidth)}", "pass that many", "bandwidth"
        )
    return bandwidth * axes


def untrained(
    problem: Measured,
    model: ModelConfig,
    bandwidth: tuple[float, ...] | None,
    seed: int,
    size: float | None = None,
) -> Field:
    """Return the network of a fit before its training.

    Args:
        problem: The problem.
        model: The settings of the network.
        bandwidth: Per axis, in cycles per unit.
        seed: Seed of the run.
        size: Factor of the outputs; that of the measurements if None.
    """
    field = ConfiguredNetwork(problem, model, size)(bandwidth or (), derive_seed(seed, "network"))
    assert isinstance(field, Field)
    return field


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


def classical_scores(
    prepared: PreparedSamples, seconds: float | None = None
) -> tuple[list[tuple[Reconstruction, dict[str, Any]]], tuple[str, ...]]:
    """Return the classical reconstructions from the measurements that are trained on, with their errors.

    Args:
        prepared: The fit.
        seconds: Limit of their time; None for none.

    Returns:
        Reconstructions with errors, and the names of those that were not finished in time.
    """
    problem, held_out = prepared.problem, prepared.held_out
    score = measured_score(problem, prepared.fitted, held_out)
    judge = prepared.fitted if held_out is None else held_out

    def error(values: Tensor) -> float:
        return float(judge.loss(lambda _: as_outputs(values)))

    made, left_out = reconstruct_in_time(prepared.fitted, error, seconds=seconds)
    return [(one, {"name": one.name} | score(as_outputs(one.values))) for one in made], left_out


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

"""Task and budget of all candidates: training samples, without the held-out values used for evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, final
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from overtone._config import Choosing, ModelConfig, TrainingConfig
from overtone.baselines import Linear
from overtone.baselines._baseline import validation_split
from overtone.baselines._interpolation import find_sample_lattice
from overtone.errors import InputError
from overtone.planning import Budget, measure_noise, plan
from overtone.planning._reasons import Reason, read_reasons
from overtone.planning._recommend import plan_model
from overtone.planning._run_size import LEARNING_RATE, run_size
from overtone.signals import Grid, Signal
from overtone.signals._signal import Normalisation
from overtone.spectra import NoiseVerdict


@final
@dataclass(frozen=True)
class ComparisonTask:
    """A signal with hidden held-out values, and those values.

    Attributes:
        signal: Input of the candidates: held-out and ignored values are replaced by linear interpolation, it has no
            clean reference, and the normalisation is that of the training samples.
        reference: (N, C) values for evaluating predictions: the clean ones if they are known.
        noisy: Whether the training samples are noisy.
        bandwidth: Bandwidth chosen on the training samples (`planning.plan`), per axis in cycles per unit.
        reasons: The reasons for the bandwidth.
        bandwidths: The same for networks that have one of their own, by name.
    """

    signal: Signal
    reference: Tensor
    noisy: bool
    bandwidth: tuple[float, ...]
    reasons: tuple[Reason, ...]
    bandwidths: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @staticmethod
    def of(signal: Signal) -> ComparisonTask:
        """Hide the held-out samples of a signal and choose the bandwidth.

        Args:
            signal: A signal with held-out samples.

        Raises:
            InputError: If no sample is held out, or there are fewer than two training samples.
        """
        return ComparisonTask.without_bandwidth(signal).choose_bandwidth()

    @staticmethod
    def without_bandwidth(signal: Signal) -> ComparisonTask:
        """Hide the held-out samples of a signal; one cycle per extent stands for the bandwidth that is to be chosen.

        Args:
            signal: A signal with held-out samples.

        Raises:
            InputError: If no sample is held out, or there are fewer than two training samples.
        """
        if not len(signal.held_out_index):
            raise InputError(
                "held-out samples, which are needed to evaluate candidates",
                "none",
                "hold out for instance a tenth",
                "compare",
            )
        # Values that are only masked could leak through a transform: they are overwritten.
        train = _mask(signal, signal.train_index)
        values = torch.where(train[:, None], signal.values, Linear().predict(signal))
        hidden = replace(
            signal,
            values=values,
            clean=None,
            normalisation=Normalisation.of(values[train], signal.normalisation.per_channel),
        )
        reference = signal.values if signal.clean is None else signal.clean
        bandwidth = tuple(1 / length for length in signal.geometry.extent)
        return ComparisonTask(hidden, reference, signal.clean is not None, bandwidth, ())

    def choose_bandwidth(
        self,
        budget: Budget | None = None,
        choose: Choosing | str = Choosing.QUICK,
        device: torch.device | str = "cpu",
    ) -> ComparisonTask:
        """Return the task with the bandwidth that is best for the training samples, and whether they are noisy.

        Args:
            budget: Budget of a network; the default of `planning.plan` if None.
            choose: How thoroughly, as in `planning.plan`.
            device: Device of the training.
        """
        # The noise estimate needs neighbouring training samples, not interpolated ones.
        densest = _densest(self.signal, _mask(self.signal, self.signal.train_index))
        noise = measure_noise(densest)
        chosen = plan(densest, budget, noise=noise, choose=choose, device=device, quantities=True)
        noisy = self.noisy or noise.verdict is NoiseVerdict.NOISE
        return replace(self, noisy=noisy, bandwidth=chosen.bandwidth, reasons=chosen.reasons)

    def bandwidth_of(
        self, model: ModelConfig, lr: float, budget: Budget, choose: Choosing, device: torch.device
    ) -> tuple[float, ...]:
        """Return the bandwidth that is best for another network, per axis in cycles per unit.

        Args:
            model: The network.
            lr: Its learning rate.
            budget: Its budget.
            choose: How thoroughly, as in `planning.plan`.
            device: Device of the training.
        """
        densest = _densest(self.signal, _mask(self.signal, self.signal.train_index))
        size = run_size(densest, budget, device)
        model = replace(model, width=size.width, features=size.features)
        training = TrainingConfig(steps=size.steps, batch=size.batch, lr=lr)
        return plan_model(densest, model, size, training, choose=choose, device=device).bandwidth

    def save(self, path: Path) -> None:
        """Write everything to one .npz file."""
        signal = self.signal
        about = {
            "geometry": asdict(signal.geometry),
            "kind": signal.kind,
            "name": signal.name,
            "channels": signal.channels,
            "value_unit": signal.value_unit,
            "peak": signal.peak,
            "per_channel": signal.normalisation.per_channel,
            "noisy": self.noisy,
            "bandwidth": self.bandwidth,
            "reasons": [str(reason) for reason in self.reasons],
            "reason_data": [reason.to_json() for reason in self.reasons],
        }
        arrays = {
            "values": signal.values,
            "reference": self.reference,
            "train": _mask(signal, signal.train_index),
            "held_out": _mask(signal, signal.held_out_index),
        }
        plain = {name: tensor.cpu().numpy() for name, tensor in arrays.items()}
        with path.open("wb") as stream:
            np.savez(stream, about=np.array(json.dumps(about)), **plain)  # type: ignore[arg-type]

    @staticmethod
    def load(path: Path) -> ComparisonTask:
        """Read a task written by `save`.

        Raises:
            InputError: If the file cannot be read.
        """
        try:
            with path.open("rb") as stream, np.load(stream) as stored:
                arrays = {name: torch.from_numpy(stored[name]) for name in stored.files if name != "about"}
                about = json.loads(str(stored["about"]))
        except (OSError, ValueError, KeyError, BadZipFile) as broken:
            raise InputError(
                "the samples of a comparison",
                "a missing or damaged file",
                "restart with --overwrite",
                str(path),
            ) from broken
        geometry = Grid(**{name: tuple(value) for name, value in about["geometry"].items()})
        values, train = arrays["values"], arrays["train"]
        signal = Signal(
            values,
            geometry,
            about["kind"],
            about["name"],
            tuple(about["channels"]),
            about["value_unit"],
            about["peak"],
            Normalisation.of(values[train], about["per_channel"]),
        ).with_split(train, arrays["held_out"])
        return ComparisonTask(
            signal,
            arrays["reference"],
            about["noisy"],
            tuple(about["bandwidth"]),
            read_reasons(about["reasons"], about.get("reason_data")),
        )


def _mask(signal: Signal, index: Tensor) -> Tensor:
    mask = torch.zeros(signal.geometry.samples, dtype=torch.bool, device=signal.values.device)
    mask[index] = True
    return mask


def _densest(signal: Signal, train: Tensor) -> Signal:
    """Return the training samples as a separate grid if they form one, otherwise the whole grid with its gaps filled.

    In the second case a tenth of them is held out, and all other samples are ignored.
    """
    grid = signal.geometry
    lattice = find_sample_lattice(train.cpu().numpy().reshape(grid.shape))
    if lattice is None:
        validation = torch.from_numpy(validation_split(train.cpu().numpy())).to(train.device)
        return signal.with_split(train & ~validation, validation)
    values = signal.grid_values[lattice.parts]
    coarse = Grid(
        tuple(values.shape[:-1]),
        tuple(s * part.step for s, part in zip(grid.spacing, lattice.parts, strict=True)),
        tuple(o + s * p.start for o, s, p in zip(grid.origin, grid.spacing, lattice.parts, strict=True)),
        grid.units,
        grid.periodic,
    )
    flat = values.reshape(-1, values.shape[-1])
    return replace(signal, values=flat, geometry=coarse, held_out=None, ignored=None)


MIN_STEPS = 50
"""Steps below which no network has learned anything worth comparing."""

WIDTH = 256
"""Units per hidden layer if parameters are not limited."""

DEFAULT_BUDGET = Budget(steps=1000)
"""Budget if neither steps nor seconds are limited."""


def network_budget(budget: Budget) -> Budget:
    """Return the budget of each network and seed, with 1,000 steps if neither steps nor seconds are limited.

    Args:
        budget: Limits from the caller.

    Raises:
        InputError: If the steps are too few to learn.
    """
    if budget.steps is None and budget.seconds is None:
        budget = replace(budget, steps=DEFAULT_BUDGET.steps)
    if budget.steps is not None and budget.steps < MIN_STEPS:
        raise InputError(
            f"at least {MIN_STEPS} steps, so that a network can learn",
            f"{budget.steps}",
            f"pass for instance {DEFAULT_BUDGET.steps}",
            "steps",
        )
    return budget


@final
@dataclass(frozen=True)
class SizeLimits:
    """Limits of the networks by a budget in seconds; None for unlimited networks.

    Attributes:
        width: Maximum number of units per hidden layer.
        batch: Samples per step.
        pace: Factor of the learning rate.
        warnings: Consequences of a budget that is too small.
    """

    width: int | None = None
    batch: int | None = None
    pace: float = 1.0
    warnings: tuple[Reason, ...] = ()

    @staticmethod
    def of(task: ComparisonTask, budget: Budget, device: torch.device) -> SizeLimits:
        """Time a few steps if the budget is in seconds, see `planning.Budget`.

        Args:
            task: The task.
            budget: Budget of each network.
            device: Device of the training.

        Raises:
            InputError: If the seconds do not allow a single step; the error states a sufficient number.
        """
        if budget.seconds is None:
            return SizeLimits()
        size = run_size(task.signal, Budget(None, budget.seconds, budget.parameters), device)
        return SizeLimits(size.width, size.batch, size.lr / LEARNING_RATE, size.warnings)

    def to_json(self) -> dict[str, Any]:
        """Return the limits as JSON values: warnings both as sentences and as data."""
        return {
            "width": self.width,
            "batch": self.batch,
            "pace": self.pace,
            "warnings": [str(warning) for warning in self.warnings],
            "warning_data": [warning.to_json() for warning in self.warnings],
        }

    @staticmethod
    def from_json(plain: dict[str, Any]) -> SizeLimits:
        """Return the limits from values of `to_json`."""
        return SizeLimits(
            plain["width"],
            plain["batch"],
            plain["pace"],
            read_reasons(plain["warnings"], plain.get("warning_data")),
        )

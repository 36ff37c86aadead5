"""The task all candidates are given: samples to learn from, and nothing of those they are judged by."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, final
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from overtone.baselines import Linear
from overtone.baselines._baseline import validation_split
from overtone.baselines._interpolation import find_sample_lattice
from overtone.errors import InputError
from overtone.planning import Budget, choose, measure_noise
from overtone.planning._run_size import LEARNING_RATE, run_size
from overtone.signals import Grid, Signal
from overtone.signals._signal import Normalisation
from overtone.spectra import NoiseVerdict


@final
@dataclass(frozen=True)
class ComparisonTask:
    """A signal whose held-out values are hidden, and what they are.

    Attributes:
        signal: What candidates see: held-out and ignored values are replaced by linear interpolation, there is no clean
            reference, and the normalisation is that of the training samples.
        reference: (N, C) what the held-out samples are compared with: the clean values where they are known.
        noisy: Whether the samples to learn from are noisy.
        bandwidth: Chosen (`planning.choose`) by the samples to learn from, per axis in cycles per unit.
        reasons: Why, in sentences.
    """

    signal: Signal
    reference: Tensor
    noisy: bool
    bandwidth: tuple[float, ...]
    reasons: tuple[str, ...]

    @staticmethod
    def of(signal: Signal) -> ComparisonTask:
        """Hide the held-out samples of a signal.

        Args:
            signal: With held-out samples.

        Raises:
            InputError: If nothing is held out, or there are not two samples to train on.
        """
        if not len(signal.held_out_index):
            raise InputError(
                "held-out samples, by which candidates are judged",
                "none",
                "hold out for instance a tenth",
                "compare",
            )
        train = _mask(signal, signal.train_index)
        values = torch.where(train[:, None], signal.values, Linear().predict(signal))
        blind = replace(
            signal,
            values=values,
            clean=None,
            normalisation=Normalisation.of(values[train], signal.normalisation.per_channel),
        )
        densest = _densest(blind, train)
        noise = measure_noise(densest)
        found = choose(densest, noise=noise)
        noisy = signal.clean is not None or noise.verdict is NoiseVerdict.NOISE
        reference = signal.values if signal.clean is None else signal.clean
        return ComparisonTask(blind, reference, noisy, found.bandwidth, found.reasons)

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
            "reasons": self.reasons,
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
        """Read what `save` wrote.

        Raises:
            InputError: If it cannot be read.
        """
        try:
            with path.open("rb") as stream, np.load(stream) as kept:
                arrays = {name: torch.from_numpy(kept[name]) for name in kept.files if name != "about"}
                about = json.loads(str(kept["about"]))
        except (OSError, ValueError, KeyError, BadZipFile) as broken:
            raise InputError(
                "the samples of a comparison",
                "a missing or damaged file",
                "begin again with --overwrite",
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
            signal, arrays["reference"], about["noisy"], tuple(about["bandwidth"]), tuple(about["reasons"])
        )


def _mask(signal: Signal, index: Tensor) -> Tensor:
    mask = torch.zeros(signal.geometry.samples, dtype=torch.bool, device=signal.values.device)
    mask[index] = True
    return mask


def _densest(signal: Signal, train: Tensor) -> Signal:
    """The training samples as a grid of their own where they form one, else the whole grid with its gaps filled.

    In the second case a tenth of them is held out, and what is not theirs is ignored.
    """
    grid = signal.geometry
    lattice = find_sample_lattice(train.cpu().numpy().reshape(grid.shape))
    if lattice is None:
        aside = torch.from_numpy(validation_split(train.cpu().numpy())).to(train.device)
        return signal.with_split(train & ~aside, aside)
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


LEAST_STEPS = 50
"""Steps below which no network has learned anything worth comparing."""

WIDTH = 256
"""Units per hidden layer where parameters are not limited."""

USUAL_BUDGET = Budget(steps=1000)
"""Where none is given."""


def within(steps: int | None, seconds: float | None, parameters: int | None) -> Budget:
    """The budget of each network and seed, with 1,000 steps where neither steps nor seconds are given.

    Raises:
        InputError: If a number is not positive, or the steps are too few to learn anything.
    """
    if steps is None and seconds is None:
        steps = USUAL_BUDGET.steps
    budget = Budget(steps, seconds, parameters)
    if steps is not None and steps < LEAST_STEPS:
        raise InputError(
            f"at least {LEAST_STEPS} steps, in which a network can learn something",
            f"{steps}",
            f"pass for instance {USUAL_BUDGET.steps}",
            "steps",
        )
    return budget


def described(budget: Budget) -> str:
    """A budget in words, "1,000 steps or 60 s"."""
    parts = [f"{budget.steps:,} steps"] if budget.steps else []
    parts += [f"{budget.seconds:g} s"] if budget.seconds else []
    text = " or ".join(parts)
    return text if budget.parameters is None else f"{text}, at most {budget.parameters:,} parameters"


@final
@dataclass(frozen=True)
class SizeLimits:
    """How networks are cut down to a budget in seconds; None leaves them as they are.

    Attributes:
        width: Most units per hidden layer.
        batch: Samples per step.
        pace: Factor of the learning rate.
        warnings: What the budget is too small for, in sentences.
    """

    width: int | None = None
    batch: int | None = None
    pace: float = 1.0
    warnings: tuple[str, ...] = ()

    @staticmethod
    def of(problem: ComparisonTask, budget: Budget, device: torch.device) -> SizeLimits:
        """Time a few steps where the budget is one of seconds, see `planning.size`.

        Args:
            problem: What is learned.
            budget: Of each network.
            device: Where they are trained.

        Raises:
            InputError: If the seconds do not suffice for a single step; says what would be enough.
        """
        if budget.seconds is None:
            return SizeLimits()
        found = run_size(problem.signal, Budget(None, budget.seconds, budget.parameters), device)
        return SizeLimits(found.width, found.batch, found.lr / LEARNING_RATE, found.warnings)

    def to_json(self) -> dict[str, Any]:
        """The extent as values that JSON can hold."""
        return asdict(self)

    @staticmethod
    def from_json(plain: dict[str, Any]) -> SizeLimits:
        """The inverse of `to_json`."""
        return SizeLimits(plain["width"], plain["batch"], plain["pace"], tuple(plain["warnings"]))

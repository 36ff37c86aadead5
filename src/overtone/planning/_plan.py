"""How to fit a signal, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, final

from overtone._training import TrainingConfig
from overtone._utils.text import decibels, percent, plural
from overtone.early_stopping import HeldOut, StoppingRule
from overtone.early_stopping._monitor import MIN_BEST_STEP
from overtone.nn import EncodingKind, Field, ModelConfig, build_field
from overtone.planning._held_out import ExpectedPSNR
from overtone.planning._run_size import RunSize
from overtone.signals import Geometry, Signal

UNWORTHY = (
    "Nothing found that carries over (squared error, held-out samples): fitting a network is not recommended."
)
"""Warning where a plan is not worth it."""

PATIENCE = 2.0
"""A run ends at this multiple of its best step."""

ENOUGH_STEPS, ENOUGH_UNITS = 500, 128
"""Steps and units of a layer from which on the quality to expect has been seen to hold."""


@final
@dataclass(frozen=True)
class Alternative:
    """Another encoding that was compared.

    Attributes:
        encoding: The encoding.
        bandwidth: Per axis, in cycles per unit.
        psnr: What its kernel twin reaches on the held-out samples, in dB.
    """

    encoding: EncodingKind
    bandwidth: tuple[float, ...]
    psnr: float


@final
@dataclass(frozen=True)
class Plan:
    """How to fit a signal.

    Attributes:
        worth: Whether fitting is worth it at all; False for signals without structure.
        encoding: The encoding.
        bandwidth: Its reach per axis, in cycles per unit.
        features: Its frequencies.
        width: Units of a hidden layer.
        depth: Hidden layers.
        loss: What is minimised.
        lr: Learning rate of Adam.
        steps: Optimizer steps; the stop may come earlier.
        batch: Samples per step; None for all up to 8,192.
        patience: The run ends at this multiple of the best step so far, see `stop.HeldOut`.
        expected: Quality to expect on the held-out samples; None where nothing could be held out.
        alternatives: Other encodings, best first.
        reasons: Why, in sentences with figures.
        warnings: What stands against it, in sentences.
    """

    worth: bool
    encoding: EncodingKind
    bandwidth: tuple[float, ...]
    features: int
    width: int
    depth: int
    loss: str
    lr: float
    steps: int
    batch: int | None
    patience: float
    expected: ExpectedPSNR | None
    alternatives: tuple[Alternative, ...]
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def stop(self) -> StoppingRule:
        """The rule that ends the run."""
        return HeldOut(self.patience)

    @property
    def options(self) -> TrainingConfig:
        """The plan's training options, for `training.train`."""
        return TrainingConfig(steps=self.steps, batch=self.batch, lr=self.lr)

    @property
    def model(self) -> ModelConfig:
        """The network that is planned."""
        return ModelConfig(
            self.encoding, self.bandwidth, width=self.width, depth=self.depth, features=self.features
        )

    def field(self, signal: Signal[Geometry], seed: int = 0) -> Field:
        """The untrained network for the signal that was planned for, from physical coordinates to physical values.

        Args:
            signal: The signal.
            seed: Seeds frequencies and weights.
        """
        return build_field(signal, self.model, seed)

    def to_json(self) -> dict[str, Any]:
        """The plan as values that JSON can hold."""
        plain = asdict(self)
        plain["encoding"] = self.encoding.value
        for one in plain["alternatives"]:
            one["encoding"] = one["encoding"].value
        return plain

    @staticmethod
    def from_json(plain: dict[str, Any]) -> Plan:
        """The inverse of `to_json`, also after a passage through JSON, which turns tuples into lists."""
        others = tuple(
            Alternative(EncodingKind(a["encoding"]), tuple(a["bandwidth"]), a["psnr"])
            for a in plain["alternatives"]
        )
        typed = {
            "encoding": EncodingKind(plain["encoding"]),
            "bandwidth": tuple(plain["bandwidth"]),
            "expected": None if plain["expected"] is None else ExpectedPSNR(**plain["expected"]),
            "alternatives": others,
            "reasons": tuple(plain["reasons"]),
            "warnings": tuple(plain["warnings"]),
        }
        return Plan(**{**plain, **typed})


def worth_sentence(gain: float, worth: bool) -> str:
    """How much of the held-out samples' power is explained."""
    if worth:
        return f"A wide network explains {percent(gain)} of the power of samples it has not seen."
    return (
        "On samples it has not seen, a wide network is no better than their mean "
        f"({percent(max(gain, 0.0))} of their power explained)."
    )


def hope_sentence(hope: ExpectedPSNR, extent: RunSize) -> str:
    """The quality to expect, and whether the run is what that was learned from.

    Args:
        hope: The expectation.
        extent: The network and the run.
    """
    text = f"To expect on held-out samples: {decibels(hope.psnr)} ({hope.low:.1f} to {hope.high:.1f})"
    if extent.steps >= ENOUGH_STEPS and extent.width >= ENOUGH_UNITS:
        return f"{text}."
    units = f"{extent.width} units a layer in {plural(extent.steps, 'step')}"
    return f"{text} of a network of 256 units at its best step; {units} may stay below."


def stop_sentence() -> str:
    """When the run ends."""
    return (
        f"Stop: the run ends at {PATIENCE:g} times the step of its least smoothed held-out error, at step "
        f"{PATIENCE * MIN_BEST_STEP:g} at the earliest, and goes back to it."
    )

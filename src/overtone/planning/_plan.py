"""Plan: how to fit a signal, with the reasons as data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

from overtone._config import EncodingKind, ModelConfig
from overtone._training import TrainingConfig
from overtone._utils.display import Displayed
from overtone.early_stopping import HeldOut, StoppingRule
from overtone.early_stopping._monitor import MIN_BEST_STEP
from overtone.errors import InputError
from overtone.nn import Field
from overtone.nn._build import build_field
from overtone.planning._candidates import BandwidthCandidate
from overtone.planning._held_out import ExpectedPSNR
from overtone.planning._own_network import NetworkSetting
from overtone.planning._reasons import Reason, ReasonCode, read_reasons
from overtone.planning._run_size import RunSize
from overtone.signals import Geometry, Signal

PATIENCE = 2.0
"""A run ends at this multiple of its best step."""

MIN_EXPLAINED = 0.01
"""Explained part of the held-out power below which fitting is not recommended."""


@final
@dataclass(frozen=True)
class Alternative:
    """Another encoding or bandwidth that was compared.

    Attributes:
        encoding: The encoding.
        bandwidth: Per axis, in cycles per unit.
        psnr: Held-out quality of its trial, or of its ridge regression where it was not tried, in dB.
    """

    encoding: EncodingKind
    bandwidth: tuple[float, ...]
    psnr: float


@final
@dataclass(frozen=True, repr=False)
class Plan(Displayed):
    """Settings with which to fit a signal, and the reasons for them.

    Attributes:
        recommended: Whether fitting is recommended at all; False for signals without structure.
        encoding: The encoding.
        bandwidth: Its bandwidth per axis, in cycles per unit.
        features: Its frequencies.
        width: Units of a hidden layer.
        depth: Hidden layers.
        loss: The quantity that is minimised.
        lr: Learning rate of Adam.
        steps: Optimizer steps; the run may be stopped earlier.
        batch: Samples per step; None for all up to 8,192.
        patience: The run ends at this multiple of the best step so far, see `early_stopping.HeldOut`.
        expected: Quality to expect on the held-out samples; None where nothing could be held out, or it cannot be told.
        alternatives: Other encodings and bandwidths, best first.
        reasons: The reasons for every choice; `str` of one is its sentence.
        warnings: Reasons against the fit.
        candidates: All bandwidths that were compared, with their scores and trials.
        trial_steps: Optimizer steps that all trials together took.
        setting: What the caller's own network takes; None for a network of overtone. Encoding, features, width and
            depth say nothing of such a network.
    """

    recommended: bool
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
    reasons: tuple[Reason, ...]
    warnings: tuple[Reason, ...]
    candidates: tuple[BandwidthCandidate, ...] = ()
    trial_steps: int = 0
    setting: NetworkSetting | None = None

    _display = "plan_display"

    def __repr__(self) -> str:
        bandwidth = " x ".join(f"{value:.3g}" for value in self.bandwidth)
        ending = "" if self.recommended else "; not recommended"
        if self.setting is not None:
            value = f"{self.setting.value:.3g} ({self.setting.library})"
            return f"<Plan: own network at {value}, {self.steps} steps{ending}>"
        return (
            f"<Plan: {self.encoding.value} features of bandwidth {bandwidth}, {self.depth} layers of {self.width}, "
            f"{self.steps} steps{ending}>"
        )

    @property
    def stop(self) -> StoppingRule:
        """The rule that ends the run."""
        return HeldOut(self.patience)

    @property
    def options(self) -> TrainingConfig:
        """The plan's training options."""
        return TrainingConfig(steps=self.steps, batch=self.batch, lr=self.lr)

    @property
    def model(self) -> ModelConfig:
        """The planned network."""
        return ModelConfig(
            self.encoding, self.bandwidth, width=self.width, depth=self.depth, features=self.features
        )

    def reason(self, code: ReasonCode) -> Reason | None:
        """The first reason or warning with a code, or None.

        Args:
            code: The code.
        """
        return next((r for r in (*self.reasons, *self.warnings) if r.code is code), None)

    def field(self, signal: Signal[Geometry], seed: int = 0) -> Field:
        """Build the untrained network for the planned signal, from physical coordinates to physical values.

        Args:
            signal: The signal.
            seed: Seeds frequencies and weights.

        Raises:
            InputError: If the plan is that of a network of the caller.
        """
        if self.setting is not None:
            raise InputError(
                "the plan of a network of overtone",
                "one of a network of your own",
                f"call your factory with {self.setting.value:g}",
                "field",
            )
        return build_field(signal, self.model, seed)

    def to_json(self) -> dict[str, Any]:
        """The plan as values that JSON can hold: reasons both as sentences and as data."""
        return {
            "worth": self.recommended,
            "encoding": self.encoding.value,
            "bandwidth": self.bandwidth,
            "features": self.features,
            "width": self.width,
            "depth": self.depth,
            "loss": self.loss,
            "lr": self.lr,
            "steps": self.steps,
            "batch": self.batch,
            "patience": self.patience,
            "expected": None if self.expected is None else asdict(self.expected),
            "alternatives": [
                {"encoding": a.encoding.value, "bandwidth": a.bandwidth, "psnr": a.psnr}
                for a in self.alternatives
            ],
            "candidates": [candidate.to_json() for candidate in self.candidates],
            "trial_steps": self.trial_steps,
            "setting": None if self.setting is None else self.setting.to_json(),
            "reasons": [str(reason) for reason in self.reasons],
            "warnings": [str(reason) for reason in self.warnings],
            "reason_data": [reason.to_json() for reason in self.reasons],
            "warning_data": [reason.to_json() for reason in self.warnings],
        }

    @staticmethod
    def from_json(plain: dict[str, Any]) -> Plan:
        """The inverse of `to_json`, also after a passage through JSON, which turns tuples into lists."""
        same = ("features", "width", "depth", "loss", "lr", "steps", "batch", "patience")
        return Plan(
            recommended=plain["worth"],
            encoding=EncodingKind(plain["encoding"]),
            bandwidth=tuple(plain["bandwidth"]),
            expected=None if plain["expected"] is None else ExpectedPSNR(**plain["expected"]),
            alternatives=tuple(
                Alternative(EncodingKind(a["encoding"]), tuple(a["bandwidth"]), a["psnr"])
                for a in plain["alternatives"]
            ),
            reasons=read_reasons(plain["reasons"], plain.get("reason_data")),
            warnings=read_reasons(plain["warnings"], plain.get("warning_data")),
            candidates=tuple(map(BandwidthCandidate.from_json, plain.get("candidates", ()))),
            trial_steps=plain.get("trial_steps", 0),
            setting=None if plain.get("setting") is None else NetworkSetting.from_json(plain["setting"]),
            **{name: plain[name] for name in same},
        )


def make_plan(
    encoding: EncodingKind,
    bandwidth: tuple[float, ...],
    size: RunSize,
    reasons: Sequence[Reason],
    *,
    recommended: bool = True,
    expected: ExpectedPSNR | None = None,
    alternatives: tuple[Alternative, ...] = (),
    candidates: tuple[BandwidthCandidate, ...] = (),
    trial_steps: int = 0,
    setting: NetworkSetting | None = None,
) -> Plan:
    """Assemble a plan from what was chosen.

    Args:
        encoding: The encoding.
        bandwidth: Per axis, in cycles per unit.
        size: Network and run; its reasons follow the others.
        reasons: Reasons of encoding and bandwidth.
        recommended: Whether fitting is recommended.
        expected: Quality to expect, where it could be measured.
        alternatives: Other choices, best first.
        candidates: All bandwidths that were compared.
        trial_steps: Steps of all trials together.
        setting: What a network of the caller takes.
    """
    warnings = size.warnings if recommended else (*size.warnings, Reason(ReasonCode.NOT_RECOMMENDED))
    return Plan(
        recommended=recommended,
        encoding=encoding,
        bandwidth=bandwidth,
        features=size.features,
        width=size.width,
        depth=size.depth,
        loss="mean square",
        lr=size.lr,
        steps=size.steps,
        batch=size.batch,
        patience=PATIENCE,
        expected=expected,
        alternatives=alternatives,
        reasons=(*reasons, *size.reasons),
        warnings=warnings,
        candidates=candidates,
        trial_steps=trial_steps,
        setting=setting,
    )


def is_recommended(explained: float, held_out: int) -> bool:
    """Whether more of the held-out power is explained than chance explains: max(0.01, 2 / sqrt(n)).

    Args:
        explained: Explained fraction of the held-out power.
        held_out: n, the number of held-out values.
    """
    return explained > max(MIN_EXPLAINED, 2 / math.sqrt(held_out))


def outcome_reasons(
    explained: float, recommended: bool, expected: ExpectedPSNR, size: RunSize
) -> list[Reason]:
    """Reasons that close every plan with held-out samples: explained power, expected quality, stopping rule.

    Args:
        explained: Explained fraction of the held-out power.
        recommended: Whether that is more than chance.
        expected: Quality to expect.
        size: Network and run.
    """
    quality = {**asdict(expected), "steps": size.steps, "width": size.width}
    return [
        Reason(ReasonCode.EXPLAINED_POWER, {"fraction": explained, "recommended": recommended}),
        Reason(ReasonCode.EXPECTED_PSNR, quality),
        Reason(ReasonCode.STOPPING_RULE, {"patience": PATIENCE, "earliest": PATIENCE * MIN_BEST_STEP}),
    ]

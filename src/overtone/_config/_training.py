"""How a network is trained: budget, optimizer, learning rate and batches. Checked on construction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch

from overtone._utils.enums import member
from overtone._utils.numbers import as_float, short, whole
from overtone.errors import InputError
from overtone.nn import parameter_groups

STEPS = 2000
"""Steps of a run whose budget is not given."""

RATE = 1e-3
"""Learning rate where none is given."""

LARGEST_RATE = 1e30
"""Learning rates beyond do not fit into the arithmetic of single precision."""


LONGEST = 1e9
"""Seconds that a run may take: thirty years."""


class Optimizer(Enum):
    """The optimizers of the loop."""

    ADAM = "adam"
    SGD = "sgd"


class Decay(Enum):
    """How the learning rate falls with the share s of the budget that is used."""

    CONSTANT = "constant"
    COSINE = "cosine"
    EXPONENTIAL = "exponential"

    def factor(self, share: float) -> float:
        """What the base learning rate is multiplied by at `share` in [0, 1] of the budget.

        Constant 1; cosine (1 + cos(pi s)) / 2; exponential 0.1^s.
        """
        share = min(max(share, 0.0), 1.0)
        if self is Decay.COSINE:
            return 0.5 * (1 + math.cos(math.pi * share))
        return 0.1**share if self is Decay.EXPONENTIAL else 1.0


class Precision(Enum):
    """Arithmetic of the training step; measurements are always made in full precision."""

    AUTO = "auto"
    FULL = "full"
    MIXED = "mixed"

    def mixed_on(self, device: str) -> bool:
        """Whether bfloat16 autocast is used: where asked for, or by itself on a GPU, which gains from it."""
        return self is Precision.MIXED or (self is Precision.AUTO and device == "cuda")


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of one training run.

    Attributes:
        steps: Largest number of optimizer steps, or None for as many as `seconds` allow.
        seconds: Wall-clock budget in seconds, or None.
        batch: Samples per step; None takes every training sample up to 8,192.
        lr: Base learning rate.
        optimizer: Adam (betas 0.9, 0.999, eps 1e-8) or SGD.
        momentum: SGD's momentum.
        weight_decay: L2 penalty of the optimizer.
        decay: How the learning rate falls.
        precision: Full, or bfloat16 autocast.
        compile: Whether the training step runs through `torch.compile`; None uses it on a GPU for runs of 2,000
            steps or more, where it pays for its own compilation.
        seed: Seeds the batches and whatever the network draws while training.
    """

    steps: int | None = 2000
    seconds: float | None = None
    batch: int | None = None
    lr: float = 1e-3
    optimizer: Optimizer = Optimizer.ADAM
    momentum: float = 0.0
    weight_decay: float = 0.0
    decay: Decay = Decay.CONSTANT
    precision: Precision = Precision.AUTO
    compile: bool | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps is None and self.seconds is None:
            raise InputError("a budget", "neither steps nor seconds", "pass steps or seconds", "steps")
        for name in ("steps", "batch"):
            if getattr(self, name) is not None:
                _positive(name, getattr(self, name))
                object.__setattr__(self, name, whole(getattr(self, name), name))
        for name in ("seconds", "lr"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _positive(name, getattr(self, name)))
        if self.seconds is not None and self.seconds > LONGEST:
            raise InputError(
                f"at most {LONGEST:g} seconds", f"{self.seconds:g}", "pass for instance 3600", "seconds"
            )
        if self.lr > LARGEST_RATE:
            raise InputError(
                f"a learning rate of at most {LARGEST_RATE:g}", f"{self.lr:g}", "pass for instance 1e-3", "lr"
            )
        if not 0 <= as_float(self.momentum) < 1:
            raise InputError(
                "a momentum in [0, 1)", short(self.momentum), "pass for instance 0.9", "momentum"
            )
        if not 0 <= as_float(self.weight_decay) < math.inf:
            raise InputError(
                "a weight decay of at least 0", short(self.weight_decay), "pass 0 for none", "weight_decay"
            )
        for name in ("momentum", "weight_decay"):
            object.__setattr__(self, name, float(getattr(self, name)))
        if as_float(self.seed) < 0:
            raise InputError("a seed of at least 0", f"{self.seed}", "pass a non-negative integer", "seed")
        object.__setattr__(self, "seed", whole(self.seed, "seed", 0))
        if self.compile is not None and not isinstance(self.compile, bool):
            raise InputError("True, False or None", short(self.compile), "pass one of them", "compile")

    @staticmethod
    def of(
        steps: int | None,
        seconds: float | None,
        batch: int | None,
        lr: float | None,
        optimizer: Optimizer | str,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        decay: Decay | str = Decay.CONSTANT,
        precision: Precision | str = Precision.AUTO,
        compile: bool | None = None,
        seed: int = 0,
    ) -> TrainingConfig:
        """The settings from what users may write: names for members; 2,000 steps, a rate of 1e-3 unless said.

        Raises:
            InputError: If a name is unknown; lists those there are.
        """
        return TrainingConfig(
            STEPS if steps is None and seconds is None else steps,
            seconds,
            batch,
            RATE if lr is None else lr,
            member(Optimizer, optimizer, "optimizer"),
            momentum,
            weight_decay,
            member(Decay, decay, "decay"),
            member(Precision, precision, "precision"),
            compile,
            seed,
        )

    def optimizer_for(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        """The optimizer, over the parameters of `network` that are trained, each at its pace."""
        parameters = parameter_groups(network, self.lr)
        if self.optimizer is Optimizer.SGD:
            return torch.optim.SGD(parameters, self.lr, self.momentum, weight_decay=self.weight_decay)
        return torch.optim.Adam(parameters, self.lr, weight_decay=self.weight_decay)

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON-able values."""
        return {name: v.value if isinstance(v, Enum) else v for name, v in vars(self).items()}

    @staticmethod
    def from_json(plain: dict[str, Any]) -> TrainingConfig:
        """The inverse of `to_json`."""
        kinds = {"optimizer": Optimizer, "decay": Decay, "precision": Precision}
        typed: dict[str, Any] = {name: kinds[name](v) if name in kinds else v for name, v in plain.items()}
        return TrainingConfig(**typed)

    def batch_of(self, samples: int) -> int:
        """Samples per step when there are `samples` to train on; at most all of them."""
        return min(self.batch or 8_192, samples)

    def share(self, step: int, seconds: float) -> float:
        """Share of the budget used after `step` steps and `seconds` seconds, the larger of the two."""
        by_steps = step / self.steps if self.steps else 0.0
        return max(by_steps, seconds / self.seconds if self.seconds else 0.0)

    def used_up(self, step: int, seconds: float) -> bool:
        """Whether `step` steps or `seconds` seconds are all that there is."""
        return (self.steps is not None and step >= self.steps) or (
            self.seconds is not None and seconds >= self.seconds
        )

    @property
    def budget(self) -> str:
        """The budget in words, like "2000 steps" or "2000 steps or 60 s"."""
        steps = [f"{self.steps} steps"] if self.steps is not None else []
        return " or ".join(steps + ([f"{self.seconds:g} s"] if self.seconds is not None else []))

    def compiles_on(self, device: str) -> bool:
        """Whether the step is compiled on `device`."""
        return self.compile if self.compile is not None else device == "cuda" and (self.steps or 0) >= 2000


def _positive(name: str, value: Any) -> float:
    number = as_float(value)
    if not (math.isfinite(number) and number > 0):
        raise InputError("a positive finite number", short(value), "pass a number above 0", name)
    return number

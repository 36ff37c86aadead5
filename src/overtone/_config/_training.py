"""Settings of the training: budget, optimizer, learning rate and batches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

from overtone._config._model import to_json
from overtone._config._option import documented, option
from overtone._utils.enums import parse_enum
from overtone._utils.numbers import as_float, short, whole
from overtone.errors import InputError

MAX_COST = 0.5
"""Default of the largest cost of a prediction, as a share of the training's."""

DEFAULT_STEPS = 2000
"""Steps of a run without a budget."""

DEFAULT_LEARNING_RATE = 1e-3
"""Default learning rate."""

MAX_LEARNING_RATE = 1e30
"""Largest learning rate; larger ones overflow single precision."""

MAX_SECONDS = 1e9
"""Longest budget of a run in seconds, about thirty years."""

MAX_BATCH = 8192
"""Largest default number of samples per step."""

COMPILED_STEPS = 2000
"""Steps from which compiling the training step on a GPU saves more time than it takes."""


class Optimizer(Enum):
    """The optimizers of the training loop: Adam (betas 0.9, 0.999, eps 1e-8) and SGD."""

    ADAM = "adam"
    SGD = "sgd"


class Decay(Enum):
    """Schedule of the learning rate as a function of the used share s of the budget."""

    CONSTANT = "constant"
    COSINE = "cosine"
    EXPONENTIAL = "exponential"

    def factor(self, share: float) -> float:
        """Return the factor of the base learning rate at `share` in [0, 1] of the budget.

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
        """Whether bfloat16 autocast is used on a kind of device; AUTO uses it on a GPU, where it is faster."""
        return self is Precision.MIXED or (self is Precision.AUTO and device == "cuda")


@documented
@dataclass(frozen=True)
class TrainingConfig:
    """Settings of the training: budget, optimizer, learning rate and batches.

    Names of optimizers, decays and precisions are accepted wherever a member is documented.

    Example:
        >>> from overtone.fitting import TrainingConfig
        >>> TrainingConfig(seconds=60, decay="cosine").max_steps is None, TrainingConfig().budget
        (True, '2000 steps')

    Raises:
        InputError: If a name is unknown or a number is out of range.
    """

    steps: int | None = option(None, "Optimizer steps.", default="2000, if no {seconds}")
    seconds: float | None = option(None, "Wall-clock budget in seconds.", flag="--time", metavar="SECONDS")
    batch: int | None = option(
        None, "Samples per step.", default="all, up to 8192; fewer for short {seconds}"
    )
    lr: float | None = option(
        None, "Learning rate.", default="0.001; more for short {seconds}, less for sines"
    )
    optimizer: Optimizer = option(Optimizer.ADAM, "Optimizer: adam or sgd.", metavar="NAME")
    momentum: float = option(0.0, "Momentum, for {optimizer} sgd.")
    weight_decay: float = option(0.0, "L2 penalty of the optimizer.")
    decay: Decay = option(
        Decay.CONSTANT,
        "Schedule of the learning rate: constant, cosine (to 0), exponential (to a tenth).",
        metavar="NAME",
    )
    precision: Precision = option(
        Precision.AUTO,
        "Arithmetic of the training step: full, mixed (bfloat16); auto is mixed on a GPU.",
        metavar="NAME",
    )
    compile: bool | None = option(None, "Whether to use torch.compile.", default="where it saves time")
    seed: int = option(
        0, "Seed of every random draw; the same seed gives the same result.", metavar="INTEGER"
    )

    def __post_init__(self) -> None:
        """Convert the accepted types to the documented ones and check them."""
        for name, kind in (("optimizer", Optimizer), ("decay", Decay), ("precision", Precision)):
            object.__setattr__(self, name, parse_enum(kind, getattr(self, name), name))
        for name in ("steps", "batch"):
            if getattr(self, name) is not None:
                # Checked twice, since a fraction is positive and yet no number of steps.
                _positive(name, getattr(self, name))
                object.__setattr__(self, name, whole(getattr(self, name), name))
        for name in ("seconds", "lr"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _positive(name, getattr(self, name)))
        if self.seconds is not None and self.seconds > MAX_SECONDS:
            raise InputError(
                f"at most {MAX_SECONDS:g} seconds", f"{self.seconds:g}", "pass for instance 3600", "seconds"
            )
        if self.lr is not None and self.lr > MAX_LEARNING_RATE:
            raise InputError(
                f"a learning rate of at most {MAX_LEARNING_RATE:g}",
                f"{self.lr:g}",
                "pass for instance 1e-3",
                "lr",
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

    @property
    def max_steps(self) -> int | None:
        """Largest number of steps: 2,000 without steps and seconds; None if only seconds limit the run."""
        return DEFAULT_STEPS if self.steps is None and self.seconds is None else self.steps

    @property
    def learning_rate(self) -> float:
        """Base learning rate."""
        return DEFAULT_LEARNING_RATE if self.lr is None else self.lr

    def batch_of(self, samples: int) -> int:
        """Return the samples per step out of `samples` training samples."""
        return min(self.batch or MAX_BATCH, samples)

    def share(self, step: int, seconds: float) -> float:
        """Return the share of the budget used after `step` steps and `seconds` seconds, the larger of the two."""
        # Whichever budget ends first ends the run, so that its share is the share of the run.
        by_steps = step / self.max_steps if self.max_steps else 0.0
        return max(by_steps, seconds / self.seconds if self.seconds else 0.0)

    def used_up(self, step: int, seconds: float) -> bool:
        """Whether `step` steps or `seconds` seconds use up the budget."""
        return (self.max_steps is not None and step >= self.max_steps) or (
            self.seconds is not None and seconds >= self.seconds
        )

    @property
    def budget(self) -> str:
        """The budget in words, like "2000 steps" or "2000 steps or 60 s"."""
        steps = [f"{self.max_steps} steps"] if self.max_steps is not None else []
        return " or ".join(steps + ([f"{self.seconds:g} s"] if self.seconds is not None else []))

    def compiles_on(self, device: str) -> bool:
        """Whether the training step is compiled on a kind of device."""
        if self.compile is not None:
            return self.compile
        return device == "cuda" and (self.max_steps or 0) >= COMPILED_STEPS

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return to_json(self)


def _positive(name: str, value: Any) -> float:
    number = as_float(value)
    if not (math.isfinite(number) and number > 0):
        raise InputError("a positive finite number", short(value), "pass a number above 0", name)
    return number

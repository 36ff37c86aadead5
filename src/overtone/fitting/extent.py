"""How large the network and its steps are: as wished, and for the rest as the budget and the samples allow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import torch

from overtone._training import Optimizer, TrainingConfig
from overtone.nn import _utils as checks
from overtone.planning import Budget
from overtone.planning._run_size import LEARNING_RATE, RunSize, run_size
from overtone.signals import Geometry, Signal


@final
@dataclass(frozen=True)
class Wishes:
    """Numbers that a user may fix; None leaves one open.

    Attributes:
        width: Units per hidden layer.
        depth: Hidden layers.
        features: Frequencies of the encoding.
        lr: Learning rate.

    Raises:
        InputError: If a number is not a whole one of at least 1.
    """

    width: int | None
    depth: int
    features: int | None
    lr: float | None

    def __post_init__(self) -> None:
        for name in ("width", "depth", "features"):
            if getattr(self, name) is not None:
                checks.size(getattr(self, name), name)


def extent(
    signal: Signal[Geometry],
    options: TrainingConfig,
    wishes: Wishes,
    device: torch.device,
) -> RunSize:
    """The size of a run.

    Where only seconds are given, steps are timed and units, samples per step and steps follow (`planning.size`);
    else the network has 256 units after 256 frequencies, or as many as there are samples.

    Args:
        signal: What will be learned.
        options: The training wished for; a batch that is given stays.
        wishes: Numbers asked for.
        device: Where it will be trained.

    Returns:
        The size, with reasons for what was left open and warnings.

    Raises:
        InputError: If the seconds do not suffice for a single step; says what would be enough.
    """
    width, features = wishes.width, wishes.features
    samples = signal.train_index.numel()
    timed = options.max_steps is None and width is None and options.batch is None
    found = run_size(signal, Budget(options.max_steps, options.seconds if timed else None), device)
    warnings = found.warnings if timed or options.max_steps is not None else ()
    if features is not None and features > samples:
        warnings += (
            f"{features} frequencies are more than the {samples} samples to train on: many networks fit those exactly, "
            "and which one is found is chance.",
        )
    return replace(
        found,
        width=found.width if width is None else width,
        depth=wishes.depth,
        features=found.features if features is None else features,
        batch=options.batch if options.batch is not None else found.batch,
        lr=wishes.lr or (found.lr if timed and options.optimizer is Optimizer.ADAM else LEARNING_RATE),
        reasons=found.reasons if features is None else (),
        warnings=warnings,
    )

"""How closely a run is watched: rows, measured samples and snapshots that cost a small share of the training."""

from __future__ import annotations

import copy
import functools
import time
from dataclasses import dataclass, replace
from typing import Any

import torch

from overtone._training import TrainingConfig, train
from overtone.errors import InputError
from overtone.nn import Field
from overtone.probes import LogSchedule, Spread, Window
from overtone.signals import Geometry, Grid, Signal

SHARE = 0.05
"""Part of the training's arithmetic that measuring may cost."""

FORWARD = 1 / 3
"""Cost of evaluating a sample over that of training on it: one pass of three."""

PICTURES = (0.005, 0.03, 0.15, 0.5)
"""Shares of the run at which whole predictions are kept, besides the beginning and the end."""


@dataclass(frozen=True)
class WatchPlan:
    """What is recorded when.

    Attributes:
        window: What of the grid rows are measured on; None for scattered samples.
        snapshots: Steps at which the whole prediction is kept.
    """

    window: Window | Spread | None
    snapshots: tuple[int, ...]

    def check(self, signal: Signal[Geometry], where: str) -> None:
        """Whether this is a plan for a signal.

        Args:
            signal: What is learned.
            where: The run directory, for the error.

        Raises:
            InputError: If it is one for others.
        """
        if not _fits(signal.geometry, self.window):
            raise InputError(
                "settings of a run whose watch is a part of the signal",
                "another part",
                "begin again with --overwrite",
                where,
            )

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON-able values."""
        window = self.window
        if isinstance(window, Spread):
            return {"spread": window.samples, "seed": window.seed, "snapshots": list(self.snapshots)}
        return {
            "start": None if window is None else list(window.start),
            "shape": None if window is None else list(window.shape),
            "snapshots": list(self.snapshots),
        }

    @staticmethod
    def from_json(plain: dict[str, Any]) -> WatchPlan:
        """The inverse of `to_json`, also of runs begun when one block was measured."""
        if "spread" in plain:
            samples, seed = _steps([plain["spread"], plain["seed"]])
            return WatchPlan(Spread(samples, seed), _steps(plain["snapshots"]))
        whole = plain["start"] is None
        window = None if whole else Window(_steps(plain["start"]), _steps(plain["shape"]))
        return WatchPlan(window, _steps(plain["snapshots"]))


def _steps(plain: Any) -> tuple[int, ...]:
    if not isinstance(plain, list) or not all(type(n) is int for n in plain):
        raise TypeError("no list of whole numbers")
    return tuple(plain)


@functools.singledispatch
def _fits(_: Geometry, window: Window | Spread | None) -> bool:
    """Whether a window is a part of the geometry; scattered points have none."""
    return window is None


@_fits.register(Grid)
def _(geometry: Grid, window: Window | Spread | None) -> bool:
    if not isinstance(window, Window):
        return window is not None
    blocks = list(zip(window.start, window.shape, strict=False))
    return len(window.start) == len(window.shape) == geometry.axes and all(
        s >= 0 and w >= 1 and s + w <= n for (s, w), n in zip(blocks, geometry.shape, strict=True)
    )


@functools.singledispatch
def plan_watching(_: Geometry, _steps: int, _batch: int) -> WatchPlan:
    """Decide what to measure so that it costs about a twentieth of the training.

    Scattered samples have neither a window nor snapshots. With R rows on W samples, R * W / 3 <= 0.05 * steps * batch;
    at least 4,096 samples. A grid that has more is measured on as many spread over all of it. Depends on nothing but
    its arguments, so a resumed run is watched as it began.

    Args:
        _: Geometry of the signal.
        _steps: Steps that the run will take.
        _batch: Samples per step.

    Returns:
        The plan.
    """
    return WatchPlan(None, ())


@plan_watching.register(Grid)
def _(_: Grid, steps: int, batch: int) -> WatchPlan:
    schedule = LogSchedule()
    rows = schedule.count(steps)
    samples = max(4096, int(SHARE * steps * batch / (FORWARD * rows)))
    pictures = {0} | {_due_near(schedule, share * steps) for share in PICTURES}
    return WatchPlan(Spread(samples), tuple(sorted(pictures)))


def expected_steps(field: Field, signal: Signal[Geometry], options: TrainingConfig) -> int:
    """How many steps the budget allows; timed on a copy of the network where only seconds are given."""
    if options.steps is not None and options.seconds is None:
        return options.steps
    pilot = replace(options, steps=3, seconds=None, compile=False)
    began = time.perf_counter()
    train(copy.deepcopy(field), signal, pilot, lambda *_: None, wants=lambda _: False)
    if next(field.parameters()).device.type == "cuda":
        torch.cuda.synchronize()
    possible = max(1, int((options.seconds or 0.0) * 3 / (time.perf_counter() - began)))
    return min(possible, options.steps or possible)


def _due_near(schedule: LogSchedule, step: float) -> int:
    """The first step at or after `step` at which a row is due."""
    return schedule.next_due(max(1, round(step)))

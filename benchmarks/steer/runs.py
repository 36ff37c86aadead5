"""One training run of a case, and the choice of its bandwidth, as functions of JSON values."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import torch

from benchmarks.steer.battery import DEPTH, Case, build, model
from overtone._config import Choosing
from overtone._training import TrainingConfig, train
from overtone.nn._build import build_field
from overtone.planning._recommend import plan_model
from overtone.planning._run_size import RunSize
from overtone.probes import LogSchedule

TESTED = 2048
"""Largest number of samples on which an error is measured."""


def trained(
    signal: str, noise: float, network: str, steps: int, cycles: list[float], seed: int
) -> dict[str, Any]:
    """Train at one bandwidth and note held-out and clean errors at steps evenly spaced in their logarithm.

    Args:
        signal: As in `Case`.
        noise: As in `Case`.
        network: As in `Case`.
        steps: As in `Case`.
        cycles: Bandwidth per axis, in cycles per extent.
        seed: Seeds network, batches and noise.
    """
    torch.set_num_threads(1)
    case = Case(signal, noise, network, steps, seed)
    data = build(signal, noise, seed)
    bandwidth = tuple(c / e for c, e in zip(cycles, data.geometry.extent, strict=True))
    field = build_field(data, model(case, bandwidth), seed)
    assert data.clean is not None
    assert data.ignored is not None
    held = data.held_out_index[:TESTED]
    test = data.ignored.nonzero().squeeze(1)
    test = test[:: max(1, math.ceil(len(test) / TESTED))]
    rows: dict[str, Any] = {"steps": [], "clean": [], "held_out": []}

    def observe(step: int, *_: object) -> None:
        if step == 0:
            return
        with torch.no_grad():
            for name, index, truth in (("clean", test, data.clean), ("held_out", held, data.values)):
                values = field(data.geometry.coords(index))
                rows[name].append(float((values - truth[index]).double().square().mean()))
        rows["steps"].append(step)

    began = time.perf_counter()
    due = LogSchedule(1.15).due
    options = TrainingConfig(steps, batch=case.batch, lr=case.rate, compile=False, seed=seed)
    train(field, data, options, observe, wants=lambda step: step in STEPS_OF_TRIALS or due(step))
    return rows | {"seconds": time.perf_counter() - began, "peak": data.peak}


STEPS_OF_TRIALS = (10, 15, 20, 25, 30, 40, 50, 60, 75, 100, 150)
"""Steps at which trials of several lengths end."""


def chosen(signal: str, noise: float, network: str, steps: int, choose: str, seed: int) -> dict[str, Any]:
    """Return the bandwidth that the choice takes, per axis in cycles per extent, and what it cost.

    Args:
        signal: As in `Case`.
        noise: As in `Case`.
        network: As in `Case`.
        steps: As in `Case`.
        choose: "quick" or "thorough".
        seed: Seeds network, batches and noise.
    """
    torch.set_num_threads(1)
    case = Case(signal, noise, network, steps, seed)
    data = build(signal, noise, seed)
    size = RunSize(case.width, DEPTH, case.width, steps, case.batch, case.rate)
    training = TrainingConfig(steps, batch=case.batch, lr=case.rate, compile=False, seed=seed)
    began = time.perf_counter()
    # The noise floor is measured by every fit, whatever its bandwidth: it is no part of the choice's cost.
    plan = plan_model(replace(data, clean=None), model(case, None), size, training, choose=Choosing(choose))
    return {
        "cycles": [b * e for b, e in zip(plan.bandwidth, data.geometry.extent, strict=True)],
        "trial_steps": plan.trial_steps,
        "seconds": time.perf_counter() - began,
    }

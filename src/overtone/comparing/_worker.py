"""One candidate with one seed, as a task that any process can do."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from overtone.comparing._candidates import NetworkCandidate, all_candidates
from overtone.comparing._directory import PREDICTIONS, PROBLEM, stored_size_limits
from overtone.comparing._task import ComparisonTask, SizeLimits
from overtone.errors import RunError
from overtone.fitting._prepare import find_device
from overtone.planning import Budget


def prediction_path(folder: str | Path, candidate: str, seed: int, budget: Budget) -> Path:
    """Where the prediction of a candidate lies in the folder of a comparison."""
    limits = (budget.steps, budget.seconds, budget.parameters)
    spent = "-".join("any" if limit is None else f"{limit:g}" for limit in limits)
    return Path(folder) / PREDICTIONS / f"{candidate}-{seed}-{spent}.npy"


def run_candidate(
    folder: str,
    samples: str,  # noqa: ARG001 - part of what makes a task this one
    candidate: str,
    seed: int,
    steps: int | None,
    seconds: float | None,
    parameters: int | None,
    device: str,
) -> dict[str, Any]:
    """Let a candidate learn, keep its prediction, and judge it.

    Args:
        folder: Of the comparison.
        samples: Fingerprint of the problem, which tells tasks of different problems apart.
        candidate: Its name.
        seed: Its seed.
        steps: Budget.
        seconds: Budget.
        parameters: Budget.
        device: Where to train.

    Returns:
        `error` (mean square, held-out samples against the reference), `seconds`, `parameters`, `note` and `steps`.

    Raises:
        RunError: If the prediction is not finite, or cannot be kept.
    """
    problem, budget = ComparisonTask.load(Path(folder) / PROBLEM), Budget(steps, seconds, parameters)
    taking_part = all_candidates()[candidate]
    if isinstance(taking_part, NetworkCandidate):
        taking_part = replace(taking_part, extent=stored_size_limits(folder, budget) or SizeLimits())
    began = time.perf_counter()
    found = taking_part.attempt(problem, budget, seed, find_device(device))
    spent = time.perf_counter() - began
    prediction = found.prediction.detach().cpu()
    held = problem.signal.held_out_index
    error = float((prediction[held].double() - problem.reference[held].double()).square().mean())
    if not math.isfinite(error):
        raise RunError("a finite prediction", "NaN or infinity", "leave this candidate out", candidate)
    path = prediction_path(folder, candidate, seed, budget)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        with partial.open("wb") as stream:
            np.save(stream, prediction.float().numpy())
        partial.replace(path)
    except OSError as refused:
        raise RunError("room for a prediction", f"{refused}", "free some space", str(path)) from refused
    return {
        "error": error,
        "seconds": spent,
        "parameters": found.parameters,
        "note": found.note,
        "steps": found.steps,
    }

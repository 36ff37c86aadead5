"""Worker of a comparison: one candidate with one seed, in any process."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from overtone._utils.files import atomic_path
from overtone.comparing._candidates import NetworkCandidate, all_candidates
from overtone.comparing._directory import PREDICTIONS, PROBLEM, stored_size_limits
from overtone.comparing._task import ComparisonTask, SizeLimits
from overtone.errors import RunError
from overtone.fitting._prepare import find_device
from overtone.planning import Budget


def prediction_path(folder: str | Path, candidate: str, seed: int, budget: Budget) -> Path:
    """Return the path of a candidate's prediction in the directory of a comparison."""
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
    bandwidth: list[float] | None = None,
) -> dict[str, Any]:
    """Fit a candidate, store its prediction and return its error.

    Args:
        folder: Directory of the comparison.
        samples: Fingerprint of the task's samples, which distinguishes results of different signals.
        candidate: Name of the candidate.
        seed: Seed of the candidate.
        steps: Limit of the budget, or None.
        seconds: Limit of the budget, or None.
        parameters: Limit of the budget, or None.
        device: Device of the training.
        bandwidth: Bandwidth of the network per axis in cycles per unit; the task's if None.

    Returns:
        `error` (mean square, held-out samples against the reference), `seconds`, `parameters`, `note` and `steps`.

    Raises:
        RunError: If the prediction is not finite, or cannot be stored.
    """
    task, budget = ComparisonTask.load(Path(folder) / PROBLEM), Budget(steps, seconds, parameters)
    if bandwidth is not None:
        task = replace(task, bandwidth=tuple(bandwidth))
    chosen = all_candidates()[candidate]
    # Sizes were chosen once for the whole comparison; timing again here could change the network per process.
    if isinstance(chosen, NetworkCandidate):
        chosen = replace(chosen, limits=stored_size_limits(folder, budget) or SizeLimits())
    began = time.perf_counter()
    attempt = chosen.attempt(task, budget, seed, find_device(device))
    spent = time.perf_counter() - began
    prediction = attempt.prediction.detach().cpu()
    held = task.signal.held_out_index
    error = float((prediction[held].double() - task.reference[held].double()).square().mean())
    if not math.isfinite(error):
        raise RunError("a finite prediction", "NaN or infinity", "exclude this candidate", candidate)
    path = prediction_path(folder, candidate, seed, budget)
    # The result refers to the prediction: it is complete before the result is stored, even if the process dies.
    try:
        with atomic_path(path, path.with_suffix(".part")) as partial, partial.open("wb") as stream:
            np.save(stream, prediction.float().numpy())
    except OSError as refused:
        raise RunError("disk space for a prediction", f"{refused}", "free some space", str(path)) from refused
    return {
        "error": error,
        "seconds": spent,
        "parameters": attempt.parameters,
        "note": "" if attempt.reason is None else str(attempt.reason),
        "steps": attempt.steps,
    }

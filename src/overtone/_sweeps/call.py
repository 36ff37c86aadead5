"""What happens inside a worker: call the task's function, time it, and turn what goes wrong into a sentence."""

from __future__ import annotations

import time

from overtone._sweeps.task import Task
from overtone._sweeps.workers import Outcome
from overtone.errors import OvertoneError


def call(task: Task) -> Outcome:
    """Run a task here and now; failures of its function are outcomes, not exceptions."""
    began = time.perf_counter()
    result, error = None, None
    try:
        result = task.run()
    except OvertoneError as wrong:
        error = str(wrong)
    except Exception as wrong:  # noqa: BLE001 - whatever a study's own code raises is that study's outcome
        error = f"{type(wrong).__name__}: {wrong}"
    return Outcome(task, result, error, time.perf_counter() - began)

"""One measurement of a study, as a task that any worker can do."""

from __future__ import annotations

import time
from typing import Any

from overtone._sweeps import Task
from overtone._utils.torch_defaults import standard
from overtone.studies.size import Size
from overtone.studies.study import Condition, Study, study_in


def task(study: Study, condition: Condition, seed: int, size: Size) -> Task:
    """The task that measures one condition with one seed."""
    return Task(
        f"{study.name}, {condition.name}, seed {seed}",
        f"{__name__}:perform",
        {
            "module": study.module,
            "revision": study.revision,
            "seed": seed,
            "settings": {**study.efforts[size].settings, **condition.settings},
        },
    )


@standard()
def perform(module: str, revision: int, seed: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Measure, and say it in JSON.

    Args:
        module: Where the study is.
        revision: Of its measurement; only tells results apart.
        seed: The seed.
        settings: Further keywords.
    """
    del revision
    began = time.perf_counter()
    measured = study_in(module).measure(seed=seed, **settings)
    curves = {
        name: {"x": [float(x) for x in xs], "y": [float(y) for y in ys]}
        for name, (xs, ys) in measured.curves.items()
    }
    return {
        "value": float(measured.value),
        "curves": curves,
        "notes": list(measured.notes),
        "seconds": time.perf_counter() - began,
    }

"""Run studies: their measurements as one sweep, each study judged after its last one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from overtone._sweeps import Finished, Store, Task, Workers, sweep
from overtone._utils.torch_defaults import standard
from overtone.studies._result import StudyResult
from overtone.studies._study import Condition, Study, StudySize, studies_in


@final
@dataclass(frozen=True)
class StudyProgress:
    """A measurement that has ended.

    Attributes:
        finished: The measurement's task.
        done: Number of measurements that have ended.
        total: Number of all measurements.
        result: The result of the study, if this was its last measurement and none failed.
    """

    finished: Finished
    done: int
    total: int
    result: StudyResult | None


@standard()
def run_studies(
    selected: Sequence[Study], size: StudySize, folder: Path, workers: Workers | None = None
) -> Iterator[StudyProgress]:
    """Run studies and write the result of each after its last measurement.

    Measurements are stored in `folder/measurements`, so that an interrupted run continues when it is called again; a
    study's result is written to `folder/<size>/<name>.json`.

    Args:
        selected: The studies.
        size: Size at which they are run.
        folder: Folder of measurements and results.
        workers: Workers that measure; this machine's cores if None.

    Yields:
        Each measurement as it ends.

    Example:
        >>> import tempfile, pathlib
        >>> from overtone.studies import StudySize, run_studies
        >>> list(run_studies([], StudySize.SMOKE, pathlib.Path(tempfile.mkdtemp())))
        []
    """
    # Two conditions of equal settings are one task, whose result belongs to both.
    owners: dict[str, list[tuple[Study, str, int]]] = {}
    tasks: list[Task] = []
    rows: dict[str, dict[str, dict[int, Any]]] = {}
    for study in selected:
        conditions = study.situations
        rows[study.name] = {condition.name: {} for condition in conditions}
        for seed in study.seeds(size):
            for condition in conditions:
                task = _task(study, condition, seed, size)
                owners.setdefault(task.key, []).append((study, condition.name, seed))
                tasks.append(task)
    total = len({task.key for task in tasks})
    for done, finished in enumerate(sweep(tasks, Store(folder / "measurements"), workers), 1):
        result = None
        for study, name, seed in owners[finished.task.key]:
            if finished.error is None:
                rows[study.name][name][seed] = {"seed": seed} | finished.result
            if all(len(by_seed) == len(study.seeds(size)) for by_seed in rows[study.name].values()):
                # Tasks end in any order; the file has seeds in theirs.
                ordered = {
                    n: [by_seed[s] for s in sorted(by_seed)] for n, by_seed in rows[study.name].items()
                }
                result = StudyResult.from_measurements(study, size, ordered)
                result.save(folder)
        yield StudyProgress(finished, done, total, result)


def _task(study: Study, condition: Condition, seed: int, size: StudySize) -> Task:
    return Task(
        f"{study.name}, {condition.name}, seed {seed}",
        f"{__name__}:measure_condition",
        {
            "module": study.module,
            "study": study.name,
            "revision": study.revision,
            "seed": seed,
            "settings": {**study.sizes[size].settings, **condition.settings},
        },
    )


@standard()
def measure_condition(
    module: str, study: str, revision: int, seed: int, settings: dict[str, Any]
) -> dict[str, Any]:
    """Measure one condition with one seed and return the row as JSON-able values.

    Args:
        module: Module that lists the study.
        study: Name of the study.
        revision: Revision of its measurement; only distinguishes stored results.
        seed: The seed.
        settings: Further keywords.
    """
    # Part of the key of the stored row: a raised revision measures again.
    del revision
    began = time.perf_counter()
    measure = next(one.measure for one in studies_in(module) if one.name == study)
    measured = measure(seed=seed, **settings)
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

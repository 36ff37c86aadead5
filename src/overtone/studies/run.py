"""Run studies: their measurements as one sweep, each study judged when its last one is in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from overtone._sweeps import Finished, Store, Task, Workers, sweep
from overtone._utils.torch_defaults import standard
from overtone.studies.perform import task
from overtone.studies.result import Result
from overtone.studies.size import Size
from overtone.studies.study import Study


@final
@dataclass(frozen=True)
class Progress:
    """A measurement that has ended.

    Attributes:
        finished: The measurement.
        done: How many have ended.
        total: How many there are.
        result: The result of its study, if that was its last measurement and all went well.
    """

    finished: Finished
    done: int
    total: int
    result: Result | None


@standard()
def run(
    wanted: Sequence[Study], size: Size, folder: Path, workers: Workers | None = None
) -> Iterator[Progress]:
    """Run studies and write their results as they come in.

    Measurements are kept in `folder/measurements`, so that an interrupted run is called again and goes on; a study's
    result is written to `folder/<size>/<name>.json`.

    Args:
        wanted: The studies.
        size: How large.
        folder: Where to keep measurements and results.
        workers: Who does it; this machine's cores if None.

    Yields:
        Each measurement as it ends.
    """
    owner: dict[str, list[tuple[Study, str, int]]] = {}
    tasks: list[Task] = []
    found: dict[str, dict[str, dict[int, Any]]] = {}
    for study in wanted:
        names = [*study.conditions, study.control]
        found[study.name] = {condition.name: {} for condition in names}
        for seed in study.seeds(size):
            for condition in names:
                one = task(study, condition, seed, size)
                owner.setdefault(one.key, []).append((study, condition.name, seed))
                tasks.append(one)
    store = Store(folder / "measurements")
    total = len({one.key for one in tasks})
    for done, finished in enumerate(sweep(tasks, store, workers), 1):
        result = None
        for study, name, seed in owner[finished.task.key]:
            if finished.error is None:
                found[study.name][name][seed] = {"seed": seed} | finished.result
            if all(len(rows) == len(study.seeds(size)) for rows in found[study.name].values()):
                ordered = {n: [rows[s] for s in sorted(rows)] for n, rows in found[study.name].items()}
                result = Result.of(study, size, ordered)
                result.save(folder)
        yield Progress(finished, done, total, result)

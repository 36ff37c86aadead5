"""Run many tasks, once each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, final

from overtone._sweeps.local import Local
from overtone._sweeps.store import Store
from overtone._sweeps.task import Task
from overtone._sweeps.workers import Workers


@final
@dataclass(frozen=True)
class Finished:
    """A task that has ended.

    Attributes:
        task: The task.
        result: What its function returned; None if it failed.
        error: Why it failed, in a sentence, or None.
        seconds: How long it ran just now; 0 if its result was there before.
        before: Whether its result was there before.
    """

    task: Task
    result: Any
    error: str | None = None
    seconds: float = 0.0
    before: bool = False


def sweep(tasks: Iterable[Task], store: Store, workers: Workers | None = None) -> Iterator[Finished]:
    """Run every task that has no result yet, and yield all of them, each exactly once.

    Results are kept as they come, so that a sweep that was interrupted, in whatever way, is called again and goes on.
    Failures are yielded but not kept: the next sweep tries them again. Equal tasks (of one function and settings) are
    run once.

    Args:
        tasks: What to run.
        store: Where results are kept.
        workers: Who does it; this machine's cores if None.

    Yields:
        First what had finished before, then the others as they end.
    """
    distinct = {task.key: task for task in tasks}
    missing = []
    for task in distinct.values():
        if store.has(task):
            yield Finished(task, store.get(task), before=True)
        else:
            missing.append(task)
    if not missing:
        return
    for outcome in (workers or Local()).run(missing):
        if outcome.error is None:
            store.put(outcome.task, outcome.result)
        yield Finished(outcome.task, outcome.result, outcome.error, outcome.seconds)

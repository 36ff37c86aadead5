"""Stored results of finished tasks, and the sweep that computes those that are missing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from overtone._sweeps.task import Task
from overtone._sweeps.workers import Local, Workers
from overtone._utils.files import write_atomic
from overtone.errors import InputError, RunError


@final
class Store:
    """A folder with one JSON file per finished task.

    A file appears in one move, so a sweep killed at any moment leaves whole results or none. Several sweeps may share a
    folder.

    Args:
        folder: Where results lie; made when the first one comes.

    Raises:
        InputError: If there is a file in its place.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError("a folder for results", "a file", "choose another path", str(folder))

    def path(self, task: Task) -> Path:
        """Where the result of `task` lies or would lie."""
        return self.folder / f"{task.key}.json"

    def has(self, task: Task) -> bool:
        """Whether `task` has finished."""
        return self.path(task).is_file()

    def get(self, task: Task) -> Any:
        """The result of a finished task.

        Raises:
            InputError: If it has not finished, or its file is damaged.
        """
        path = self.path(task)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["key"] != task.key:
                raise ValueError("it belongs to another task")
            return kept["result"]
        except FileNotFoundError as missing:
            raise InputError("a finished task", "none", "run the sweep", task.name) from missing
        except (OSError, ValueError, KeyError, TypeError) as broken:
            raise InputError(
                "an intact result",
                f"a damaged one ({broken})",
                "remove it and run the sweep again",
                str(path),
            ) from broken

    def put(self, task: Task, result: Any) -> None:
        """Keep a result.

        Raises:
            RunError: If it cannot be written.
        """
        entry = {
            "key": task.key,
            "name": task.name,
            "function": task.function,
            "settings": dict(task.settings),
            "result": result,
        }
        try:
            write_atomic(self.path(task), json.dumps(entry, indent=1))
        except OSError as refused:
            raise RunError(
                "room for a result", f"{refused}", "free some space and run the sweep again", str(self.folder)
            ) from refused


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

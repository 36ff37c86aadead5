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
    """Folder with one JSON file per finished task.

    A file appears in one move, so a sweep killed at any moment leaves whole results or none. Several sweeps may share a
    folder.

    Args:
        folder: Folder of the results; made with the first one.

    Raises:
        InputError: If `folder` is a file.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError("a folder for results", "a file", "choose another path", str(folder))

    def path(self, task: Task) -> Path:
        """Return the path of the result of `task`, whether it exists or not."""
        return self.folder / f"{task.key}.json"

    def has(self, task: Task) -> bool:
        """Return whether `task` has finished."""
        return self.path(task).is_file()

    def get(self, task: Task) -> Any:
        """Return the result of a finished task.

        Raises:
            InputError: If it has not finished, or its file is damaged.
        """
        path = self.path(task)
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            if entry["key"] != task.key:
                raise ValueError("it belongs to another task")
            return entry["result"]
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
        """Store a result.

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
                "a folder with space for a result",
                f"{refused}",
                "free some space and run the sweep again",
                str(self.folder),
            ) from refused


@final
@dataclass(frozen=True)
class Finished:
    """Task that has ended.

    Attributes:
        task: The task.
        result: Return value of its function; None if it failed.
        error: Reason of the failure, in a sentence, or None.
        seconds: Time it ran now; 0 if its result came from the store.
        stored: Whether its result came from the store.
    """

    task: Task
    result: Any
    error: str | None = None
    seconds: float = 0.0
    stored: bool = False


def sweep(tasks: Iterable[Task], store: Store, workers: Workers | None = None) -> Iterator[Finished]:
    """Run every task that has no stored result, and yield all tasks, each exactly once.

    Results are stored as they come, so that a sweep that was interrupted, in whatever way, continues when it is called
    again. Failures are yielded but not stored: the next sweep repeats them. Equal tasks (of one function and settings)
    run once.

    Args:
        tasks: Tasks to run.
        store: Store of the results.
        workers: Workers that run them; this machine's cores if None.

    Yields:
        First the tasks with a stored result, then the others as they end.
    """
    # Equal tasks have equal keys and so one result, whatever their names.
    distinct = {task.key: task for task in tasks}
    missing = []
    for task in distinct.values():
        if store.has(task):
            yield Finished(task, store.get(task), stored=True)
        else:
            missing.append(task)
    if not missing:
        return
    for outcome in (workers or Local()).run(missing):
        if outcome.error is None:
            # Before it is yielded: the caller may stop here for good.
            store.put(outcome.task, outcome.result)
        yield Finished(outcome.task, outcome.result, outcome.error, outcome.seconds)

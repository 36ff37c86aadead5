"""Results of finished tasks, one small file each, so that a sweep goes on where it was left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, final

from overtone._sweeps.task import Task
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

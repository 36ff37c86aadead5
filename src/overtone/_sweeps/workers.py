"""Who does the work of a sweep."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

from overtone._sweeps.task import Task


@final
@dataclass(frozen=True)
class Outcome:
    """What came of one task.

    Attributes:
        task: The task.
        result: What its function returned; None if it failed.
        error: Why it failed, in a sentence, or None.
        seconds: How long it ran.
    """

    task: Task
    result: Any
    error: str | None
    seconds: float


class Workers(ABC):
    """Runs tasks side by side."""

    @abstractmethod
    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Run every task; yields each once, as it ends.

        A task whose worker died is run again. Closing the iterator ends what is still running.

        Args:
            tasks: Distinct tasks.
        """

"""Work in this process, one task after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

from overtone._sweeps import Task, Workers
from overtone._sweeps.call import call
from overtone._sweeps.workers import Outcome


@final
class Here(Workers):
    """This process, with all its cores: needs no guarded main module, and suits notebooks and GPUs."""

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Run every task; see `Workers.run`."""
        for task in tasks:
            yield call(task)

"""Workers that run the tasks of a sweep: the protocol, and the cores of this machine."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, final

from overtone._sweeps.task import Task
from overtone.errors import InputError, OvertoneError


@final
@dataclass(frozen=True)
class TaskOutcome:
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
    def run(self, tasks: Sequence[Task]) -> Iterator[TaskOutcome]:
        """Run every task; yields each once, as it ends.

        A task whose worker died is run again. Closing the iterator ends what is still running.

        Args:
            tasks: Distinct tasks.
        """


def run_task(task: Task) -> TaskOutcome:
    """Run a task here and now; failures of its function are outcomes, not exceptions."""
    began = time.perf_counter()
    result, error = None, None
    try:
        result = task.run()
    except OvertoneError as wrong:
        error = str(wrong)
    except Exception as wrong:  # noqa: BLE001 - whatever a study's own code raises is that study's outcome
        error = f"{type(wrong).__name__}: {wrong}"
    return TaskOutcome(task, result, error, time.perf_counter() - began)


TRIES = 3
"""How often a task whose worker died is begun before it counts as failed."""


@final
@dataclass(frozen=True)
class Local(Workers):
    """Processes of this machine, one task each at a time.

    Attributes:
        processes: How many; one per core if None. Each computes with its share of the cores, or with
            OMP_NUM_THREADS threads where that is set and less.

    Raises:
        InputError: If there is none.
    """

    processes: int | None = None

    def __post_init__(self) -> None:
        if self.processes is not None and self.processes < 1:
            raise InputError(
                "at least one process", f"{self.processes}", "pass a positive number", "processes"
            )

    def run(self, tasks: Sequence[Task]) -> Iterator[TaskOutcome]:
        """Run every task; see `Workers.run`."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        processes = min(self.processes or cores, max(1, len(tasks)))
        queue = deque((task, 1) for task in tasks)
        running: dict[Future[TaskOutcome], tuple[_Worker, Task, int]] = {}
        with ExitStack() as ends:
            threads = _threads(max(1, cores // processes))
            idle = [_Worker(threads) for _ in range(processes)]
            for worker in idle:
                ends.callback(worker.end)
            while queue or running:
                while queue and idle:
                    worker, (task, attempt) = idle.pop(), queue.popleft()
                    running[worker.submit(task)] = (worker, task, attempt)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    worker, task, attempt = running.pop(future)
                    idle.append(worker)
                    try:
                        outcome = future.result()
                    except BrokenProcessPool:
                        worker.renew()
                        if attempt < TRIES:
                            queue.append((task, attempt + 1))
                            continue
                        reason = f"its worker died {TRIES} times (out of memory, or killed)"
                        outcome = TaskOutcome(task, None, reason, 0.0)
                    yield outcome


def _threads(share: int) -> int:
    """The share, or what the user limits threads to where that is less."""
    wished = os.environ.get("OMP_NUM_THREADS", "")
    return min(share, int(wished)) if wished.isdecimal() and int(wished) > 0 else share


class _Worker:
    """One process, replaced when it has died; alone in its pool, so that its death costs no other task."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = self._new()

    def submit(self, task: Task) -> Future[TaskOutcome]:
        return self._pool.submit(run_task, task)

    def renew(self) -> None:
        self.end()
        self._pool = self._new()

    def end(self) -> None:
        for process in list((self._pool._processes or {}).values()):
            process.terminate()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _new(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, context, initializer=_begin, initargs=(self._threads,))


def _begin(threads: int) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

"""Workers that run the tasks of a sweep: the protocol, and the cores of this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import Any, final

from overtone._sweeps.task import Task
from overtone.errors import InputError, OvertoneError


@final
@dataclass(frozen=True)
class TaskOutcome:
    """Result or failure of one task.

    Attributes:
        task: The task.
        result: Return value of its function; None if it failed.
        error: Reason of the failure, in a sentence, or None.
        seconds: Time it ran.
    """

    task: Task
    result: Any
    error: str | None
    seconds: float


class Workers(ABC):
    """Run tasks in parallel."""

    @abstractmethod
    def run(self, tasks: Sequence[Task]) -> Iterator[TaskOutcome]:
        """Run every task and yield each outcome once, when the task ends.

        A task whose worker died is run again. Closing the iterator ends the tasks that still run.

        Args:
            tasks: Distinct tasks.
        """


def run_task(task: Task) -> TaskOutcome:
    """Run a task in this process; a failure of its function is an outcome, not an exception."""
    began = time.perf_counter()
    result, error = None, None
    try:
        result = task.run()
    except OvertoneError as wrong:
        error = str(wrong)
    except Exception as wrong:  # noqa: BLE001 - whatever a study's own code raises is that study's outcome
        error = f"{type(wrong).__name__}: {wrong}"
    return TaskOutcome(task, result, error, time.perf_counter() - began)


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_ATTEMPTS = 3
"""Attempts at a task whose worker died, before the task counts as failed."""


@final
@dataclass(frozen=True)
class Local(Workers):
    """Worker processes of this machine, each running one task at a time.

    Attributes:
        processes: Number of processes; one per core if None. Each computes with its share of the cores, or with
            OMP_NUM_THREADS threads where that is set and smaller.

    Raises:
        InputError: If `processes` is not positive.
    """

    processes: int | None = None

    def __post_init__(self) -> None:
        if self.processes is not None and self.processes < 1:
            raise InputError(
                "at least one process", f"{self.processes}", "pass a positive number", "processes"
            )

    def run(self, tasks: Sequence[Task]) -> Iterator[TaskOutcome]:
        """Run every task; see `Workers.run`."""
        cores = available_cores()
        processes = min(self.processes or cores, max(1, len(tasks)))
        queue = deque((task, 1) for task in tasks)
        running: dict[Future[TaskOutcome], tuple[_Worker, Task, int]] = {}
        with ExitStack() as stack:
            threads = _threads(max(1, cores // processes))
            idle = [_Worker(threads) for _ in range(processes)]
            # Also when the caller closes the iterator early: a worker must not outlive the sweep.
            for worker in idle:
                stack.callback(worker.end)
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
                        # The process was killed, often for memory: another attempt may find more of it free.
                        worker.renew()
                        if attempt < _ATTEMPTS:
                            queue.append((task, attempt + 1))
                            continue
                        reason = f"its worker died {_ATTEMPTS} times (out of memory, or killed)"
                        outcome = TaskOutcome(task, None, reason, 0.0)
                    yield outcome


def _threads(share: int) -> int:
    """Threads of one worker: its share of the cores, or the user's limit where that is smaller."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(share, int(limit)) if limit.isdecimal() and int(limit) > 0 else share


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start processes that never receive SIGINT; one that arrives here meanwhile is delivered afterwards.

    Ctrl-C goes to all processes of a terminal: a worker, even while it is still starting, would print a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # The tracker of multiprocessing unblocks the signal when it starts, so that it must run already.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Worker:
    """One process, replaced after its death; alone in its pool, so that its death costs no other task."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = self._new()

    def submit(self, task: Task) -> Future[TaskOutcome]:
        # The first task starts the process.
        with _without_interrupts():
            return self._pool.submit(run_task, task)

    def renew(self) -> None:
        self.end()
        self._pool = self._new()

    def end(self) -> None:
        for process in list((self._pool._processes or {}).values()):
            process.terminate()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _new(self) -> ProcessPoolExecutor:
        # A forked process would inherit torch's thread pools and locks in whatever state they are.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, context, initializer=_begin, initargs=(self._threads,))


def _begin(threads: int) -> None:
    # A sweep that is killed cannot end its workers; each of them watches for that itself.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Read by the numerical libraries when they are imported, which happens with the first task.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

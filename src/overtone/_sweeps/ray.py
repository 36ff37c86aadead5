"""Workers of a Ray cluster: an existing one by its address, or one of this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

from overtone._sweeps.task import Task
from overtone._sweeps.workers import TaskOutcome, Workers, run_task
from overtone._utils.optional import import_optional
from overtone.errors import InputError, RunError


@final
@dataclass(frozen=True)
class Ray(Workers):
    """Workers of a Ray cluster; tasks of a node that dies start again on other nodes.

    Needs the extra `ray`, with overtone installed on every node.

    Attributes:
        address: `"host:port"` of a cluster, or None for a cluster of this machine alone.
        cpus: Cores per task.
        gpus: Share of a GPU per task; with 0 no task runs on a GPU.
        retries: Number of times that a task may start again.
    """

    address: str | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    retries: int = 5

    def __post_init__(self) -> None:
        if not (self.cpus >= 0 and self.gpus >= 0 and self.cpus + self.gpus > 0):
            raise InputError(
                "a task that takes a core or a GPU",
                f"{self.cpus} and {self.gpus}",
                "pass cpus=1",
                "ray",
            )

    def run(self, tasks: Sequence[Task]) -> Iterator[TaskOutcome]:
        """Run every task; see `Workers.run`.

        Raises:
            InputError: If Ray is not installed.
            RunError: If there is no cluster at the address.
        """
        ray: Any = import_optional("ray", "ray")
        # A cluster that the caller has joined stays joined after the sweep.
        joined_here = not ray.is_initialized()
        if joined_here:
            try:
                ray.init(address=self.address, log_to_driver=False, configure_logging=False)
            except (ConnectionError, RuntimeError, ValueError) as refused:
                reason = str(refused).strip().splitlines()[0]
                raise RunError(
                    f"a Ray cluster at {self.address}", reason, "start one with: ray start --head", "ray"
                ) from refused
        running: dict[Any, Task] = {}
        try:
            remote = ray.remote(
                num_cpus=self.cpus, num_gpus=self.gpus, max_retries=self.retries, scheduling_strategy="SPREAD"
            )(run_task)
            running = {remote.remote(task): task for task in tasks}
            # One at a time as they end: results go to disk at once, so a later failure costs none of them.
            while running:
                (ended, *_), _ = ray.wait(list(running), num_returns=1)
                task = running.pop(ended)
                try:
                    yield ray.get(ended)
                except ray.exceptions.RayError as lost:
                    yield TaskOutcome(
                        task, None, f"its worker died: {str(lost).strip().splitlines()[0]}", 0.0
                    )
        finally:
            for pending in running:
                ray.cancel(pending, force=True)
            if joined_here:
                ray.shutdown()

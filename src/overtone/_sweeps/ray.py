"""A Ray cluster: an existing one by its address, or one of this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

from overtone._sweeps.task import Task
from overtone._sweeps.workers import TaskOutcome, Workers, run_task
from overtone._utils.optional import require
from overtone.errors import InputError, RunError


@final
@dataclass(frozen=True)
class Ray(Workers):
    """The workers of a Ray cluster; tasks of a node that dies are begun again on others.

    Needs the extra `ray`, with overtone installed on every node.

    Attributes:
        address: `"host:port"` of a cluster, or None for a cluster of this machine alone.
        cpus: Cores that a task takes.
        gpus: Share of a GPU that a task takes; 0 keeps tasks off GPUs.
        tries: How often a task may be begun again.
    """

    address: str | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    tries: int = 5

    def __post_init__(self) -> None:
        if not (self.cpus >= 0 and self.gpus >= 0 and self.cpus + self.gpus > 0):
            raise InputError(
                "a task to take some core or GPU", f"{self.cpus} and {self.gpus}", "pass cpus=1", "ray"
            )

    def run(self, tasks: Sequence[Task]) -> Iterator[TaskOutcome]:
        """Run every task; see `Workers.run`.

        Raises:
            InputError: If Ray is not installed.
            RunError: If there is no cluster at the address.
        """
        ray: Any = require("ray", "ray")
        mine = not ray.is_initialized()
        if mine:
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
                num_cpus=self.cpus, num_gpus=self.gpus, max_retries=self.tries, scheduling_strategy="SPREAD"
            )(run_task)
            running = {remote.remote(task): task for task in tasks}
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
            if mine:
                ray.shutdown()

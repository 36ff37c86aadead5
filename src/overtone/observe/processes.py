"""Who evaluates the network at a view's samples: this process alone, or every process of a group its share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import final

import torch
import torch.distributed as dist
from torch import Tensor

from overtone.errors import RunError
from overtone.observe.evaluate import Evaluator
from overtone.observe.samples import Samples


class Processes(ABC):
    """How outputs at all samples come about."""

    @property
    @abstractmethod
    def writes(self) -> bool:
        """Whether this process writes the record."""

    @abstractmethod
    def outputs(self, evaluate: Evaluator, samples: Samples) -> Tensor:
        """Outputs (M, ..., C) of the network at all samples, on the CPU."""


@final
class Alone(Processes):
    """This process evaluates everything."""

    @property
    def writes(self) -> bool:
        """Yes."""
        return True

    def outputs(self, evaluate: Evaluator, samples: Samples) -> Tensor:
        """The network's outputs."""
        return evaluate(samples)


@final
class Group(Processes):
    """Every process of a group evaluates an equal share, and one `all_gather` makes the whole known to all.

    A process that fails takes part in the exchange all the same, so that the others do not wait for it for ever; the
    row is then marked.

    Args:
        group: The group; None for all processes.
    """

    def __init__(self, group: dist.ProcessGroup | None = None) -> None:
        self._group = group

    @property
    def writes(self) -> bool:
        """Whether it is the first of the group."""
        return dist.get_rank(self._group) == 0

    def outputs(self, evaluate: Evaluator, samples: Samples) -> Tensor:
        """The outputs of all processes, in order.

        Raises:
            RunError: If another process failed.
        """
        rank, size = dist.get_rank(self._group), dist.get_world_size(self._group)
        share = math.ceil(samples.count / size)
        begin, end = (min(share * r, samples.count) for r in (rank, rank + 1))
        shape, dtype = evaluate.form(samples)
        row = math.prod(shape)
        message = torch.zeros(share * row + 1, dtype=dtype)
        failure: Exception | None = None
        try:
            if end > begin:
                own = evaluate(samples, begin, end).to(dtype).reshape(-1)
                message[1 : 1 + own.numel()] = own
        except Exception as error:  # noqa: BLE001
            failure = error
            message[0] = 1
        parts = self._gather(message, evaluate.device, size)
        if failure is not None:
            raise failure
        failed = [r for r, part in enumerate(parts) if part[0] != 0]
        if failed:
            raise RunError(
                "outputs of every process",
                f"a failure in process {failed[0]}",
                "look at the warning there",
                "probe",
            )
        return torch.cat([part[1:] for part in parts])[: samples.count * row].reshape(samples.count, *shape)

    def _gather(self, message: Tensor, device: torch.device, size: int) -> list[Tensor]:
        on_device = dist.get_backend(self._group) == "nccl"
        sent = message.to(device) if on_device else message
        parts = [torch.empty_like(sent) for _ in range(size)]
        dist.all_gather(parts, sent, group=self._group)
        return [part.cpu() for part in parts]

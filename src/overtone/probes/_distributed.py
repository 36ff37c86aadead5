"""Network outputs computed by one process, or by a group of processes that share the work."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, final

import torch
import torch.distributed as dist
from torch import Tensor

from overtone.errors import RunError
from overtone.probes._evaluator import Evaluator
from overtone.probes._inputs import Inputs

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

OutputForm = tuple[tuple[int, ...], torch.dtype]
"""Shape of the outputs at one sample, and their precision."""


class Processes(ABC):
    """Evaluation of a network at sets of inputs by one or several processes."""

    @property
    @abstractmethod
    def writes(self) -> bool:
        """Whether this process writes the record."""

    @abstractmethod
    def outputs(self, evaluate: Evaluator, required: Sequence[Inputs]) -> list[Tensor | Exception]:
        """Return the outputs (M, ..., C) at several sets of inputs, on the CPU, or the error of each set."""


@final
class SingleProcess(Processes):
    """Evaluation by the current process alone."""

    @property
    def writes(self) -> bool:
        """True."""
        return True

    def outputs(self, evaluate: Evaluator, required: Sequence[Inputs]) -> list[Tensor | Exception]:
        """Return the network's outputs, or the error of each set."""
        results: list[Tensor | Exception] = []
        for inputs in required:
            try:
                results.append(evaluate(inputs))
            except Exception as error:  # noqa: BLE001
                results.append(error)
        return results


@final
class DistributedGroup(Processes):
    """Evaluation in equal shares by the processes of a group; one `all_gather` returns all outputs to all processes.

    A process whose evaluation fails still takes part in the exchange, so that the others do not wait indefinitely;
    the row is then marked.

    Args:
        group: The group; None for all processes.

    Example:
        >>> group = DistributedGroup()  # Probe(watched, network, "run", processes=group) in every process
        >>> isinstance(group, Processes)
        True
    """

    def __init__(self, group: ProcessGroup | None = None) -> None:
        self._group = group

    @property
    def writes(self) -> bool:
        """Whether this process is the first of the group."""
        return dist.get_rank(self._group) == 0

    def outputs(self, evaluate: Evaluator, required: Sequence[Inputs]) -> list[Tensor | Exception]:
        """Return the outputs of all processes, in order; a `RunError` for a set at which another process failed."""
        rank, size = dist.get_rank(self._group), dist.get_world_size(self._group)
        shares = [math.ceil(inputs.count / size) for inputs in required]
        # Shapes are exchanged before values: every process must know the length of each message, even if it fails.
        forms = [evaluate.form(inputs) for inputs in required]
        local = [
            _local_bytes(evaluate, inputs, form, share, rank)
            for inputs, form, share in zip(required, forms, shares, strict=True)
        ]
        failed = torch.tensor(
            [isinstance(part, Exception) for part in local], dtype=torch.uint8, device="cpu"
        )
        empty = [
            torch.zeros(_byte_count(form, share), dtype=torch.uint8, device="cpu")
            for form, share in zip(forms, shares, strict=True)
        ]
        packed = [e if isinstance(part, Exception) else part for part, e in zip(local, empty, strict=True)]
        # One message per row: an error flag per set of inputs, then the bytes of each share, padded to equal lengths.
        # Latency, not bandwidth, dominates the exchange of a few hundred outputs.
        messages = self._gather(torch.cat([failed, *packed]), evaluate.device, size)
        cuts = [len(failed), *(len(part) for part in packed)]
        columns = list(zip(*(message.split(cuts) for message in messages), strict=True))
        results: list[Tensor | Exception] = []
        for position, (inputs, form, parts) in enumerate(zip(required, forms, columns[1:], strict=True)):
            failed_ranks = [r for r, flags in enumerate(columns[0]) if flags[position]]
            local_result = local[position]
            if isinstance(local_result, Exception):
                results.append(local_result)
            elif failed_ranks:
                results.append(_remote_error(failed_ranks[0]))
            else:
                results.append(_join(parts, inputs.count, form))
        return results

    def _gather(self, message: Tensor, device: torch.device, size: int) -> list[Tensor]:
        # NCCL transfers GPU memory only; other backends use CPU memory.
        on_device = dist.get_backend(self._group) == "nccl"
        sent = message.to(device) if on_device else message
        parts = [torch.empty_like(sent) for _ in range(size)]
        dist.all_gather(parts, sent, group=self._group)
        return [part.cpu() for part in parts]


def _byte_count(form: OutputForm, share: int) -> int:
    """Return the number of bytes in one process's share."""
    return share * math.prod(form[0]) * form[1].itemsize


def _local_bytes(
    evaluate: Evaluator, inputs: Inputs, form: OutputForm, share: int, rank: int
) -> Tensor | Exception:
    """Return this process's share of the outputs as bytes, padded with zeros, or the error."""
    begin, end = (min(share * r, inputs.count) for r in (rank, rank + 1))
    sent = torch.zeros(share, *form[0], dtype=form[1], device="cpu")
    try:
        if end > begin:
            sent[: end - begin] = evaluate(inputs, begin, end)
    except Exception as error:  # noqa: BLE001
        return error
    return sent.reshape(-1).view(torch.uint8)


def _join(parts: Sequence[Tensor], count: int, form: OutputForm) -> Tensor:
    shape, dtype = form
    # A slice of the message may begin at any byte; a copy is aligned, which a view as numbers requires.
    return torch.cat([part.clone().view(dtype).reshape(-1, *shape) for part in parts])[:count]


def _remote_error(rank: int) -> RunError:
    return RunError(
        "outputs from every process",
        f"a failed evaluation on rank {rank}",
        "see the warning of that process",
        "probe",
    )


@final
class OutputCache:
    """Network outputs shared by all views of one recorded step; each set of inputs is evaluated once.

    The first request evaluates all sets known to be required, so that several processes exchange them in one
    message.

    Args:
        evaluate: Evaluates the network.
        processes: The processes that share the evaluation.
        required: Inputs that will be requested later.
    """

    def __init__(self, evaluate: Evaluator, processes: Processes, required: Iterable[Inputs] = ()) -> None:
        self._evaluate, self._processes = evaluate, processes
        self._required = tuple(required)
        self._results: dict[Inputs, Tensor | Exception] = {}

    def __call__(self, inputs: Inputs) -> Tensor:
        """Return the outputs (M, ..., C) at inputs, on the CPU.

        Raises:
            Exception: The error of evaluating these inputs.
        """
        if inputs not in self._results:
            pending = list(dict.fromkeys((inputs, *(() if self._results else self._required))))
            self._results |= zip(pending, self._processes.outputs(self._evaluate, pending), strict=True)
        result = self._results[inputs]
        if isinstance(result, Exception):
            raise result
        return result

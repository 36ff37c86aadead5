"""Network outputs computed by one process, or by a group of processes that share the work."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import final

import torch
import torch.distributed as dist
from torch import Tensor

from overtone.errors import RunError
from overtone.probes._evaluator import Evaluator
from overtone.probes._inputs import Inputs

Form = tuple[tuple[int, ...], torch.dtype]
"""Shape of the outputs at one sample, and their precision."""


class Processes(ABC):
    """How outputs at all samples come about."""

    @property
    @abstractmethod
    def writes(self) -> bool:
        """Whether this process writes the record."""

    @abstractmethod
    def outputs(self, evaluate: Evaluator, asked: Sequence[Inputs]) -> list[Tensor | Exception]:
        """Outputs (M, ..., C) of the network at several sets of samples, on the CPU, or why there are none."""


@final
class SingleProcess(Processes):
    """This process evaluates everything."""

    @property
    def writes(self) -> bool:
        """Yes."""
        return True

    def outputs(self, evaluate: Evaluator, asked: Sequence[Inputs]) -> list[Tensor | Exception]:
        """The network's outputs."""
        found: list[Tensor | Exception] = []
        for samples in asked:
            try:
                found.append(evaluate(samples))
            except Exception as error:  # noqa: BLE001
                found.append(error)
        return found


@final
class DistributedGroup(Processes):
    """Every process of a group evaluates an equal share of each set, and one `all_gather` makes all known to all.

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

    def outputs(self, evaluate: Evaluator, asked: Sequence[Inputs]) -> list[Tensor | Exception]:
        """The outputs of all processes, in order; a `RunError` where another process failed."""
        rank, size = dist.get_rank(self._group), dist.get_world_size(self._group)
        shares = [math.ceil(samples.count / size) for samples in asked]
        forms = [evaluate.form(samples) for samples in asked]
        own = [_own(evaluate, *one, rank) for one in zip(asked, forms, shares, strict=True)]
        failed = torch.tensor([isinstance(part, Exception) for part in own], dtype=torch.uint8, device="cpu")
        empty = [
            torch.zeros(_size(*one), dtype=torch.uint8, device="cpu")
            for one in zip(forms, shares, strict=True)
        ]
        packed = [e if isinstance(o, Exception) else o for o, e in zip(own, empty, strict=True)]
        messages = self._gather(torch.cat([failed, *packed]), evaluate.device, size)
        cuts = [len(failed), *(len(part) for part in packed)]
        columns = list(zip(*(message.split(cuts) for message in messages), strict=True))
        found: list[Tensor | Exception] = []
        for place, (samples, form, parts) in enumerate(zip(asked, forms, columns[1:], strict=True)):
            ailing = [r for r, flags in enumerate(columns[0]) if flags[place]]
            mine = own[place]
            if isinstance(mine, Exception):
                found.append(mine)
            elif ailing:
                found.append(_elsewhere(ailing[0]))
            else:
                found.append(_joined(parts, samples.count, form))
        return found

    def _gather(self, message: Tensor, device: torch.device, size: int) -> list[Tensor]:
        on_device = dist.get_backend(self._group) == "nccl"
        sent = message.to(device) if on_device else message
        parts = [torch.empty_like(sent) for _ in range(size)]
        dist.all_gather(parts, sent, group=self._group)
        return [part.cpu() for part in parts]


def _size(form: Form, share: int) -> int:
    """Bytes of one process's share."""
    return share * math.prod(form[0]) * form[1].itemsize


def _own(evaluate: Evaluator, samples: Inputs, form: Form, share: int, rank: int) -> Tensor | Exception:
    """This process's share of the outputs as bytes, zeros behind; or why it has none."""
    begin, end = (min(share * r, samples.count) for r in (rank, rank + 1))
    sent = torch.zeros(share, *form[0], dtype=form[1], device="cpu")
    try:
        if end > begin:
            sent[: end - begin] = evaluate(samples, begin, end)
    except Exception as error:  # noqa: BLE001
        return error
    return sent.reshape(-1).view(torch.uint8)


def _joined(parts: Sequence[Tensor], count: int, form: Form) -> Tensor:
    shape, dtype = form
    return torch.cat([part.clone().view(dtype).reshape(-1, *shape) for part in parts])[:count]


def _elsewhere(process: int) -> RunError:
    return RunError(
        "outputs of every process", f"a failure in process {process}", "look at the warning there", "probe"
    )


@final
class OutputCache:
    """The network's outputs by samples; each set is evaluated once.

    The first question brings the answers to all that is known to be asked, so that several processes exchange them in
    one message.

    Args:
        evaluate: Evaluates the network.
        processes: Who evaluates.
        asked: Samples that will be asked for.
    """

    def __init__(self, evaluate: Evaluator, processes: Processes, asked: Iterable[Inputs] = ()) -> None:
        self._evaluate, self._processes = evaluate, processes
        self._asked = tuple(asked)
        self._found: dict[Inputs, Tensor | Exception] = {}

    def __call__(self, samples: Inputs) -> Tensor:
        """Outputs (M, ..., C) at samples, on the CPU.

        Raises:
            Exception: Whatever went wrong when these were evaluated.
        """
        if samples not in self._found:
            wanted = list(dict.fromkeys((samples, *(() if self._found else self._asked))))
            self._found |= zip(wanted, self._processes.outputs(self._evaluate, wanted), strict=True)
        found = self._found[samples]
        if isinstance(found, Exception):
            raise found
        return found

"""What a network says at the samples of all views of a row, asked at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

from torch import Tensor

from overtone.probes.evaluate import Evaluator
from overtone.probes.processes import Processes
from overtone.probes.samples import Samples


@final
class Answers:
    """The network's outputs by samples; each set is evaluated once.

    The first question brings the answers to all that is known to be asked, so that several processes exchange them in
    one message.

    Args:
        evaluate: Evaluates the network.
        processes: Who evaluates.
        asked: Samples that will be asked for.
    """

    def __init__(self, evaluate: Evaluator, processes: Processes, asked: Iterable[Samples] = ()) -> None:
        self._evaluate, self._processes = evaluate, processes
        self._asked = tuple(asked)
        self._found: dict[Samples, Tensor | Exception] = {}

    def __call__(self, samples: Samples) -> Tensor:
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

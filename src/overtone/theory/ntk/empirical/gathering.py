"""A layer's gradients, output by output as backward passes bring them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor

from overtone.theory.ntk.empirical.calls import Calls
from overtone.theory.ntk.empirical.features import Explicit, Features
from overtone.theory.ntk.empirical.memory import fresh


class Gathering(ABC):
    """Takes the gradients of one output after the other, and makes features of them."""

    @abstractmethod
    def take(self, grads: Sequence[Tensor]) -> None:
        """Take the next output's gradients (N, ...) at the result of each of the layer's calls."""

    @abstractmethod
    def features(self) -> Features:
        """The features of all outputs taken."""


@final
class Stacking(Gathering):
    """Keeps all gradients.

    Args:
        finish: From the gradients (C, N, ...) of each call to features.
    """

    def __init__(self, finish: Callable[[list[Tensor]], Features]) -> None:
        self._finish = finish
        self._taken: list[Sequence[Tensor]] = []

    def take(self, grads: Sequence[Tensor]) -> None:
        """Keep them."""
        self._taken.append(grads)

    def features(self) -> Features:
        """What `finish` makes of them; the outputs of a sample lie side by side in memory."""
        if len(self._taken) == 1:
            return self._finish([each[None] for each in self._taken[0]])
        return self._finish([torch.stack(each, 1).transpose(0, 1) for each in zip(*self._taken, strict=True)])


@final
class Forming(Gathering):
    """Forms explicit gradients at once, while those at the layer's results are in the cache; keeps only the former.

    Args:
        channels: Outputs that will be taken.
        calls: From the gradients (N, ...) of one output to what the matrix saw.
    """

    def __init__(self, channels: int, calls: Callable[[Tensor], Calls]) -> None:
        self._channels, self._calls = channels, calls
        self._count = 0
        self._seen: Tensor | None = None
        self._values: Tensor | None = None

    def take(self, grads: Sequence[Tensor]) -> None:
        """Form its gradients."""
        calls = self._calls(grads[0])
        if self._values is None or self._seen is None:
            self._seen = calls.seen(slice(None))
            n = calls.grads.shape[1]
            self._values = fresh(n, self._channels, *calls.shape, like=calls.grads).transpose(0, 1)
        calls.form(self._seen, self._values[self._count : self._count + 1])
        self._count += 1

    def features(self) -> Features:
        """The gradients themselves."""
        assert self._values is not None
        return Explicit(self._values.flatten(2))

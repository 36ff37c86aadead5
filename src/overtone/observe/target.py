"""What a network's outputs are compared with: values as they are, or classes as probabilities."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.observe.samples import Batch
from overtone.spectra.labels import Probabilities
from overtone.spectra.labels import Target as Definition


class Target(ABC):
    """Values to be learned, and how outputs become comparable with them.

    Attributes:
        values: (N, ..., C) floating-point numbers.
        channels: C names.
        unit: Unit of the values, "" if they have none.
    """

    values: Tensor
    channels: tuple[str, ...]
    unit: str

    @abstractmethod
    def read(self, outputs: Tensor) -> Tensor:
        """Outputs of the network at the same samples, as values of the target's shape.

        Raises:
            InputError: If their shape does not fit.
        """

    @abstractmethod
    def at(self, index: Tensor) -> Target:
        """The target at these samples alone, (M,) int64 positions."""


@final
class Values(Target):
    """Numbers that the outputs should equal.

    Args:
        values: (N, ..., C), or (N,) for one channel.
        channels: Names, or None for "0", "1", ...
        unit: Unit of the values.

    Raises:
        InputError: If a value is not a finite number or the names do not fit.
    """

    def __init__(self, values: Any, channels: Sequence[str] | None = None, unit: str = "") -> None:
        found = _tensor(values)
        found = found if found.is_floating_point() and found.dtype.itemsize >= 4 else found.double()
        self.values = found[:, None] if found.ndim == 1 else found
        self.channels = _names(channels, self.values.shape[-1])
        self.unit = unit

    def read(self, outputs: Tensor) -> Tensor:
        """The outputs as they are."""
        if outputs.shape[1:] != self.values.shape[1:]:
            raise InputError(
                f"outputs of shape {_shape(self.values)}, as the targets have",
                f"{_shape(outputs)}",
                "pass outputs=, a function from what the network returns to such a tensor",
                "network",
            )
        return outputs

    def at(self, index: Tensor) -> Values:
        """The values at these samples alone."""
        return Values(self.values[index], self.channels, self.unit)


@final
class Classes(Target):
    """Labels of classes as numbers, compared with what a classifier's outputs say.

    Args:
        labels: (N,) or (N, ...) whole numbers from 0.
        count: Number of classes; the largest label plus one if None.
        channels: Their names, or None for "0", "1", ...
        definition: What the target is, see `spectra.labels`; class probabilities, softmax(outputs), if None.

    Raises:
        InputError: If a label is no whole number or outside the classes.
    """

    def __init__(
        self,
        labels: Any,
        count: int | None = None,
        channels: Sequence[str] | None = None,
        definition: Definition | None = None,
    ) -> None:
        self._labels = _tensor(labels)
        self._count = int(self._labels.max()) + 1 if count is None else count
        self._definition = definition or Probabilities()
        table = self._definition.values(self._labels.reshape(-1), self._count)
        self.values = table.reshape(*self._labels.shape, self._count)
        self.channels = _names(channels, self._count)
        self.unit = "probability" if isinstance(self._definition, Probabilities) else ""

    def read(self, outputs: Tensor) -> Tensor:
        """Outputs (M, ..., K) as the definition reads them; a single one is the logit of the last of two classes."""
        if outputs.shape[1:] == (*self._labels.shape[1:], 1) and self._count == 2:
            outputs = torch.cat([torch.zeros_like(outputs), outputs], -1)
        if outputs.shape[1:] != self.values.shape[1:]:
            raise InputError(
                f"logits of shape {_shape(self.values)}, one column a class",
                f"{_shape(outputs)}",
                "pass classes=, or outputs= to select the logits",
                "network",
            )
        if not bool(outputs.isfinite().all()):
            return torch.full_like(outputs, math.nan)
        return self._definition.predictions(outputs.reshape(-1, self._count)).reshape(outputs.shape)

    def at(self, index: Tensor) -> Classes:
        """The classes at these samples alone."""
        return Classes(self._labels[index], self._count, self.channels, self._definition)


def target_of(targets: Any, classes: int | None = None) -> Target:
    """A `Target` as it is, whole numbers of one axis (or any number of axes if `classes` is given) as `Classes`.

    Everything else becomes `Values`.

    Args:
        targets: A `Target`, tensor or array.
        classes: Number of classes, where labels are meant.
    """
    if isinstance(targets, Target):
        return targets
    found = _tensor(targets)
    labels = not found.is_floating_point() and found.ndim == 1
    return Classes(found, classes) if labels or classes is not None else Values(found)


def _tensor(values: Any) -> Tensor:
    found = Batch(values, "targets").tensors
    if not isinstance(found, Tensor) or found.is_complex():
        raise InputError("one tensor of real targets", f"{type(values).__name__}", "select one", "targets")
    return found.cpu()


def _names(given: Sequence[str] | None, count: int) -> tuple[str, ...]:
    names = tuple(str(i) for i in range(count)) if given is None else tuple(given)
    if len(names) != count:
        raise InputError(f"{count} channel names", f"{len(names)}", "name each channel once", "channels")
    return names


def _shape(values: Tensor) -> str:
    return f"(samples, {', '.join(str(n) for n in values.shape[1:])})" if values.ndim > 1 else "(samples,)"

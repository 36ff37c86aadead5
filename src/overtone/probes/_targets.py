"""What a network's outputs are compared with: values as they are, or classes as probabilities."""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.probes._inputs import TensorInputs
from overtone.spectra.classes import ClassTarget
from overtone.spectra.classes._targets import Probabilities

LARGEST_TABLE = 1 << 27
"""Entries of a table of labels and classes, in float64: one GiB."""


class ProbeTarget(ABC):
    """Values to be learned, and how outputs become comparable with them.

    Attributes:
        values: (N, ..., C) floating-point numbers.
        channels: C names.
        unit: Unit of the values, "" if they have none.
        notes: Sentences on how the targets were read, for records.
    """

    values: Tensor
    channels: tuple[str, ...]
    unit: str
    notes: tuple[str, ...] = ()

    @abstractmethod
    def read(self, outputs: Tensor) -> Tensor:
        """Outputs of the network at the same samples, as values of the target's shape.

        Raises:
            InputError: If their shape does not fit.
        """

    @abstractmethod
    def at(self, index: Tensor) -> ProbeTarget:
        """The target at these samples alone, (M,) int64 positions."""


@final
class Values(ProbeTarget):
    """Numbers that the outputs should equal.

    Args:
        values: (N, ..., C), or (N,) for one channel.
        channels: Names, or None for "0", "1", ...
        unit: Unit of the values.
        channel_axis: The axis of the channels, of values and of outputs; the last one if None.
        notes: Sentences on how the targets were read.

    Raises:
        InputError: If a value is not a finite number or the names do not fit.
    """

    def __init__(
        self,
        values: Any,
        channels: Sequence[str] | None = None,
        unit: str = "",
        *,
        channel_axis: int | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        found = target_tensor(values)
        found = found if found.is_floating_point() and found.dtype.itemsize >= 4 else found.double()
        found = found[:, None] if found.ndim == 1 else found
        self._axis = channel_axis
        self.values = found if channel_axis is None else found.movedim(channel_axis, -1)
        self.channels = _names(channels, self.values.shape[-1])
        self.unit, self.notes = unit, tuple(notes)

    def read(self, outputs: Tensor) -> Tensor:
        """The outputs as they are, their channels last; a channel alone may have an axis or none."""
        found = _channels_last(outputs, tuple(self.values.shape[1:]), self._axis)
        if found is None:
            labels = self.values.shape[1:] == (1,) and bool((self.values == self.values.round()).all())
            raise InputError(
                f"outputs of shape {_shape(self.values)}, as the targets have",
                f"{_shape(outputs)}",
                "pass outputs=, a function from what the network returns to such a tensor"
                + (", or whole-number targets (targets.long()) if they are labels" if labels else ""),
                "network",
            )
        return found

    def at(self, index: Tensor) -> Values:
        """The values at these samples alone."""
        some = Values(self.values[index], self.channels, self.unit, notes=self.notes)
        some._axis = self._axis
        return some


@final
class Classes(ProbeTarget):
    """Labels of classes as numbers, compared with what a classifier's outputs say.

    Args:
        labels: (N,) or (N, ...) whole numbers from 0, or (N, K) floating-point rows of probabilities.
        count: Number of classes; the largest label plus one if None.
        channels: Their names, or None for "0", "1", ...
        definition: What the target is, see `spectra.labels`; class probabilities, softmax(outputs), if None.
        channel_axis: The axis of the outputs that holds the classes; the last one, or the first after the samples
            where only that fits, if None.
        notes: Sentences on how the targets were read.

    Raises:
        InputError: If a label is no whole number or outside the classes, or there are more labels and classes than
            memory.
    """

    def __init__(
        self,
        labels: Any,
        count: int | None = None,
        channels: Sequence[str] | None = None,
        definition: ClassTarget | None = None,
        *,
        channel_axis: int | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self._labels = target_tensor(labels)
        self._count = int(self._labels.max()) + 1 if count is None else class_count(count)
        self._definition, self._axis = definition or ClassTarget.probabilities(), channel_axis
        soft = self._labels.ndim == 2 and self._labels.shape[1] == self._count
        soft = soft and self._labels.is_floating_point()
        rows = self._labels if soft else self._labels.reshape(-1)
        _check_labels(rows, self._count, len(self._labels))
        table = self._definition.values(rows, self._count)
        self._places = () if soft else tuple(self._labels.shape[1:])
        self.values = table.reshape(len(self._labels), *self._places, self._count)
        self.channels = _names(channels, self._count)
        self.unit = "probability" if isinstance(self._definition, Probabilities) else ""
        self.notes = tuple(notes)

    def read(self, outputs: Tensor) -> Tensor:
        """Outputs (M, ..., K) as the definition reads them; a single one is the logit of the last of two classes."""
        if outputs.shape[1:] == (*self._places, 1) and self._count == 2:
            outputs = torch.cat([torch.zeros_like(outputs), outputs], -1)
        found = _channels_last(outputs, tuple(self.values.shape[1:]), self._axis)
        if found is None:
            alone = outputs.shape[1:] == (*self._places, 1)
            raise InputError(
                f"logits of shape {_shape(self.values)}, one column a class",
                f"{_shape(outputs)}",
                "pass floating-point targets (targets.double()) if they are values, or outputs= to select the logits"
                if alone
                else "pass classes=, or outputs= to select the logits",
                "network",
            )
        if not bool(found.isfinite().all()):
            return torch.full_like(found, math.nan)
        return self._definition.predictions(found.reshape(-1, self._count)).reshape(found.shape)

    def at(self, index: Tensor) -> Classes:
        """The classes at these samples alone."""
        return Classes(
            self._labels[index],
            self._count,
            self.channels,
            self._definition,
            channel_axis=self._axis,
            notes=self.notes,
        )


def _channels_last(outputs: Tensor, form: tuple[int, ...], axis: int | None) -> Tensor | None:
    """Outputs as (M, *form), by moving the channels or adding an axis for one; None if they do not fit."""
    moved = outputs if axis is None or outputs.ndim != len(form) + 1 else outputs.movedim(axis, -1)
    if moved.shape[1:] == form:
        return moved
    if form[-1] == 1 and len(form) > 1 and outputs.shape[1:] == form[:-1]:
        return outputs[..., None]
    first = outputs.movedim(1, -1) if outputs.ndim == len(form) + 1 else outputs
    return first if first.shape[1:] == form else None


def class_count(classes: Any) -> int:
    """A number of classes as an int.

    Raises:
        InputError: If it is no whole number above 1.
    """
    try:
        count = operator.index(classes)
    except TypeError as wrong:
        raise InputError(
            "a whole number of classes", f"{classes!r}", "pass the number of classes", "classes"
        ) from wrong
    if count < 2:
        raise InputError("at least two classes", f"{count}", "pass the number of classes", "classes")
    return count


def _check_labels(labels: Tensor, count: int, samples: int) -> None:
    """Refuse negative labels, and tables that no memory should hold.

    Raises:
        InputError: If there are such.
    """
    negative = labels < 0
    if bool(negative.any()):
        raise InputError(
            f"whole labels from 0 to {count - 1}",
            f"{int(labels[negative][0])} for {int(negative.sum())} of {labels.numel()} labels",
            "leave out the samples that the loss ignores, or number the classes from 0",
            "labels",
        )
    each = labels.numel() // samples * (1 if labels.ndim == 2 else count)
    if samples * each > LARGEST_TABLE:
        fewer = LARGEST_TABLE // each
        raise InputError(
            f"labels times classes below {LARGEST_TABLE:,}, as a row holds one number for each",
            f"{labels.numel():,} labels of {count:,} classes",
            f"watch at most {fewer:,} samples (samples=)"
            if fewer
            else "watch shorter sequences or fewer classes",
            "classes",
        )


def target_tensor(values: Any) -> Tensor:
    """Targets as one tensor on the CPU.

    Raises:
        InputError: If they are complex, not finite, or several tensors.
    """
    found = TensorInputs(values, "targets").tensors
    if not isinstance(found, Tensor) or found.is_complex():
        raise InputError("one tensor of real targets", f"{type(values).__name__}", "select one", "targets")
    return _signed(found.cpu())


def _signed(found: Tensor) -> Tensor:
    """Wide unsigned numbers, for which torch has hardly any arithmetic, in a type that holds them."""
    if found.dtype in (torch.uint16, torch.uint32):
        return found.long()
    if found.dtype is torch.uint64:
        signed = found.long()
        return signed if bool((signed >= 0).all()) else found.double()
    return found


def _names(given: Sequence[str] | None, count: int) -> tuple[str, ...]:
    names = tuple(str(i) for i in range(count)) if given is None else tuple(given)
    if len(names) != count:
        raise InputError(f"{count} channel names", f"{len(names)}", "name each channel once", "channels")
    return names


def _shape(values: Tensor) -> str:
    return f"(samples, {', '.join(str(n) for n in values.shape[1:])})" if values.ndim > 1 else "(samples,)"

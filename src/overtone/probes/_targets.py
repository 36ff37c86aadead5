"""Targets to compare with a network's outputs: values, or classes as probabilities."""

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

MAX_TABLE = 1 << 27
"""Maximum number of entries in a table of labels and classes, in float64: one GiB."""


class ProbeTarget(ABC):
    """Values to be learned, and the conversion of outputs to comparable values.

    Attributes:
        values: (N, ..., C) floating-point numbers.
        channels: C names.
        unit: Unit of the values, "" if there is none.
        notes: Sentences that state how the targets were read, for records.
        channel_axis: The axis of the outputs that holds the channels, counted from the front; None for the last one.
    """

    values: Tensor
    channels: tuple[str, ...]
    unit: str
    notes: tuple[str, ...] = ()
    channel_axis: int | None = None

    @abstractmethod
    def read(self, outputs: Tensor) -> Tensor:
        """Convert outputs of the network at the same samples to values of the target's shape.

        Raises:
            InputError: If the shape of the outputs does not fit.
        """

    @abstractmethod
    def at(self, index: Tensor) -> ProbeTarget:
        """Return the target at a subset of the samples, (M,) int64 positions."""


@final
class Values(ProbeTarget):
    """Target values that the outputs should equal.

    Args:
        values: (N, ..., C), or (N,) for one channel.
        channels: Names of the channels, or None for "0", "1", ...
        unit: Unit of the values.
        channel_axis: The axis of the channels, of values and of outputs; the last one if None.
        notes: Sentences that state how the targets were read.

    Raises:
        InputError: If a value is not finite or the names do not fit.

    Example:
        >>> target = Values([[1, 2], [3, 4], [5, 6]], channels=["u", "v"], unit="m/s")
        >>> tuple(target.values.shape), target.channels
        ((3, 2), ('u', 'v'))
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
        numbers = target_tensor(values)
        # Powers are sums of squares: half precision and whole numbers are widened before any arithmetic.
        numbers = numbers if numbers.is_floating_point() and numbers.dtype.itemsize >= 4 else numbers.double()
        numbers = numbers[:, None] if numbers.ndim == 1 else numbers
        self.channel_axis = channel_axis
        self.values = numbers if channel_axis is None else numbers.movedim(channel_axis, -1)
        self.channels = _names(channels, self.values.shape[-1])
        self.unit, self.notes = unit, tuple(notes)

    def read(self, outputs: Tensor) -> Tensor:
        """Return the outputs with their channels last; the axis of a single channel may be absent."""
        values = _channels_last(outputs, tuple(self.values.shape[1:]), self.channel_axis)
        if values is None:
            labels = self.values.shape[1:] == (1,) and bool((self.values == self.values.round()).all())
            raise InputError(
                f"outputs of shape {_shape(self.values)}, like the targets",
                f"{_shape(outputs)}",
                "pass outputs=, a function from the network's return value to such a tensor"
                + (", or whole-number targets (targets.long()) if they are labels" if labels else ""),
                "network",
            )
        return values

    def at(self, index: Tensor) -> Values:
        """Return the values at a subset of the samples."""
        subset = Values(self.values[index], self.channels, self.unit, notes=self.notes)
        # The values already have their channels last; the axis concerns only the outputs.
        subset.channel_axis = self.channel_axis
        return subset


@final
class Classes(ProbeTarget):
    """Class labels, compared with the probabilities of a classifier's outputs.

    Args:
        labels: (N,) or (N, ...) whole numbers from 0, or (N, K) floating-point rows of probabilities.
        count: Number of classes; the largest label plus one if None.
        channels: Names of the classes, or None for "0", "1", ...
        definition: Definition of the target, see `spectra.classes`; class probabilities, softmax(outputs), if None.
        channel_axis: The axis of the outputs that holds the classes; if None, the last one, or the first after the
            samples where only that fits.
        notes: Sentences that state how the targets were read.

    Raises:
        InputError: If a label is not a whole number or outside the classes, or the table of labels and classes
        exceeds
            the memory budget.
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
        self._definition, self.channel_axis = definition or ClassTarget.probabilities(), channel_axis
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
        """Convert outputs (M, ..., K) by the definition; a single output is the logit of the second of two classes."""
        if outputs.shape[1:] == (*self._places, 1) and self._count == 2:
            # sigmoid(z) is the second entry of softmax(0, z).
            outputs = torch.cat([torch.zeros_like(outputs), outputs], -1)
        logits = _channels_last(outputs, tuple(self.values.shape[1:]), self.channel_axis)
        if logits is None:
            single = outputs.shape[1:] == (*self._places, 1)
            raise InputError(
                f"logits of shape {_shape(self.values)}, one column per class",
                f"{_shape(outputs)}",
                "pass floating-point targets (targets.double()) if they are values, or outputs= to select the logits"
                if single
                else "pass classes=, or outputs= to select the logits",
                "network",
            )
        if not bool(logits.isfinite().all()):
            return torch.full_like(logits, math.nan)
        return self._definition.predictions(logits.reshape(-1, self._count)).reshape(logits.shape)

    def at(self, index: Tensor) -> Classes:
        """Return the classes at a subset of the samples."""
        return Classes(
            self._labels[index],
            self._count,
            self.channels,
            self._definition,
            channel_axis=self.channel_axis,
            notes=self.notes,
        )


def _channels_last(outputs: Tensor, form: tuple[int, ...], axis: int | None) -> Tensor | None:
    """Return outputs as (M, *form), by moving the channels or adding an axis for one; None if they do not fit."""
    moved = outputs if axis is None or outputs.ndim != len(form) + 1 else outputs.movedim(axis, -1)
    if moved.shape[1:] == form:
        return moved
    if form[-1] == 1 and len(form) > 1 and outputs.shape[1:] == form[:-1]:
        return outputs[..., None]
    first = outputs.movedim(1, -1) if outputs.ndim == len(form) + 1 else outputs
    return first if first.shape[1:] == form else None


def class_count(classes: Any) -> int:
    """Return a number of classes as an int.

    Raises:
        InputError: If it is not a whole number above 1.
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
    """Refuse negative labels, and tables of labels and classes that exceed the memory budget.

    Raises:
        InputError: If a label is negative or the table is too large.
    """
    negative = labels < 0
    if bool(negative.any()):
        raise InputError(
            f"whole labels from 0 to {count - 1}",
            f"{int(labels[negative][0])} for {int(negative.sum())} of {labels.numel()} labels",
            "omit the samples that the loss ignores, or number the classes from 0",
            "labels",
        )
    entries = labels.numel() // samples * (1 if labels.ndim == 2 else count)
    if samples * entries > MAX_TABLE:
        fewer = MAX_TABLE // entries
        raise InputError(
            f"labels times classes below {MAX_TABLE:,}, because a row holds one number for each",
            f"{labels.numel():,} labels of {count:,} classes",
            f"use at most {fewer:,} samples (samples=)"
            if fewer
            else "use shorter sequences or fewer classes",
            "classes",
        )


def target_tensor(values: Any) -> Tensor:
    """Return targets as one tensor on the CPU.

    Raises:
        InputError: If they are complex, not finite, or several tensors.
    """
    tensor = TensorInputs(values, "targets").tensors
    if not isinstance(tensor, Tensor) or tensor.is_complex():
        raise InputError("one tensor of real targets", f"{type(values).__name__}", "select one", "targets")
    return _signed(tensor.cpu())


def _signed(values: Tensor) -> Tensor:
    """Convert wide unsigned integers, which few operations of torch support, to a type that holds them."""
    if values.dtype in (torch.uint16, torch.uint32):
        return values.long()
    if values.dtype is torch.uint64:
        # Values from 2^63 on wrap to negative numbers in int64; float64 holds them, rounded.
        signed = values.long()
        return signed if bool((signed >= 0).all()) else values.double()
    return values


def _names(channels: Sequence[str] | None, count: int) -> tuple[str, ...]:
    names = tuple(str(i) for i in range(count)) if channels is None else tuple(channels)
    if len(names) != count:
        raise InputError(f"{count} channel names", f"{len(names)}", "name each channel once", "channels")
    return names


def _shape(values: Tensor) -> str:
    return f"(samples, {', '.join(str(n) for n in values.shape[1:])})" if values.ndim > 1 else "(samples,)"

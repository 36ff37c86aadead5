"""Interpretation of targets: labels or values, and the axis of their channels.

The shape of the network's outputs resolves most ambiguities of shapes and numbers. A remaining ambiguity is an error
that names the argument to pass, or is resolved with a note in the record.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.probes._evaluator import Evaluator
from overtone.probes._inputs import TensorInputs, map_tensors, named_tensors
from overtone.probes._targets import Classes, ProbeTarget, Values, class_count, target_tensor

_CLASSES_OF_FEW = 10
"""Number of classes that is plausible for any number of samples."""

_SUM = 1e-3
"""Tolerance of the sums of rows of probabilities: above the rounding of half precision."""


@final
@dataclass(frozen=True)
class ShapeHints:
    """Shapes of inputs and outputs that help to interpret targets.

    Attributes:
        outputs: Shape of the network's outputs at one sample, None without a network.
        inputs: Shapes of the tensors of one sample.
        arranged: Whether the caller passed `forward=` or `outputs=`.
        channel_axis: The axis of outputs and targets that holds the channels, None if unknown.
        position_axes: Function that returns the time or space axes of the outputs, see `position_axes`; called on
            demand.
    """

    outputs: tuple[int, ...] | None = None
    inputs: tuple[tuple[int, ...], ...] = ()
    arranged: bool = False
    channel_axis: int | None = None
    position_axes: Callable[[], frozenset[int] | None] = lambda: None

    def inferred_channel_axis(self) -> int | None:
        """Infer the one axis of the outputs that is neither time nor space from the network; None if unknown."""
        follows = None if self.outputs is None else self.position_axes()
        if follows is None or self.outputs is None or not follows:
            return None
        others = set(range(1, len(self.outputs) + 1)) - follows
        return others.pop() if len(others) == 1 else None


@final
@dataclass(frozen=True)
class TargetReading:
    """Interpretation of the targets of all samples or of a part.

    Attributes:
        values: (N, ...) targets.
        classes: Number of classes, None for values.
        channel_axis: The axis of the outputs' channels, None for the last one.
        notes: Sentences that state the choice where targets could be read in several ways.
        doubt: Text of a warning where another interpretation is as plausible, else "".
    """

    values: Tensor
    classes: int | None = None
    channel_axis: int | None = None
    notes: tuple[str, ...] = ()
    doubt: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample's target, channels last."""
        shape = tuple(self.values.shape[1:])
        if self.classes is not None:
            soft = self.values.is_floating_point() and shape == (self.classes,)
            return shape if soft else (*shape, self.classes)
        if self.channel_axis is None or len(shape) < 2:
            return shape or (1,)
        return (*shape[: self.channel_axis - 1], *shape[self.channel_axis :], shape[self.channel_axis - 1])

    def at(self, index: Tensor) -> ProbeTarget:
        """Return the target at a subset of the samples, (M,) int64 positions."""
        subset = self.values if len(index) == len(self.values) else self.values[index]
        if self.classes is not None:
            return Classes(subset, self.classes, channel_axis=self.channel_axis, notes=self.notes)
        return Values(subset, channel_axis=self.channel_axis, notes=self.notes)


def as_target(
    targets: Any,
    classes: int | None = None,
    channel_axis: int | None = None,
    channels: Sequence[str] | None = None,
) -> ProbeTarget:
    """Return the target of a view: a `ProbeTarget` unchanged, or numbers after interpretation.

    The last axis of values holds the channels unless `channel_axis` is passed.

    Args:
        targets: A `Target`, tensor or array.
        classes: Number of classes, if the targets are labels.
        channel_axis: The axis of outputs, and of values, that holds the channels.
        channels: Names of the channels of values; only values have names.

    Raises:
        InputError: If whole numbers may be labels or values, or the names do not fit.
    """
    if isinstance(targets, ProbeTarget):
        return targets
    targets = target_tensor(targets)
    if channels is not None or (targets.is_floating_point() and classes is None):
        axis = None if channel_axis is None else _from_front(channel_axis, targets.ndim)
        return Values(targets, channels, channel_axis=axis)
    reading = read_targets(targets, classes, ShapeHints(channel_axis=channel_axis))
    return reading.at(torch.arange(len(targets), device="cpu"))


def read_targets(targets: Any, classes: int | None, shapes: ShapeHints) -> TargetReading:
    """Interpret targets.

    Args:
        targets: (N, ...) tensor or array.
        classes: Number of classes, if the targets are labels.
        shapes: Shapes of inputs and outputs.

    Raises:
        InputError: If they can be read in two ways; the error names the argument to pass.
    """
    targets = target_tensor(targets)
    if classes is not None:
        return _labels(targets, class_count(classes), shapes)
    integral = not targets.is_floating_point()
    # (N, 1) is one column of labels or values, not a sequence of length 1.
    column = targets.ndim == 2 and targets.shape[1] == 1
    if integral and (targets.ndim == 1 or (column and (shapes.outputs is None or len(shapes.outputs) == 1))):
        return _whole(targets[:, 0] if column else targets, column, shapes)
    if integral and shapes.outputs is None:
        raise _ask(targets, "one label a position or values")
    if integral and shapes.outputs is not None and len(shapes.outputs) == targets.ndim:
        return _positions(targets, shapes)
    # A caller who passes forward= or outputs= has already made the outputs comparable with these values.
    doubt = "" if shapes.arranged else _like_labels(targets)
    return _values(targets, shapes, doubt)


def _whole(targets: Tensor, column: bool, shapes: ShapeHints) -> TargetReading:
    """Interpret whole numbers, one per sample."""
    low, high = (int(v) for v in targets.long().aminmax())
    flag = targets.dtype is torch.bool
    if shapes.outputs is not None and len(shapes.outputs) == 1:
        outputs = shapes.outputs[0]
        if outputs == 1 and not (low >= 0 and high <= 1):
            note = "whole-number targets were read as values, because the network has one output"
            return TargetReading(targets[:, None], notes=(note,))
        if outputs > 1:
            if not (low >= 0 and high < outputs):
                raise InputError(
                    f"labels from 0 to {outputs - 1}, because the network has {outputs} outputs",
                    f"whole numbers from {low} to {high}",
                    "number the classes from 0 (torch.unique(targets, return_inverse=True)[1]), omit samples that the "
                    "loss ignores, or pass floating-point targets if they are values",
                    "targets",
                )
            return TargetReading(targets, outputs, notes=_missing(targets, outputs))
    if flag or (low >= 0 and high <= 1):
        note = "targets 0 and 1 were read as labels of two classes, single outputs as logits"
        return TargetReading(targets, 2, notes=(note,))
    if column or not _few(targets, low, high):
        raise _ask(targets, "labels or values")
    return TargetReading(targets, high + 1, notes=_missing(targets, high + 1))


def _few(targets: Tensor, low: int, high: int) -> bool:
    """Return whether numbers look like labels: from 0, few compared with the samples, and most of them present."""
    different = len(torch.unique(targets))
    return low >= 0 and high < max(_CLASSES_OF_FEW, min(2 * different, len(targets) // 2))


def _missing(targets: Tensor, classes: int) -> tuple[str, ...]:
    absent = classes - len(torch.unique(targets))
    return (f"{absent} of {classes} classes have no sample",) if absent else ()


def _ask(targets: Tensor, between: str) -> InputError:
    low, high = (int(v) for v in targets.long().aminmax())
    return InputError(
        f"targets that are known to be {between}",
        f"whole numbers from {low} to {high}, {len(torch.unique(targets))} different ones, "
        f"of shape {tuple(targets.shape)}",
        "pass classes= for labels numbered from 0 (torch.unique(targets, return_inverse=True)[1] numbers them), or "
        "floating-point targets (targets.double()) for values",
        "targets",
    )


def _labels(targets: Tensor, classes: int, shapes: ShapeHints) -> TargetReading:
    """Interpret targets for which the caller passed a number of classes."""
    if targets.ndim == 2 and targets.shape[1] == 1 and (shapes.outputs is None or len(shapes.outputs) == 1):
        return TargetReading(targets[:, 0], classes)
    positions = shapes.outputs is not None and len(shapes.outputs) > 1
    if targets.ndim == 2 and targets.shape[1] == classes and not positions and _distributed(targets):
        kind = "one-hot rows" if bool((targets == targets.long()).all()) else "rows of probabilities"
        return TargetReading(
            targets.double(), classes, notes=(f"targets were read as {kind} of {classes} classes",)
        )
    axis = shapes.channel_axis
    if axis is None and shapes.outputs is not None:
        axis = _class_axis(tuple(targets.shape[1:]), shapes)
    return TargetReading(targets, classes, None if axis is None else _from_front(axis, targets.ndim + 1))


def _positions(targets: Tensor, shapes: ShapeHints) -> TargetReading:
    """Interpret whole numbers where outputs have one more axis: one label per position."""
    assert shapes.outputs is not None
    places = tuple(targets.shape[1:])
    axis = shapes.channel_axis
    axis = _class_axis(places, shapes) if axis is None else _from_front(axis, targets.ndim + 1)
    if axis is None:
        return TargetReading(targets.double())
    count = shapes.outputs[axis - 1]
    low, high = (int(v) for v in targets.long().aminmax())
    if not (low >= 0 and high < count):
        raise InputError(
            f"labels from 0 to {count - 1}, because the network has {count} outputs at each position",
            f"whole numbers from {low} to {high}",
            "pass only positions that have a class (the loss may ignore others, the spectrum cannot), or "
            "floating-point targets if they are values",
            "targets",
        )
    return TargetReading(targets, count, axis, _missing(targets, count))


def _class_axis(places: tuple[int, ...], shapes: ShapeHints) -> int | None:
    """Return the axis of outputs (N, ...) that holds the classes of labels at positions; None if no axis fits."""
    outputs = shapes.outputs
    if not places or outputs is None or len(outputs) != len(places) + 1:
        return None
    last, first = outputs[:-1] == places, outputs[1:] == places
    # Equal lengths fit both arrangements; then only the network itself can resolve the ambiguity.
    inferred = shapes.inferred_channel_axis() if last and first else None
    if inferred in (1, len(outputs)):
        return inferred
    if last and first:
        raise InputError(
            "outputs whose shape determines the axis of the classes",
            f"(samples, {', '.join(map(str, outputs))}), where the classes may be in axis 1 or {len(outputs)}",
            f"pass channel_axis=1 or channel_axis={len(outputs)}",
            "network",
        )
    return len(outputs) if last else 1 if first else None


def _like_labels(targets: Tensor) -> str:
    """Return a warning about values that may be labels: zeros and ones, or rows of probabilities."""
    # The first sample decides for nearly all values, without an array of the size of the targets.
    if _zeros_and_ones(targets[:1]) and _zeros_and_ones(targets):
        kind = "0 and 1"
    elif targets.ndim == 2 and targets.shape[1] > 1 and _distributed(targets):
        kind = "that sum to 1 in each row"
    else:
        return ""
    several = targets.ndim == 2 and targets.shape[1] > 1 and _distributed(targets)
    count = targets.shape[1] if several else 2
    squash = "torch.softmax(z, -1)" if several else "torch.sigmoid(z)"
    labels = f"pass classes={count}" if several or targets.ndim == 1 or targets.shape[1:] == (1,) else ""
    labels += f"{' or ' if labels else 'pass '}outputs=lambda z: {squash}"
    return (
        f"targets {kind} were read as values of the outputs; if they are labels and the outputs logits, {labels}; "
        f"pass probes.Values(targets) if they are values"
    )


def _zeros_and_ones(targets: Tensor) -> bool:
    return bool(((targets == 0) | (targets == 1)).all())


def _distributed(targets: Tensor) -> bool:
    """Return whether rows are probabilities."""
    rows = targets.double()
    return bool((rows >= 0).all() and ((rows.sum(1) - 1).abs() <= _SUM).all())


def _values(targets: Tensor, shapes: ShapeHints, doubt: str) -> TargetReading:
    """Interpret numbers as values, and find the axis of their channels."""
    values = targets if targets.is_floating_point() else targets.double()
    if values.ndim < 3:
        return _without_channels(values, shapes, doubt)
    if shapes.channel_axis is not None:
        return TargetReading(values, channel_axis=_from_front(shapes.channel_axis, values.ndim), doubt=doubt)
    shape = tuple(values.shape[1:])
    if values.ndim == 3 and any(len(one) == 3 and shape in (one[1:], one[:2]) for one in shapes.inputs):
        note = f"targets of shape {_each(shape)} were read as pictures without channels, as the inputs are pictures"
        return TargetReading(values[..., None], notes=(note,), doubt=doubt)
    axis, reason = _channels(shape, shapes)
    if axis is None:
        raise InputError(
            "targets whose channels are known",
            f"shape {_each(shape)}, where the channels may be in axis 1 or in axis {len(shape)}",
            f"pass channel_axis=1 or channel_axis={len(shape)}, the axis that is neither samples nor time or space, or "
            "targets[..., None] if there are no channels",
            "targets",
        )
    # The interpretation is a guess from shapes: the record states it, so that a wrong one is noticed.
    others = [str(a) for a in range(1, values.ndim) if a != axis]
    places = f"{'axes' if len(others) > 1 else 'axis'} {' and '.join(others)} {'were' if len(others) > 1 else 'was'}"
    note = (
        f"of targets {_each(shape)}, {places} read as time or place and axis {axis} as the channels: {reason}"
    )
    return TargetReading(values, channel_axis=axis, notes=(note,), doubt=doubt)


def _without_channels(values: Tensor, shapes: ShapeHints, doubt: str) -> TargetReading:
    """Interpret values of a table, or sequences without channels if the network indicates these."""
    length = values.shape[1] if values.ndim == 2 else 1
    if length < 2 or shapes.channel_axis is not None or shapes.outputs is None:
        return TargetReading(values, doubt=doubt)
    if shapes.outputs in ((length, 1), (1, length)):
        reason = "because the outputs have one channel"
    elif shapes.outputs == (length,) and shapes.position_axes() == {1}:
        reason = "because the outputs of the network shorten with its inputs along axis 1"
    else:
        return TargetReading(values, doubt=doubt)
    note = f"targets of shape {_each((length,))} were read as sequences without channels, {reason}"
    return TargetReading(values[..., None], notes=(note,), doubt=doubt)


def _channels(shape: tuple[int, ...], shapes: ShapeHints) -> tuple[int | None, str]:
    """Return the axis of the channels of targets (N, *shape) and the reason, or None if two axes are possible."""
    last = len(shape)
    inferred = (
        shapes.inferred_channel_axis()
        if shapes.outputs is not None and len(shapes.outputs) == len(shape)
        else None
    )
    if inferred is not None:
        return inferred, "the network accepts shorter inputs along the other axes"
    # An axis of length 1 is a channel axis: nothing varies along it.
    if (shape[0] == 1) != (shape[-1] == 1):
        return (1 if shape[0] == 1 else last), "it has one entry"
    fits = {
        axis: places
        for axis, places in ((1, shape[1:]), (last, shape[:-1]))
        if any(_holds(one, places, axis) for one in shapes.inputs)
    }
    if len(fits) == 1:
        return next(iter(fits)), "the inputs have the same other axes"
    return None, ""


def _holds(inputs: tuple[int, ...], places: tuple[int, ...], axis: int) -> bool:
    """Return whether inputs without channels, or pictures with channels in the same axis, have these positions."""
    if inputs == places:
        return True
    return (
        len(places) > 1
        and len(inputs) == len(places) + 1
        and (inputs[1:] if axis == 1 else inputs[:-1]) == places
    )


def _from_front(axis: int, axes: int) -> int:
    if not isinstance(axis, int) or not (1 <= axis < axes or 1 - axes <= axis < 0):
        raise InputError(
            f"a channel axis from 1 to {axes - 1}",
            f"{axis}",
            "count the axis of the samples as 0",
            "channel_axis",
        )
    return axis % axes


def _each(shape: tuple[int, ...]) -> str:
    return f"(samples, {', '.join(map(str, shape))})"


def position_axes(evaluate: Evaluator, batch: TensorInputs) -> frozenset[int] | None:
    """Return the axes of the outputs whose length follows the length of an axis of the inputs.

    A network over time or space accepts shorter inputs along these axes, returns proportionally shorter outputs, and
    refuses fewer channels. The network is called with half of each axis in turn; with several tensors, with half of
    the first axis after the samples, if they share it.

    Args:
        evaluate: Evaluates the network.
        batch: Inputs of the network.

    Returns:
        Axes, samples being axis 0, or None if the result is ambiguous: one axis changes several, or two change one.
    """
    if evaluate.whole:
        return None
    inputs = batch.at(torch.arange(min(2, batch.count), device="cpu")).tensors
    full = _outputs(evaluate, inputs)
    if full is None:
        return None
    follows: set[int] = set()
    # Half the length is valid for most strides and paddings, and shortens outputs along these axes in proportion.
    for axis in _axes(inputs):
        short = _outputs(evaluate, map_tensors(inputs, functools.partial(_halved, axis=axis)))
        if short is None:
            continue
        changed = {
            position
            for position, sizes in enumerate(zip(full, short, strict=False), 1)
            if len(set(sizes)) > 1
        }
        if len(short) != len(full) or len(changed) > 1 or changed & follows:
            return None
        follows |= changed
    return frozenset(follows)


def _axes(inputs: Any) -> list[int]:
    """Return the axes of the inputs that can be shortened."""
    if isinstance(inputs, Tensor):
        return [axis for axis in range(1, inputs.ndim) if inputs.shape[axis] > 1]
    sizes = {leaf.shape[1] if leaf.ndim > 1 else 0 for _, leaf in named_tensors(inputs, "inputs")}
    return [1] if len(sizes) == 1 and sizes.pop() > 1 else []


def _halved(leaf: Tensor, axis: int) -> Tensor:
    return leaf.narrow(axis, 0, leaf.shape[axis] // 2)


def _outputs(evaluate: Evaluator, inputs: Any) -> tuple[int, ...] | None:
    """Return the shape of the outputs at one sample, None if the network refuses the inputs."""
    try:
        return tuple(evaluate(TensorInputs(inputs)).shape[1:])
    except Exception:  # noqa: BLE001
        return None

"""How targets are to be read: as labels or as values, and which of their axes holds the channels.

What shapes and numbers leave open is settled by the shape of the network's outputs, where there is a network; what then
is still open is asked for, or read and said.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.probes._evaluator import Evaluator
from overtone.probes._inputs import TensorInputs, map_tensors, named_tensors
from overtone.probes._targets import Classes, ProbeTarget, Values, class_count, target_tensor

_CLASSES_OF_FEW = 10
"""Classes that any number of samples may have."""

_SUM = 1e-3
"""How far rows of probabilities may be from 1: above the rounding of half precision."""


@final
@dataclass(frozen=True)
class ShapeHints:
    """What is known beside the targets.

    Attributes:
        outputs: Shape of the network's outputs at one sample, None without a network.
        inputs: Shapes of the tensors that one sample consists of.
        arranged: Whether the caller says how outputs come about (`forward=`, `outputs=`).
        channel_axis: The axis of outputs and targets that holds the channels, None if nobody said.
        position_axes: Finds the axes of the outputs that are time or place, see `position_axes`; called only if needed.
    """

    outputs: tuple[int, ...] | None = None
    inputs: tuple[tuple[int, ...], ...] = ()
    arranged: bool = False
    channel_axis: int | None = None
    position_axes: Callable[[], frozenset[int] | None] = lambda: None

    def found_axis(self) -> int | None:
        """The one axis of the outputs that is neither time nor place, found out from the network; None if unknown."""
        follows = None if self.outputs is None else self.position_axes()
        if follows is None or self.outputs is None or not follows:
            return None
        others = set(range(1, len(self.outputs) + 1)) - follows
        return others.pop() if len(others) == 1 else None


@final
@dataclass(frozen=True)
class TargetReading:
    """How targets are read, for all samples or for some of them.

    Attributes:
        given: (N, ...) targets.
        classes: Number of classes, None for values.
        channel_axis: The axis of the outputs' channels, None for the last one.
        notes: Sentences on what was read where there was a choice.
        doubt: What to say aloud, because another reading is as good; "" if there is nothing.
    """

    given: Tensor
    classes: int | None = None
    channel_axis: int | None = None
    notes: tuple[str, ...] = ()
    doubt: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample's target as it is compared, channels last."""
        own = tuple(self.given.shape[1:])
        if self.classes is not None:
            soft = self.given.is_floating_point() and own == (self.classes,)
            return own if soft else (*own, self.classes)
        if self.channel_axis is None or len(own) < 2:
            return own or (1,)
        return (*own[: self.channel_axis - 1], *own[self.channel_axis :], own[self.channel_axis - 1])

    def at(self, index: Tensor) -> ProbeTarget:
        """The target at these samples alone, (M,) int64 positions."""
        some = self.given if len(index) == len(self.given) else self.given[index]
        if self.classes is not None:
            return Classes(some, self.classes, channel_axis=self.channel_axis, notes=self.notes)
        return Values(some, channel_axis=self.channel_axis, notes=self.notes)


def as_target(targets: Any, classes: int | None = None, channel_axis: int | None = None) -> ProbeTarget:
    """The target that a view made by hand compares with: a `Target` as it is, else as its numbers are read.

    Of values the last axis holds the channels unless `channel_axis` says otherwise.

    Args:
        targets: A `Target`, tensor or array.
        classes: Number of classes, where labels are meant.
        channel_axis: The axis of outputs, and of values, that holds the channels.

    Raises:
        InputError: If whole numbers may be labels or values.
    """
    if isinstance(targets, ProbeTarget):
        return targets
    found = target_tensor(targets)
    if found.is_floating_point() and classes is None:
        return Values(
            found, channel_axis=None if channel_axis is None else _from_front(channel_axis, found.ndim)
        )
    reading = read_targets(found, classes, ShapeHints(channel_axis=channel_axis))
    return reading.at(torch.arange(len(found), device="cpu"))


def read_targets(targets: Any, classes: int | None, shapes: ShapeHints) -> TargetReading:
    """How targets are read.

    Args:
        targets: (N, ...) tensor or array.
        classes: Number of classes, where labels are meant.
        shapes: What is known beside them.

    Raises:
        InputError: If they can be read in two ways, with what to pass.
    """
    found = target_tensor(targets)
    if classes is not None:
        return _labels(found, class_count(classes), shapes)
    whole = not found.is_floating_point()
    column = found.ndim == 2 and found.shape[1] == 1
    if whole and (found.ndim == 1 or (column and (shapes.outputs is None or len(shapes.outputs) == 1))):
        return _whole(found[:, 0] if column else found, column, shapes)
    if whole and shapes.outputs is None:
        raise _ask(found, "one label a position or values")
    if whole and shapes.outputs is not None and len(shapes.outputs) == found.ndim:
        return _positions(found, shapes)
    doubt = "" if shapes.arranged else _like_labels(found)
    return _values(found, shapes, doubt)


def _whole(found: Tensor, column: bool, shapes: ShapeHints) -> TargetReading:
    """Whole numbers, one a sample."""
    low, high = (int(v) for v in found.long().aminmax())
    flag = found.dtype is torch.bool
    if shapes.outputs is not None and len(shapes.outputs) == 1:
        outputs = shapes.outputs[0]
        if outputs == 1 and not (low >= 0 and high <= 1):
            note = "whole-number targets were read as values, since the network has one output"
            return TargetReading(found[:, None], notes=(note,))
        if outputs > 1:
            if not (low >= 0 and high < outputs):
                raise InputError(
                    f"labels from 0 to {outputs - 1}, since the network has {outputs} outputs",
                    f"whole numbers from {low} to {high}",
                    "number the classes from 0 (torch.unique(targets, return_inverse=True)[1]), leave out samples that "
                    "the loss ignores, or pass floating-point targets if they are values",
                    "targets",
                )
            return TargetReading(found, outputs, notes=_missing(found, outputs))
    if flag or (low >= 0 and high <= 1):
        note = "targets 0 and 1 were read as labels of two classes, single outputs as logits"
        return TargetReading(found, 2, notes=(note,))
    if column or not _few(found, low, high):
        raise _ask(found, "labels or values")
    return TargetReading(found, high + 1, notes=_missing(found, high + 1))


def _few(found: Tensor, low: int, high: int) -> bool:
    """Whether these look like labels: numbered from 0, few beside the samples, and most of them there."""
    different = len(torch.unique(found))
    return low >= 0 and high < max(_CLASSES_OF_FEW, min(2 * different, len(found) // 2))


def _missing(found: Tensor, classes: int) -> tuple[str, ...]:
    absent = classes - len(torch.unique(found))
    return (f"{absent} of {classes} classes have no sample",) if absent else ()


def _ask(found: Tensor, between: str) -> InputError:
    low, high = (int(v) for v in found.long().aminmax())
    return InputError(
        f"targets that are known to be {between}",
        f"whole numbers from {low} to {high}, {len(torch.unique(found))} different ones, of shape {tuple(found.shape)}",
        "pass classes= for labels numbered from 0 (torch.unique(targets, return_inverse=True)[1] numbers them), or "
        "floating-point targets (targets.double()) for values",
        "targets",
    )


def _labels(found: Tensor, classes: int, shapes: ShapeHints) -> TargetReading:
    """What is said to be labels."""
    if found.ndim == 2 and found.shape[1] == 1 and (shapes.outputs is None or len(shapes.outputs) == 1):
        return TargetReading(found[:, 0], classes)
    positions = shapes.outputs is not None and len(shapes.outputs) > 1
    if found.ndim == 2 and found.shape[1] == classes and not positions and _distributed(found):
        kind = "one-hot rows" if bool((found == found.long()).all()) else "rows of probabilities"
        return TargetReading(
            found.double(), classes, notes=(f"targets were read as {kind} of {classes} classes",)
        )
    axis = shapes.channel_axis
    if axis is None and shapes.outputs is not None:
        axis = _class_axis(tuple(found.shape[1:]), shapes)
    return TargetReading(found, classes, None if axis is None else _from_front(axis, found.ndim + 1))


def _positions(found: Tensor, shapes: ShapeHints) -> TargetReading:
    """Whole numbers of two axes and more, and outputs with one axis more: one label a position."""
    assert shapes.outputs is not None
    places = tuple(found.shape[1:])
    axis = shapes.channel_axis
    axis = _class_axis(places, shapes) if axis is None else _from_front(axis, found.ndim + 1)
    if axis is None:
        return TargetReading(found.double())
    count = shapes.outputs[axis - 1]
    low, high = (int(v) for v in found.long().aminmax())
    if not (low >= 0 and high < count):
        raise InputError(
            f"labels from 0 to {count - 1}, since the network has {count} outputs at each position",
            f"whole numbers from {low} to {high}",
            "pass positions that all have a class (the loss may ignore others, the spectrum cannot), or floating-point "
            "targets if they are values",
            "targets",
        )
    return TargetReading(found, count, axis, _missing(found, count))


def _class_axis(places: tuple[int, ...], shapes: ShapeHints) -> int | None:
    """The axis of outputs (N, ...) that holds the classes of labels at places; None if none fits."""
    outputs = shapes.outputs
    if not places or outputs is None or len(outputs) != len(places) + 1:
        return None
    last, first = outputs[:-1] == places, outputs[1:] == places
    found = shapes.found_axis() if last and first else None
    if found in (1, len(outputs)):
        return found
    if last and first:
        raise InputError(
            "outputs whose shape tells where the classes are",
            f"(samples, {', '.join(map(str, outputs))}), where they may be in axis 1 or {len(outputs)}",
            f"pass channel_axis=1 or channel_axis={len(outputs)}",
            "network",
        )
    return len(outputs) if last else 1 if first else None


def _like_labels(found: Tensor) -> str:
    """What to say of values that may be labels: zeros and ones, or rows of probabilities."""
    if bool(((found == 0) | (found == 1)).all()):
        kind = "0 and 1"
    elif found.ndim == 2 and found.shape[1] > 1 and _distributed(found):
        kind = "that sum to 1 in each row"
    else:
        return ""
    several = found.ndim == 2 and found.shape[1] > 1 and _distributed(found)
    count = found.shape[1] if several else 2
    squash = "torch.softmax(z, -1)" if several else "torch.sigmoid(z)"
    labels = f"pass classes={count}" if several or found.ndim == 1 or found.shape[1:] == (1,) else ""
    labels += f"{' or ' if labels else 'pass '}outputs=lambda z: {squash}"
    return (
        f"targets {kind} were read as values that the outputs equal; if they are labels and the outputs logits, "
        f"{labels}; pass observe.Values(targets) if they are values"
    )


def _distributed(found: Tensor) -> bool:
    """Whether rows are probabilities."""
    rows = found.double()
    return bool((rows >= 0).all() and ((rows.sum(1) - 1).abs() <= _SUM).all())


def _values(found: Tensor, shapes: ShapeHints, doubt: str) -> TargetReading:
    """Numbers, with the axis of their channels."""
    given = found if found.is_floating_point() else found.double()
    if given.ndim < 3:
        return _without_channels(given, shapes, doubt)
    if shapes.channel_axis is not None:
        return TargetReading(given, channel_axis=_from_front(shapes.channel_axis, given.ndim), doubt=doubt)
    shape = tuple(given.shape[1:])
    if given.ndim == 3 and any(len(one) == 3 and shape in (one[1:], one[:2]) for one in shapes.inputs):
        note = f"targets of shape {_each(shape)} were read as pictures without channels, as the inputs are pictures"
        return TargetReading(given[..., None], notes=(note,), doubt=doubt)
    axis, reason = _channels(shape, shapes)
    if axis is None:
        raise InputError(
            "targets whose channels are known",
            f"shape {_each(shape)}, which may have them in axis 1 or in axis {len(shape)}",
            f"pass channel_axis=1 or channel_axis={len(shape)}, the axis that is neither samples nor time or place, or "
            "targets[..., None] if there are no channels",
            "targets",
        )
    others = [str(a) for a in range(1, given.ndim) if a != axis]
    places = f"{'axes' if len(others) > 1 else 'axis'} {' and '.join(others)} {'were' if len(others) > 1 else 'was'}"
    note = (
        f"of targets {_each(shape)}, {places} read as time or place and axis {axis} as the channels: {reason}"
    )
    return TargetReading(given, channel_axis=axis, notes=(note,), doubt=doubt)


def _without_channels(given: Tensor, shapes: ShapeHints, doubt: str) -> TargetReading:
    """Values of a table, or of sequences without channels where the network tells that they are such."""
    length = given.shape[1] if given.ndim == 2 else 1
    if length < 2 or shapes.channel_axis is not None or shapes.outputs is None:
        return TargetReading(given, doubt=doubt)
    if shapes.outputs in ((length, 1), (1, length)):
        reason = "as the outputs have one channel"
    elif shapes.outputs == (length,) and shapes.position_axes() == {1}:
        reason = "since the network takes shorter inputs along axis 1 and answers in proportion"
    else:
        return TargetReading(given, doubt=doubt)
    note = f"targets of shape {_each((length,))} were read as sequences without channels, {reason}"
    return TargetReading(given[..., None], notes=(note,), doubt=doubt)


def _channels(shape: tuple[int, ...], shapes: ShapeHints) -> tuple[int | None, str]:
    """The axis of the channels of targets (N, *shape) and why, or None where two are possible."""
    last = len(shape)
    found = shapes.found_axis() if shapes.outputs is not None and len(shapes.outputs) == len(shape) else None
    if found is not None:
        return found, "the network takes shorter inputs along the others"
    if (shape[0] == 1) != (shape[-1] == 1):
        return (1 if shape[0] == 1 else last), "it has one entry"
    fits = {
        axis: places
        for axis, places in ((1, shape[1:]), (last, shape[:-1]))
        if any(_holds(one, places, axis) for one in shapes.inputs)
    }
    if len(fits) == 1:
        return next(iter(fits)), "the inputs have the same others"
    return None, ""


def _holds(inputs: tuple[int, ...], places: tuple[int, ...], axis: int) -> bool:
    """Whether inputs without channels, or pictures with theirs in the same axis, lie at these places."""
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
    """The axes of the outputs whose length follows that of an axis of the inputs.

    A network over time or space takes shorter inputs along these axes and answers in proportion, and refuses fewer
    channels. The network is called with half of each axis in turn; of several tensors, with half of the first axis
    after the samples, if they share it.

    Args:
        evaluate: Evaluates the network.
        batch: What it is given.

    Returns:
        Axes, samples being axis 0, or None if the network does not tell: one axis changes several, or two change one.
    """
    if evaluate.whole:
        return None
    some = batch.at(torch.arange(min(2, batch.count), device="cpu")).tensors
    full = _outputs(evaluate, some)
    if full is None:
        return None
    follows: set[int] = set()
    for axis in _axes(some):
        short = _outputs(evaluate, map_tensors(some, functools.partial(_halved, axis=axis)))
        if short is None:
            continue
        changed = {
            place for place, sizes in enumerate(zip(full, short, strict=False), 1) if len(set(sizes)) > 1
        }
        if len(short) != len(full) or len(changed) > 1 or changed & follows:
            return None
        follows |= changed
    return frozenset(follows)


def _axes(some: Any) -> list[int]:
    """Axes of the inputs that can be cut."""
    if isinstance(some, Tensor):
        return [axis for axis in range(1, some.ndim) if some.shape[axis] > 1]
    sizes = {leaf.shape[1] if leaf.ndim > 1 else 0 for _, leaf in named_tensors(some, "inputs")}
    return [1] if len(sizes) == 1 and sizes.pop() > 1 else []


def _halved(leaf: Tensor, axis: int) -> Tensor:
    return leaf.narrow(axis, 0, leaf.shape[axis] // 2)


def _outputs(evaluate: Evaluator, some: Any) -> tuple[int, ...] | None:
    """Shape of the outputs at one sample, None where the network refuses."""
    try:
        return tuple(evaluate(TensorInputs(some)).shape[1:])
    except Exception:  # noqa: BLE001
        return None

"""Choice of the view that suits the shapes of inputs and targets."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overtone._utils.missing_values import entire
from overtone._utils.seeding import draw_subset
from overtone._utils.tensors import as_tensor
from overtone.errors import InputError
from overtone.probes._inputs import TensorInputs, as_tensor_inputs, named_tensors
from overtone.probes._run_writer import ProbeWarning
from overtone.probes._target_reading import ShapeHints, TargetReading, read_targets
from overtone.probes._targets import ProbeTarget, Values
from overtone.probes._view import TransformView
from overtone.probes.views._clouds import graph
from overtone.probes.views._coordinates import points, sequence
from overtone.probes.views._fields import SMALLEST_SIDE, FieldLayout, FieldView, field_geometry

SAMPLES = 512
"""Default number of samples: few enough that a row costs about as much as one training step."""

POINTS = 4096
"""Default number of points in 1 to 3 dimensions, where networks are small and frequencies need many samples."""

SEQUENCES = 128
"""Default number of sequences, each of which has many positions."""

FIELDS = 32
"""Default number of fields, each of which has many waves: a row costs about as much as a few training steps."""

MIN_SAMPLES = 16
"""Minimum number of samples by default, for samples of any size."""

ENTRIES = 1 << 23
"""Default upper limit of the numbers in targets with many positions, such as pictures."""


def choose(
    inputs: Any,
    targets: Any,
    *,
    samples: int | None = None,
    features: Tensor | Any | None = None,
    classes: int | None = None,
    channel_axis: int | None = None,
    periodic: bool | Sequence[bool] | None = None,
    seed: int = 0,
) -> TransformView | FieldView:
    """Choose the view that suits the shapes, on samples drawn at random: `fields`, `sequence`, `points` or `graph`.

    Values with two or three axes of space, (N, C, H, W) and (N, C, D, H, W), and those in time with the channels
    first, (N, C, T), are fields if they have at least 16 positions along each axis; pass `features`, or use `graph`,
    to measure them by their frequency over the samples instead. Values (sequences, time, channels), and labels with
    two axes, are sequences. Inputs with 1 to 3 numbers per row are points. All others, such as tables and labels of
    pictures or tokens, are clouds, measured on their neighbour graph. Ambiguous targets are refused: pass `classes` or
    floating-point targets where whole numbers may be labels or values, and `channel_axis` where two axes may hold the
    channels. The record's `notes` state how targets were read.

    Args:
        inputs: Arguments of the network: a tensor, an array, or a dict or tuple of these.
        targets: Values (N, ..., C); whole numbers in one axis are class labels if there are few different ones.
        samples: Number of samples, drawn without repetition; by default 512, 4,096 points, 128 sequences or 32
            fields, and fewer large samples.
        features: (N, d) rows with meaningful distances, for clouds; the flattened inputs if None.
        classes: Number of classes; needed if some have no label, or labels have more than one axis.
        channel_axis: The axis of targets and outputs that holds the channels: 1 for (N, C, T) and (N, C, H, W).
        periodic: Whether the axes of fields wrap around, one value or one per axis; they do not by default.
        seed: Seed of the random draw.

    Raises:
        InputError: If inputs and targets do not match or do not suit the view, or can be read in two ways.

    Example:
        >>> import torch
        >>> x = torch.rand(50, 2, generator=torch.Generator().manual_seed(0))
        >>> choose(x, x.sin()).name, choose(torch.rand(30, 20, 1), torch.rand(30, 20, 1), channel_axis=2).name
        ('points', 'sequence')
    """
    batch = as_tensor_inputs(inputs)
    shapes = ShapeHints(inputs=sample_shapes(batch), channel_axis=channel_axis)
    view, doubt = choose_view(
        batch,
        targets,
        shapes,
        samples=samples,
        features=features,
        classes=classes,
        periodic=periodic,
        seed=seed,
    )
    if doubt:
        warnings.warn(doubt, ProbeWarning, stacklevel=2)
    return view


def sample_shapes(batch: TensorInputs) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of the tensors of one sample."""
    return tuple(tuple(leaf.shape[1:]) for _, leaf in named_tensors(batch.tensors, "inputs"))


def choose_view(
    batch: TensorInputs,
    targets: Any,
    shapes: ShapeHints,
    *,
    samples: int | None,
    features: Tensor | Any | None,
    classes: int | None,
    periodic: bool | Sequence[bool] | None,
    seed: int,
) -> tuple[TransformView | FieldView, str]:
    """Return the view of `choose`, and a warning about how the targets were read ("" for none).

    Args:
        batch: The inputs.
        targets: See `choose`.
        shapes: Shapes of inputs and outputs.
        samples: See `choose`.
        features: See `choose`.
        classes: See `choose`.
        periodic: See `choose`.
        seed: See `choose`.
    """
    reading = targets if isinstance(targets, ProbeTarget) else read_targets(targets, classes, shapes)
    count = len(reading.values)
    if count != batch.count:
        raise InputError(
            f"{batch.count} targets, one per sample", f"{count}", "pass the same samples", "targets"
        )
    tensor = batch.tensors
    places = isinstance(tensor, Tensor) and tensor.is_floating_point() and tensor.ndim == 2
    places = places and tensor.shape[1] <= 3 and features is None
    shape = reading.values.shape[1:] if isinstance(reading, ProbeTarget) else reading.shape
    field = features is None and _is_field(reading, shape)
    limit = FIELDS if field else SEQUENCES if len(shape) == 2 else POINTS if places else SAMPLES
    if len(shape) > 1:
        limit = min(limit, max(MIN_SAMPLES, ENTRIES // math.prod(shape)))
    index = _sample_index(batch.count, limit if samples is None else samples, seed)
    if len(index) < batch.count:
        batch = batch.at(index)
    # Targets are interpreted on all samples, then reduced: a few samples might lack classes.
    target = reading.at(index)
    doubt = "" if isinstance(reading, ProbeTarget) else reading.doubt
    if field:
        layout = FieldLayout(target.channels)
        geometry = field_geometry(target, periodic=False if periodic is None else periodic)
        return FieldView(batch, target, geometry, layout, total=count), doubt
    if periodic is not None:
        raise InputError(
            "targets that are fields, with axes of space, for periodic",
            f"targets of shape {tuple(reading.values.shape)}",
            "leave it out, or name the view (probes.views)",
            "periodic",
        )
    if len(shape) == 2:
        return sequence(batch, target), doubt
    if places:
        return points(batch, target), doubt
    rows = None if features is None else as_tensor(entire(features, "features"))
    rows = None if rows is None else rows.reshape(-1, _width(features))[index]
    return graph(batch, target, features=rows), doubt


def _is_field(reading: TargetReading | ProbeTarget, shape: tuple[int, ...]) -> bool:
    """Return whether targets are values with axes of space, or of time after the channels, that have a spectrum."""
    values = isinstance(reading, Values) or (isinstance(reading, TargetReading) and reading.classes is None)
    sides = [n for n in shape[:-1] if n > 1]
    first = reading.channel_axis == 1
    return (
        values
        and (len(shape) in (3, 4) or (len(shape) == 2 and first))
        and min(sides, default=0) >= SMALLEST_SIDE
    )


def _sample_index(total: int, count: int, seed: int) -> Tensor:
    if not isinstance(count, int | np.integer) or isinstance(count, bool) or count < 1:
        raise InputError(
            "a whole number of samples, at least 1", f"{count}", "pass for instance 512", "samples"
        )
    return torch.from_numpy(draw_subset(total, int(count), seed, "probe", "samples"))


def _width(features: Any) -> int:
    return int(as_tensor(features)[0].numel())

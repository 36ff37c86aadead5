"""Which view reads best for given inputs and targets."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overtone._utils.missing_values import entire
from overtone._utils.seeding import generator
from overtone._utils.tensors import as_tensor
from overtone.errors import InputError
from overtone.probes._inputs import TensorInputs, as_tensor_inputs, named_tensors
from overtone.probes._run_writer import ProbeWarning
from overtone.probes._target_reading import ShapeHints, read_targets
from overtone.probes._targets import ProbeTarget
from overtone.probes._view import TransformView
from overtone.probes.views._clouds import graph
from overtone.probes.views._coordinates import points, sequence

SAMPLES = 512
"""How many samples are watched unless said: few enough that a row costs about as much as one training step."""

POINTS = 4096
"""The same for places in 1 to 3 dimensions, whose networks are small and whose frequencies need many samples."""

SEQUENCES = 128
"""The same for sequences, each of which holds many moments."""


FEWEST = 16
"""Samples that are watched however large they are, unless said."""

ENTRIES = 1 << 23
"""Most numbers of targets with many places, such as pictures, that are watched unless said."""


def choose(
    inputs: Any,
    targets: Any,
    *,
    samples: int | None = None,
    features: Tensor | Any | None = None,
    classes: int | None = None,
    channel_axis: int | None = None,
    seed: int = 0,
) -> TransformView:
    """The view that suits the shapes: `sequence`, `points` or `graph`, on samples drawn at random.

    Targets with three axes (sequences, time, channels), and labels with two, are sequences. Inputs with 1 to 3 numbers
    a row are places. Everything else, such as pictures, tables and tokens, is a cloud, watched on its graph. What
    shapes and numbers leave open is asked for: `classes` or floating-point targets where whole numbers may be labels or
    values, `channel_axis` where two axes may hold the channels. What was read is told in the record's `notes`.

    Args:
        inputs: What the network is called with: a tensor, an array, or a dict or tuple of such.
        targets: Values (N, ..., C); whole numbers in one axis are labels of classes if they are few.
        samples: How many to watch, drawn without repetition; 512, or 4,096 places or 128 sequences, fewer of large
            ones, unless said.
        features: (N, d) rows whose distances mean something, for clouds; the flattened inputs if None.
        classes: Number of classes; needed where the labels given lack some, or have more than one axis.
        channel_axis: The axis of targets and outputs that holds the channels: 1 for (N, C, T) and (N, C, H, W).
        seed: Seed of the draw.

    Raises:
        InputError: If inputs and targets do not fit each other or the view, or can be read in two ways.
    """
    batch = as_tensor_inputs(inputs)
    shapes = ShapeHints(inputs=sample_shapes(batch), channel_axis=channel_axis)
    view, doubt = choose_view(
        batch, targets, shapes, samples=samples, features=features, classes=classes, seed=seed
    )
    if doubt:
        warnings.warn(doubt, ProbeWarning, stacklevel=2)
    return view


def sample_shapes(batch: TensorInputs) -> tuple[tuple[int, ...], ...]:
    """Shapes of the tensors that one sample consists of."""
    return tuple(tuple(leaf.shape[1:]) for _, leaf in named_tensors(batch.tensors, "inputs"))


def choose_view(
    batch: TensorInputs,
    targets: Any,
    shapes: ShapeHints,
    *,
    samples: int | None,
    features: Tensor | Any | None,
    classes: int | None,
    seed: int,
) -> tuple[TransformView, str]:
    """The view of `choose`, and what there is to say aloud about how the targets were read.

    Args:
        batch: The inputs.
        targets: See `choose`.
        shapes: What is known beside the targets.
        samples: See `choose`.
        features: See `choose`.
        classes: See `choose`.
        seed: See `choose`.
    """
    reading = targets if isinstance(targets, ProbeTarget) else read_targets(targets, classes, shapes)
    count = len(reading.values) if isinstance(reading, ProbeTarget) else len(reading.given)
    if count != batch.count:
        raise InputError(
            f"{batch.count} targets, one a sample", f"{count}", "pass the same samples", "targets"
        )
    tensor = batch.tensors
    places = isinstance(tensor, Tensor) and tensor.is_floating_point() and tensor.ndim == 2
    places = places and tensor.shape[1] <= 3 and features is None
    shape = reading.values.shape[1:] if isinstance(reading, ProbeTarget) else reading.shape
    most = SEQUENCES if len(shape) == 2 else POINTS if places else SAMPLES
    if len(shape) > 1:
        most = min(most, max(FEWEST, ENTRIES // math.prod(shape)))
    index = _drawn(batch.count, most if samples is None else samples, seed)
    if len(index) < batch.count:
        batch = batch.at(index)
    target = reading.at(index)
    doubt = "" if isinstance(reading, ProbeTarget) else reading.doubt
    if len(shape) == 2:
        return sequence(batch, target), doubt
    if places:
        return points(batch, target), doubt
    rows = None if features is None else as_tensor(entire(features, "features"))
    rows = None if rows is None else rows.reshape(-1, _width(features))[index]
    return graph(batch, target, features=rows), doubt


def _drawn(count: int, wanted: int, seed: int) -> Tensor:
    if not isinstance(wanted, int | np.integer) or isinstance(wanted, bool) or wanted < 1:
        raise InputError(
            "a whole number, at least one sample to watch", f"{wanted}", "pass for instance 512", "samples"
        )
    if wanted >= count:
        return torch.arange(count, device="cpu")
    drawn = generator(seed, "probe", "samples").choice(count, wanted, replace=False)
    return torch.from_numpy(drawn).sort().values


def _width(features: Any) -> int:
    return int(as_tensor(features)[0].numel())

"""Which view reads best for given inputs and targets."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.missing import entire
from overtone.observe.samples import Batch
from overtone.observe.target import target_of
from overtone.observe.views.cloud import graph
from overtone.observe.views.points import points
from overtone.observe.views.sampled import SampledView
from overtone.observe.views.sequence import sequence
from overtone.rng import generator
from overtone.tensors import as_tensor

SAMPLES = 512
"""How many samples are watched unless said: few enough that a row costs about as much as one training step."""

POINTS = 4096
"""The same for places in 1 to 3 dimensions, whose networks are small and whose frequencies need many samples."""

SEQUENCES = 128
"""The same for sequences, each of which holds many moments."""


def choose(
    inputs: Any,
    targets: Any,
    *,
    samples: int | None = None,
    features: Tensor | Any | None = None,
    classes: int | None = None,
    seed: int = 0,
) -> SampledView:
    """The view that suits the shapes: `sequence`, `points` or `graph`, on samples drawn at random.

    Targets with three axes (sequences, time, channels), and labels with two, are sequences. Inputs with 1 to 3 numbers
    a row are places. Everything else, such as pictures, tables and tokens, is a cloud, watched on its graph.

    Args:
        inputs: What the network is called with: a tensor, an array, or a dict or tuple of such.
        targets: Values (N, ..., C); whole numbers in one axis are labels of classes.
        samples: How many to watch, drawn without repetition; 512, or 4,096 places or 128 sequences, unless said.
        features: (N, d) rows whose distances mean something, for clouds; the flattened inputs if None.
        classes: Number of classes; needed where the labels given lack some, or have more than one axis.
        seed: Seed of the draw.

    Raises:
        InputError: If inputs and targets do not fit each other or the view.
    """
    batch, target = Batch(inputs), target_of(targets, classes)
    if len(target.values) != batch.count:
        raise InputError(
            f"{batch.count} targets, one a sample",
            f"{len(target.values)}",
            "pass the same samples",
            "targets",
        )
    tensor = batch.tensors
    places = isinstance(tensor, Tensor) and tensor.is_floating_point() and tensor.ndim == 2
    places = places and tensor.shape[1] <= 3 and features is None
    most = SEQUENCES if target.values.ndim == 3 else POINTS if places else SAMPLES
    index = _drawn(batch.count, most if samples is None else samples, seed)
    if len(index) < batch.count:
        batch, target = batch.at(index), target.at(index)
    if target.values.ndim == 3:
        return sequence(batch, target)
    if places:
        return points(batch, target)
    rows = None if features is None else as_tensor(entire(features, "features"))
    rows = None if rows is None else rows.reshape(-1, _width(features))[index]
    return graph(batch, target, features=rows)


def _drawn(count: int, wanted: int, seed: int) -> Tensor:
    if wanted < 1:
        raise InputError("at least one sample to watch", f"{wanted}", "pass a larger number", "samples")
    if wanted >= count:
        return torch.arange(count, device="cpu")
    drawn = generator(seed, "probe", "samples").choice(count, wanted, replace=False)
    return torch.from_numpy(drawn).sort().values


def _width(features: Any) -> int:
    return int(as_tensor(features)[0].numel())

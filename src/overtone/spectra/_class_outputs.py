"""Labels of classes: whole numbers from 0, one a sample."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.missing_values import entire
from overtone.errors import InputError


def class_numbers(labels: Tensor | ArrayLike, classes: int, count: int | None = None) -> Tensor:
    """Labels as (N,) int64 in [0, classes), on their own device.

    Args:
        labels: (N,) whole numbers.
        classes: How many classes there are.
        count: How many labels there have to be, or None for any.

    Raises:
        InputError: If the labels are text, not whole, outside the classes, or not one a sample.
    """
    if classes < 2:
        raise InputError("at least two classes", f"{classes}", "pass the number of classes", "classes")
    labels = entire(labels, "labels")
    if not isinstance(labels, Tensor):
        array = np.asarray(labels)
        if array.dtype.kind not in "biuf":
            raise InputError(
                "labels that are numbers from 0",
                f"{array.dtype} such as {array.flat[0]!r}" if array.size else "none",
                "number the classes, for instance by numpy.unique(labels, return_inverse=True)[1]",
                "labels",
            )
        labels = torch.from_numpy(array.astype(np.float64 if array.dtype.kind == "f" else np.int64))
    if labels.ndim != 1 or not len(labels) or (count is not None and len(labels) != count):
        raise InputError(
            "one label a sample" if count is None else f"{count} labels, one a sample",
            f"shape {tuple(labels.shape)}",
            "pass a flat list of class numbers",
            "labels",
        )
    found = labels.detach().long()
    whole = found == labels
    outside = ~whole | (found < 0) | (found >= classes)
    if bool(outside.any()):
        first = int(outside.byte().argmax())
        raise InputError(
            f"whole labels from 0 to {classes - 1}",
            f"{labels[first].item()} for sample {first} ({int(outside.sum())} such)",
            "renumber the classes or pass their true number",
            "labels",
        )
    return found

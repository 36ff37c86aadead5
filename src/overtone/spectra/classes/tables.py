"""Tables with a row a sample and a column a class."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._class_outputs import class_numbers
from overtone.spectra.rows import rows

_SUM = 1e-3
"""How far rows of probabilities may be from 1: above the rounding of half precision."""


def distribution(labels: Tensor | ArrayLike, classes: int) -> Tensor:
    """(N, K) float64 one-hot rows of class numbers, or the given probabilities.

    Args:
        labels: (N,) classes from 0, or (N, K) probabilities.
        classes: K.

    Raises:
        InputError: If labels are outside the classes, or probabilities do not sum to 1.
    """
    if (labels.ndim if isinstance(labels, Tensor) else np.ndim(labels)) != 2:
        return torch.nn.functional.one_hot(class_numbers(labels, classes), classes).double()
    found = class_probabilities(labels, "labels")
    if found.shape[1] != classes:
        raise InputError(
            f"probabilities of {classes} classes", f"{found.shape[1]}", "pass one column a class", "labels"
        )
    return found


def class_probabilities(given: Tensor | ArrayLike, where: str) -> Tensor:
    """(N, K) float64 rows of non-negative numbers that sum to 1.

    Args:
        given: (N, K) numbers.
        where: Name of the argument, for errors.

    Raises:
        InputError: If rows are something else.
    """
    found = columns(given, where)
    wrong = (found < 0).any(1) | ((found.sum(1) - 1).abs() > _SUM)
    if bool(wrong.any()):
        first = int(wrong.byte().argmax())
        raise InputError(
            "probabilities that sum to 1 in each row",
            f"row {first} with the sum {float(found[first].sum()):.4g} and least {float(found[first].min()):.4g}",
            "take the softmax of logits",
            where,
        )
    return found


def columns(given: Tensor | ArrayLike, where: str) -> Tensor:
    """(N, K) float64 finite numbers in two or more columns.

    Args:
        given: (N, K) numbers.
        where: Name of the argument, for errors.

    Raises:
        InputError: If they are something else.
    """
    found = rows(given, where)
    if found.shape[1] < 2:
        raise InputError(
            "one column a class, two or more",
            f"{found.shape[1]}",
            "for a single logit z pass two columns, 0 and z",
            where,
        )
    return found

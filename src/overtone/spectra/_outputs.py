"""Outputs of a function that is known only by calling it: a network, an estimator's method, plain NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.missing_values import entire
from overtone.errors import InputError
from overtone.spectra._inputs import channels_last, numeric

_ASKED_TWICE = 4
_SAME = 1e-3
"""Difference that answers to the same row may have, of their largest: above the rounding of float32 in sums over
another number of rows, below what dropout and statistics of the batch do."""


def samples(values: Tensor | ArrayLike, argument: str, axes: int) -> Tensor:
    """Samples as a finite floating tensor (N, ...) on their own device, without a gradient.

    Args:
        values: Tensor or array of numbers.
        argument: Name of the argument, for errors.
        axes: Minimum number of axes, that of the samples included.

    Raises:
        InputError: If the samples are not real numbers, not finite, none, or have too few axes.
    """
    values = entire(values, argument)
    numbers = values if isinstance(values, Tensor) else numeric(np.asarray(values), argument)
    tensor = channels_last(numbers, None, argument).squeeze(-1).detach()
    if tensor.ndim < axes:
        raise InputError(
            f"samples with {axes} or more axes, the samples' first",
            f"shape {tuple(tensor.shape)}",
            "add the missing axes",
            argument,
        )
    finite = tensor.isfinite().flatten(1).all(1)
    if not bool(finite.all()):
        raise InputError(
            "finite samples",
            f"NaN or infinity in {int((~finite).sum())} of {len(tensor)}, first in sample "
            f"{int(finite.byte().argmin())}",
            "drop or fill them",
            argument,
        )
    return tensor


@final
class Outputs:
    """The outputs of a function of batches, checked: one row of numbers a sample, which depends on that sample alone.

    Args:
        function: From inputs (B, ...) to outputs (B, C) or (B,).
        arrays: Whether the function is given NumPy arrays instead of tensors.
        batch: Maximum number of rows per call.

    Raises:
        InputError: If `batch` is not positive.
    """

    def __init__(self, function: Callable[[Any], Any], arrays: bool, batch: int) -> None:
        if batch < 1:
            raise InputError("at least one row a call", f"{batch}", "pass a positive number", "batch")
        self.batch = batch
        self._function = function
        self._arrays = arrays
        self._columns: int | None = None

    def __call__(self, inputs: Tensor) -> Tensor:
        """(B, C) outputs in float32 or float64, without a gradient, for at most `batch` rows.

        Args:
            inputs: (B, ...) samples.

        Raises:
            InputError: If the outputs are no single array of finite numbers with one row a sample, or change where
                the same samples are evaluated again among fewer others.
        """
        result = self._call(inputs)
        if self._columns is None:
            self._columns = result.shape[1]
            self._check_alone(inputs, result)
        if result.shape[1] != self._columns:
            raise InputError(
                f"{self._columns} outputs a row, as in the call before",
                f"{result.shape[1]}",
                "pass a function with a fixed number of outputs",
                "function",
            )
        return result

    def chunks(self, rows: int) -> Iterator[slice]:
        """Slices of at most `batch` rows that together are `rows`."""
        for first in range(0, rows, self.batch):
            yield slice(first, min(first + self.batch, rows))

    def _call(self, inputs: Tensor) -> Tensor:
        with torch.no_grad():
            answer = self._function(inputs.cpu().numpy() if self._arrays else inputs)
        return outputs(answer, len(inputs))

    def _check_alone(self, inputs: Tensor, numbers: Tensor) -> None:
        # A function that mixes the rows of a batch, or draws at random, answers fewer rows differently.
        few = max(1, min(_ASKED_TWICE, len(inputs) // 2))
        again = self._call(inputs[:few])
        change = float((again - numbers[:few]).abs().max())
        if change > _SAME * float(numbers.abs().max()):
            raise InputError(
                "the same output for the same input",
                f"outputs that differ by {change:.3g} when {few} rows are evaluated again",
                "switch dropout and batch statistics off, for instance by network.eval()",
                "function",
            )


def outputs(answer: object, rows: int) -> Tensor:
    """Outputs of a function as (B, C) finite numbers in float32 or float64.

    Args:
        answer: What it returned.
        rows: B, the rows it was given.

    Raises:
        InputError: If that is a tuple, list or dictionary, or no array of B rows of finite numbers.
    """
    if not isinstance(answer, (Tensor, np.ndarray)):
        size = f" of {len(answer)}" if isinstance(answer, (tuple, list, dict)) else ""
        raise InputError(
            "a function that returns one tensor or array",
            f"a {type(answer).__name__}{size}",
            "pick the wanted output, for instance lambda x: network(x)[0]",
            "function",
        )
    if answer.ndim not in (1, 2) or len(answer) != rows:
        raise InputError(
            f"outputs of shape ({rows}, channels), one row an input",
            f"{tuple(answer.shape)}",
            "flatten each input's outputs into one row",
            "function",
        )
    table = channels_last(answer, None if answer.ndim == 1 else -1, "function").detach()
    finite = table.isfinite().all(1)
    if not bool(finite.all()):
        raise InputError(
            "finite outputs",
            f"NaN or infinity in {int((~finite).sum())} of {rows} rows, first in row {int(finite.byte().argmin())}",
            "check the network and the scale of its inputs",
            "function",
        )
    return table


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
    numbers = labels.detach().long()
    whole = numbers == labels
    outside = ~whole | (numbers < 0) | (numbers >= classes)
    if bool(outside.any()):
        first = int(outside.byte().argmax())
        raise InputError(
            f"whole labels from 0 to {classes - 1}",
            f"{labels[first].item()} for sample {first} ({int(outside.sum())} such)",
            "renumber the classes or pass their true number",
            "labels",
        )
    return numbers

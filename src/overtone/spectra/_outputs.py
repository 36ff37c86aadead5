"""Validated outputs of a black-box function: a network, an estimator's method, or a NumPy function."""

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

_REEVALUATED = 4
_TOLERANCE = 1e-3
"""Maximum difference between outputs for the same row, relative to the largest output: above float32 rounding in
sums over other batch sizes, below the effect of dropout or batch statistics."""


def samples(values: Tensor | ArrayLike, argument: str, axes: int) -> Tensor:
    """Convert samples to a finite floating-point tensor (N, ...) on the same device, without a gradient.

    Args:
        values: Tensor or array of numbers.
        argument: Name of the argument in error messages.
        axes: Minimum number of axes, including the sample axis.

    Raises:
        InputError: If the samples are not real and finite, are empty, or have too few axes.
    """
    values = entire(values, argument)
    numbers = values if isinstance(values, Tensor) else numeric(np.asarray(values), argument)
    tensor = channels_last(numbers, None, argument).squeeze(-1).detach()
    if tensor.ndim < axes:
        raise InputError(
            f"samples with {axes} or more axes, the sample axis first",
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
    """Validated outputs of a batched function: one row of numbers per sample, dependent on that sample only.

    Args:
        function: Function from inputs (B, ...) to outputs (B, C) or (B,).
        arrays: Whether the function receives NumPy arrays instead of tensors.
        batch: Maximum number of rows per call.

    Raises:
        InputError: If `batch` is not positive.
    """

    def __init__(self, function: Callable[[Any], Any], arrays: bool, batch: int) -> None:
        if batch < 1:
            raise InputError("at least one row per call", f"{batch}", "pass a positive number", "batch")
        self.batch = batch
        self._function = function
        self._arrays = arrays
        self._columns: int | None = None

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return the (B, C) outputs for at most `batch` rows, in float32 or float64 without a gradient.

        Args:
            inputs: (B, ...) samples.

        Raises:
            InputError: If the outputs are not one array of finite numbers with one row per sample, or change
                when the same samples are evaluated in a smaller batch.
        """
        result = self._call(inputs)
        if self._columns is None:
            self._columns = result.shape[1]
            self._check_independence(inputs, result)
        if result.shape[1] != self._columns:
            raise InputError(
                f"{self._columns} outputs per row, as in the previous call",
                f"{result.shape[1]}",
                "pass a function with a fixed number of outputs",
                "function",
            )
        return result

    def chunks(self, rows: int) -> Iterator[slice]:
        """Yield consecutive slices of at most `batch` rows that cover `rows` rows."""
        for first in range(0, rows, self.batch):
            yield slice(first, min(first + self.batch, rows))

    def _call(self, inputs: Tensor) -> Tensor:
        with torch.no_grad():
            result = self._function(inputs.cpu().numpy() if self._arrays else inputs)
        return outputs(result, len(inputs))

    def _check_independence(self, inputs: Tensor, numbers: Tensor) -> None:
        # The outputs of a function that mixes the rows of a batch, or is random, change with the batch size.
        rows = max(1, min(_REEVALUATED, len(inputs) // 2))
        repeated = self._call(inputs[:rows])
        change = float((repeated - numbers[:rows]).abs().max())
        if change > _TOLERANCE * float(numbers.abs().max()):
            raise InputError(
                "the same output for the same input",
                f"outputs that differ by {change:.3g} when {rows} rows are evaluated again",
                "disable dropout and batch statistics, for instance by network.eval()",
                "function",
            )


def outputs(result: object, rows: int) -> Tensor:
    """Validate the outputs of a function and convert them to (B, C) finite numbers in float32 or float64.

    Args:
        result: Return value of the function.
        rows: B, the number of rows of its input.

    Raises:
        InputError: If the result is not a tensor or array of B rows of finite numbers.
    """
    if not isinstance(result, (Tensor, np.ndarray)):
        size = f" of {len(result)}" if isinstance(result, (tuple, list, dict)) else ""
        raise InputError(
            "a function that returns one tensor or array",
            f"a {type(result).__name__}{size}",
            "select one output, for instance lambda x: network(x)[0]",
            "function",
        )
    if result.ndim not in (1, 2) or len(result) != rows:
        raise InputError(
            f"outputs of shape ({rows}, channels), one row per input",
            f"{tuple(result.shape)}",
            "flatten the outputs of each input into one row",
            "function",
        )
    table = channels_last(result, None if result.ndim == 1 else -1, "function").detach()
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
    """Convert labels to (N,) int64 in [0, classes), on the same device.

    Args:
        labels: (N,) whole numbers.
        classes: Number of classes.
        count: Required number of labels, or None for any number.

    Raises:
        InputError: If the labels are text, not whole or out of range, or their number is not `count`.
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
            "one label per sample" if count is None else f"{count} labels, one per sample",
            f"shape {tuple(labels.shape)}",
            "pass a flat list of class numbers",
            "labels",
        )
    numbers = labels.detach().long()
    integral = numbers == labels
    invalid = ~integral | (numbers < 0) | (numbers >= classes)
    if bool(invalid.any()):
        first = int(invalid.byte().argmax())
        raise InputError(
            f"whole labels from 0 to {classes - 1}",
            f"{labels[first].item()} for sample {first} ({int(invalid.sum())} invalid labels)",
            "renumber the classes, or pass the correct number of classes",
            "labels",
        )
    return numbers

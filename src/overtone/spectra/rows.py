"""Tables of samples: one row a sample, every entry a finite number, made a float64 tensor."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.missing_values import entire
from overtone._utils.tensors import ordinary
from overtone.errors import InputError
from overtone.spectra.fields import channels_last


def rows(given: Tensor | ArrayLike, where: str, count: int | None = None) -> Tensor:
    """A table as `table` reads it, in float64."""
    return table(given, where, count).double()


def table(given: Tensor | ArrayLike, where: str, count: int | None = None) -> Tensor:
    """A table (N, columns), or a single column (N,), as a tensor (N, columns) on its own device.

    Args:
        given: Tensor, array, data frame or nested numbers.
        where: Name of the argument, for errors.
        count: How many rows there have to be, or None for any.

    Returns:
        The numbers in float32 or float64, as they came, without their gradient.

    Raises:
        InputError: If an entry is text, complex, NaN or infinite, or the shape is wrong.
    """
    given = entire(given, where)
    entries = ordinary(given, where) if isinstance(given, Tensor) else numeric(np.asarray(given), where)
    if entries.ndim not in (1, 2):
        raise InputError(
            "one row a sample and one column a quantity",
            f"an array of shape {tuple(entries.shape)}",
            "reshape it to (samples, columns)",
            where,
        )
    found = channels_last(entries, None if entries.ndim == 1 else -1, where).detach()
    if count is not None and len(found) != count:
        raise InputError(f"{count} rows, one a sample", f"{len(found)}", "pass the same samples", where)
    if not bool(found.isfinite().all()):
        broken = (~found.isfinite()).any(1)
        first = int(broken.byte().argmax())
        raise InputError(
            "finite numbers in every row",
            f"NaN or infinity in {int(broken.sum())} of {len(found)} rows, first in row {first}",
            "drop or fill these rows",
            where,
        )
    return found


def numeric(array: np.ndarray, where: str) -> np.ndarray:
    """The array itself, or in float64 if it holds objects that are numbers, as a data frame of several kinds does.

    Args:
        array: With the samples along the first axis.
        where: Name of the argument, for errors.

    Raises:
        InputError: If there is text, with its column, or an object that is no number.
    """
    if array.dtype.kind not in "OUS":
        return array
    columns = array.reshape(len(array), -1) if array.ndim else array.reshape(1, 1)
    for number, column in enumerate(columns.T):
        if any(isinstance(entry, (str, bytes)) for entry in column):
            raise InputError(
                "columns of numbers",
                f"text in column {number} ({str(column[0])!r} in its first row)",
                "encode it, for instance as one column of zeros and ones for each category",
                where,
            )
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as wrong:
        raise InputError(
            "columns of numbers", f"objects that are none ({wrong})", "convert them to floats", where
        ) from wrong

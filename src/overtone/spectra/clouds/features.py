"""What the rows of a cloud have to be: at least two different ones."""

from __future__ import annotations

from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra.rows import table


def features(coords: Tensor | ArrayLike, fewest: int = 2) -> Tensor:
    """Rows as a tensor (N, d) in float32 or float64, less their mean; distances do not change by that.

    Args:
        coords: (N, d) table, data frame or array of embeddings.
        fewest: How many rows there have to be at least.

    Raises:
        InputError: If an entry is text or not finite, there are too few rows, or all are the same.
    """
    found = table(coords, "coords")
    if len(found) < fewest:
        raise InputError(f"at least {fewest} rows", f"{len(found)}", "pass more samples", "coords")
    if not bool((found != found[:1]).any()):
        raise InputError(
            "features that vary",
            "constant features: all rows are the same",
            "pass what distinguishes the samples",
            "coords",
        )
    return found - found.mean(0)

"""Peak signal-to-noise ratio over training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from overtone.errors import InputError
from overtone.records.attributes import peak as peak_of

if TYPE_CHECKING:
    import xarray

_ERRORS = {"train": "train_error", "held_out": "held_out_error", "held_out_clean": "clean_error"}


def psnr(record: xarray.Dataset) -> xarray.Dataset:
    """10 log10(peak^2 / mean square error), with the record's attribute `peak`.

    Args:
        record: From `load` or `concat`.

    Returns:
        `train`, `held_out` and `held_out_clean` (step), in dB; infinite for a perfect prediction, NaN where unknown.

    Raises:
        InputError: If the record has no positive `peak`.
    """
    import xarray

    peak = peak_of(record.attrs)
    if not peak:
        got = f"peak {record.attrs.get('peak')!r}"
        raise InputError(
            "a record with a positive peak", got[:80], "annotate the record with its peak", "psnr"
        )
    with np.errstate(divide="ignore"):
        values = {
            name: (2 * np.log10(peak) - np.log10(record[error])) * 10 for name, error in _ERRORS.items()
        }
    return xarray.Dataset({name: value.assign_attrs(units="dB") for name, value in values.items()})

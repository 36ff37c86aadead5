"""Arrays of the schema's variables to an `xarray.Dataset`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from overtone.records.schema import PER_STEP, SCHEMA, STATIC, Header

if TYPE_CHECKING:
    import xarray


def assemble(
    header: Header, steps: NDArray[np.int64], rows: Mapping[str, NDArray[np.float64]]
) -> xarray.Dataset:
    """The Dataset of a record.

    Args:
        header: Bands, channels, static variables and attributes.
        steps: (S,) recorded steps, ascending.
        rows: Every per-step variable, (S, ...).

    Returns:
        A Dataset with the dimensions `step`, `band` and `channel`.
    """
    import xarray

    frequency, value = (str(header.attrs.get(name) or "") for name in ("frequency_unit", "value_unit"))

    def described(units: str, meaning: str) -> dict[str, Any]:
        return {"units": units.format(value=f"({value})" if value else "value unit"), "long_name": meaning}

    data = {
        name: (variable.dims, array[name], described(variable.units, variable.meaning))
        for schema, array in ((STATIC, header.static), (PER_STEP, rows))
        for name, variable in schema.items()
    }
    coords = {
        "step": ("step", steps, {"long_name": "optimizer steps taken"}),
        "band": (
            "band",
            np.sqrt(header.band_low * header.band_high),
            {"units": frequency, "long_name": "band centre"},
        ),
        "band_low": ("band", header.band_low, {"units": frequency, "long_name": "lower band edge"}),
        "band_high": ("band", header.band_high, {"units": frequency, "long_name": "upper band edge"}),
        "channel": ("channel", np.array(header.channels, dtype=str)),
    }
    return xarray.Dataset(data, coords, {**header.attrs, "schema": SCHEMA})

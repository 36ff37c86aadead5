"""Several records joined along a dimension of runs or seeds."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from overtone.errors import InputError

if TYPE_CHECKING:
    import xarray

SAME_BAND = 1e-6
"""Relative difference of band edges below which two bands are the same."""


def concat(
    records: Sequence[xarray.Dataset], dim: str = "run", labels: Sequence[Hashable] | None = None
) -> xarray.Dataset:
    """Join records of the same bands and channels; steps that a record lacks are NaN there.

    Args:
        records: From `load`, or from `concat` along another dimension.
        dim: The new dimension, first of every variable: "run", "seed" or any other new name.
        labels: One coordinate value per record. By default the attribute of that name (`seed`) if all records have it
            and it differs, else 0, 1, 2, ...

    Returns:
        A Dataset. Attributes on which all agree are kept; the others are lists in the attribute `varying`, one value a
        record, None where a record has none.

    Raises:
        InputError: If there are no records, their bands or channels differ, or the labels do not fit.

    Example:
        >>> from overtone.records import Header, concat
        >>> header = Header([0, 1], [1, 2], ["value"], {"target_power": [[0], [1]]})
        >>> runs = [header.record([0], {"residual_power": [[[0], [left]]]}) for left in (0.5, 0.7)]
        >>> joined = concat(runs, labels=["relu", "sine"])
        >>> joined.residual_power.sel(run="sine").values.ravel().tolist()
        [0.0, 0.7]
    """
    import xarray

    if not records:
        raise InputError("at least one record", "none", "pass a list of records", "concat")
    first = records[0]
    if dim in first.dims or dim in first.variables:
        raise InputError("the name of a new dimension", f"{dim!r}", "choose another, like run or seed", "dim")
    for number, record in enumerate(records):
        _check_same(first, record, number)
    # Edges computed on different machines may differ in their last digits. Joined by equality, they would become
    # different bands, so all records get those of the first.
    shared = {name: first[name] for name in ("band", "band_low", "band_high", "channel")}
    agree, varying = _attributes([record.attrs for record in records])
    index = xarray.Variable(dim, _labels(records, dim, labels))
    joined = xarray.concat(
        [record.assign_coords(shared) for record in records],
        dim=dim,
        data_vars="all",
        coords="minimal",
        compat="override",
        join="outer",
        combine_attrs="override",
    )
    joined = joined.assign_coords({dim: index})
    joined.attrs = agree | ({"varying": varying} if varying else {})
    return joined


def _labels(records: Sequence[xarray.Dataset], dim: str, labels: Sequence[Hashable] | None) -> np.ndarray:
    if labels is None:
        known = [record.attrs.get(dim) for record in records]
        # A seed that all records have, each a different one, names them best.
        usable = all(isinstance(k, int | str) for k in known) and len(set(known)) == len(known)
        labels = known if usable and len({type(k) for k in known}) == 1 else range(len(records))
    if len(labels) != len(records) or len(set(labels)) != len(labels):
        raise InputError(
            f"{len(records)} distinct labels", f"{list(labels)}", "name every record once", "labels"
        )
    return np.array(list(labels))


def _check_same(first: xarray.Dataset, record: xarray.Dataset, number: int) -> None:
    source = f"record {number}"
    if "residual_power" not in record or "schema" not in record.attrs:
        raise InputError("a record from load or concat", f"{type(record).__name__}", "load it first", source)
    if first.channel.values.tolist() != record.channel.values.tolist():
        raise InputError(
            f"the channels {first.channel.values.tolist()}",
            f"{record.channel.values.tolist()}",
            "compare runs on signals with the same channels",
            source,
        )
    units = [r.attrs.get("frequency_unit") for r in (first, record)]
    same = (
        first.sizes["band"] == record.sizes["band"]
        and units[0] == units[1]
        and all(
            np.allclose(first[edge].values, record[edge].values, rtol=SAME_BAND, atol=0.0)
            for edge in ("band_low", "band_high")
        )
    )
    if not same:
        raise InputError(
            f"the bands of record 0 ({_band_range(first)})",
            f"different ones ({_band_range(record)})",
            "measure all runs with the same bands, passing bands=...",
            source,
        )


def _band_range(record: xarray.Dataset) -> str:
    top = float(record.band_high.values[-1])
    return f"{record.sizes['band']} up to {top:g} {record.attrs.get('frequency_unit') or ''}".rstrip()


def _attributes(all_attrs: Sequence[dict[Any, Any]]) -> tuple[dict[Any, Any], dict[Any, list[Any]]]:
    agree, varying = {}, {}
    for name in dict.fromkeys(name for attrs in all_attrs for name in attrs):
        values = [attrs.get(name) for attrs in all_attrs]
        if all(value == values[0] for value in values):
            agree[name] = values[0]
        else:
            varying[name] = values
    return agree, varying

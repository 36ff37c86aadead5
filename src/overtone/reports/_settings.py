"""Settings, reasons and provenance of a run, as tables and sentences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import xarray as xr

from overtone._utils.text import format_per_axis, number, plural
from overtone.plots import _bands as bands
from overtone.reports._blocks import TableBlock

_PROVENANCE = ("origin", "estimator", "seed", "device", "dtype", "created", "versions", "schema")
_UNITS = {"nyquist": "frequency_unit", "peak": "value_unit"}
_ELSEWHERE = (
    *(
        "reasons",
        "bandwidth_unit",
        "worth",
        "signal",
        "stop",
        "notes",
        "salvaged",
        "kept",
        "steps",
        "seconds",
    ),
    *(
        "final_errors",
        "parameters",
        "noise_std",
        "noise_low",
        "noise_high",
        "noise_channels",
        "noise_sentence",
    ),
    *("measured", "equation", "gain"),
    *("margins", "restarts", "evaluated", "crowding", "candidates", "trial_steps", "expected"),
)
"""Attributes that the sentences, tiles and captions of the page show."""


def settings_table(record: xr.Dataset) -> TableBlock:
    """Return the table of all attributes that no other part of the page shows, in the record's order."""
    hidden = (*_PROVENANCE, *_ELSEWHERE)
    rows = [
        (_name(k), _with_unit(record, k))
        for k, v in record.attrs.items()
        if k not in hidden and _has_content(v)
    ]
    return TableBlock("Settings", rows)


def provenance_table(record: xr.Dataset) -> TableBlock:
    """Return the table of the record's origin: estimator, seed, machine, versions, time."""
    rows = [(_name(k), shown(record.attrs[k])) for k in _PROVENANCE if _has_content(record.attrs.get(k))]
    return TableBlock("Provenance", rows)


def plan_reasons(record: xr.Dataset) -> list[str]:
    """Return the plan and the reasons for it, one sentence each; empty if the record has no reasons."""
    reasons = stored_sentences(record.attrs.get("reasons"))
    return [_plan(record), *reasons] if reasons else []


def _plan(record: xr.Dataset) -> str:
    """Describe the plan, such as "Plan: bandwidth 12 Hz, adam at 0.001, at most 2,000 steps."."""
    attrs, parts = record.attrs, []
    if _has_content(attrs.get("bandwidth")):
        # A controller changes the bandwidth, so that the attribute is no longer that of the plan.
        ends = " in the end" if _has_content(attrs.get("actions")) else ""
        parts.append(
            f"bandwidth {format_per_axis(map(float, attrs['bandwidth']))} {bands.bandwidth_unit(record)}{ends}"
        )
    options = attrs.get("options") or {}
    if _has_content(options.get("optimizer")) and _has_content(options.get("lr")):
        parts.append(f"{options['optimizer']} at {options['lr']:g}")
    limits = [plural(options["steps"], "step")] if _has_content(options.get("steps")) else []
    limits += [f"{number(options['seconds'])} s"] if _has_content(options.get("seconds")) else []
    if limits:
        parts.append(f"at most {' or '.join(limits)}")
    return f"Plan: {', '.join(parts) or 'as below'}."


def training_notes(record: xr.Dataset) -> list[str]:
    """Return sentences on irregularities of the run: restarts, dependent samples, rounded inputs."""
    out = []
    for restart in record.attrs.get("restarts") or ():
        if isinstance(restart, Mapping) and "step" in restart and "after" in restart:
            earlier_rows = f"; the rows until then are in {restart['kept']}" if restart.get("kept") else ""
            out.append(
                f"Training began again at step {restart['step']}, after step {restart['after']}{earlier_rows}."
            )
    if _has_content(record.attrs.get("evaluated")):
        out.append(
            f"The network was evaluated at {record.attrs['evaluated']}: its output at a sample depends on the other "
            "samples."
        )
    crowding = record.attrs.get("crowding") or {}
    if all(name in crowding for name in ("dtype", "samples", "distinct")):
        out.append(_crowded(**crowding))
    return out


def _crowded(dtype: str, samples: int, distinct: int, moved: float | None = None) -> str:
    """Describe how rounding changed the network's inputs."""
    what = f"{samples} different ones became {distinct}"
    if distinct == samples:
        what = f"neighbours moved by up to {moved or 0:.2g} of their distance"
    return f"The network received {dtype} inputs. Rounding changed the samples: {what}."


def stored_sentences(value: Any) -> list[str]:
    """Return one stored sentence or several as a list."""
    return (
        []
        if not _has_content(value)
        else [str(v) for v in value]
        if isinstance(value, list | tuple)
        else [str(value)]
    )


def _has_content(value: Any) -> bool:
    """Return whether an attribute has content."""
    return value is not None and not (isinstance(value, str | list | tuple | dict) and not value)


def shown(value: Any) -> str:
    """Format an attribute: lists with commas, mappings as "name value" pairs, numbers as they are."""
    if isinstance(value, Mapping):
        return "; ".join(f"{_name(str(k))} {shown(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(shown(v) for v in value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return (
        value
        if isinstance(value, str)
        else "yes"
        if value is True
        else "no"
        if value is False
        else json.dumps(value, default=str)
    )


def _with_unit(record: xr.Dataset, key: str) -> str:
    unit = record.attrs.get(_UNITS[key]) if key in _UNITS else None
    if key == "bandwidth":
        unit = bands.bandwidth_unit(record)
    return f"{shown(record.attrs[key])} {unit or ''}".strip()


def _name(key: str) -> str:
    return key.replace("_", " ")

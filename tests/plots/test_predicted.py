"""Predicted beside measured learning steps."""

from __future__ import annotations

import numpy as np

from overtone.plots import PredictedSteps
from tests.records.toy import toy_record


def test_a_record_beside_itself_lies_on_the_line() -> None:
    record = toy_record()
    d = PredictedSteps(record.assign_attrs(pilot=3), measured=record)
    both = np.isfinite(d.data.measured.values)
    assert both.any()
    np.testing.assert_array_equal(d.data.predicted.values[both], d.data.measured.values[both])
    assert d.data.attrs["pilot"] == 3
    fig = d.against()
    shown = [trace for trace in fig.data if "markers" in trace.mode]
    for trace in shown:
        np.testing.assert_array_equal(trace.x, trace.y)
    assert sum(len(trace.x) for trace in shown) == both.sum()


def test_bands_are_matched_by_their_centres() -> None:
    record = toy_record()
    shifted = record.isel(band=slice(1, None))
    d = PredictedSteps(record, measured=shifted).data
    whole = PredictedSteps(record, measured=record).data
    first = np.flatnonzero(np.isfinite(whole.measured.values))[-1]
    assert d.measured.values[first] == whole.measured.values[first]


def test_the_span_is_drawn_and_unknown_ends_are_not() -> None:
    record = toy_record()
    steps = PredictedSteps(record).data.predicted.values
    kept = record.sizes["band"]
    late = np.full(kept, np.nan)
    early = np.zeros(kept)
    fig = PredictedSteps(record, early, late).plotly()
    bars = fig.data[-1].error_y
    assert not np.asarray(bars.array).any()
    np.testing.assert_array_equal(bars.arrayminus, steps[np.isfinite(steps)])
    assert fig.data[-1].name == "predicted"
    assert len(fig.data) == 1


def test_it_is_described_with_its_steps() -> None:
    record = toy_record()
    steps = PredictedSteps(record).data.predicted.values
    said = PredictedSteps(record, measured=record).describe()
    assert f"of {np.isfinite(steps).sum()} bands" in said
    assert f"to {int(np.nanmax(steps)):,}" in said
    assert "measured ones" in said
    unlearned = record.assign(residual_power=record.target_power.broadcast_like(record.residual_power))
    assert PredictedSteps(unlearned).describe().startswith("No band is predicted to be learned by step")

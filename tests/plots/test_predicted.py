"""Predicted beside measured learning steps."""

from __future__ import annotations

import numpy as np

from overtone.plots import predicted
from tests.records.toy import toy_record


def test_a_record_beside_itself_lies_on_the_line() -> None:
    record = toy_record()
    d = predicted.data(record.assign_attrs(pilot=3), measured=record)
    both = np.isfinite(d.measured.values)
    assert both.any()
    np.testing.assert_array_equal(d.predicted.values[both], d.measured.values[both])
    assert d.attrs["pilot"] == 3
    fig = predicted.against(d)
    shown = [trace for trace in fig.data if "markers" in trace.mode]
    for trace in shown:
        np.testing.assert_array_equal(trace.x, trace.y)
    assert sum(len(trace.x) for trace in shown) == both.sum()


def test_bands_are_matched_by_their_centres() -> None:
    record = toy_record()
    shifted = record.isel(band=slice(1, None))
    d = predicted.data(record, measured=shifted)
    whole = predicted.data(record, measured=record)
    first = np.flatnonzero(np.isfinite(whole.measured.values))[-1]
    assert d.measured.values[first] == whole.measured.values[first]


def test_the_span_is_drawn_and_unknown_ends_are_not() -> None:
    record = toy_record()
    steps = predicted.data(record).predicted.values
    kept = record.sizes["band"]
    late = np.full(kept, np.nan)
    early = np.zeros(kept)
    fig = predicted.figure(predicted.data(record, early, late))
    bars = fig.data[-1].error_y
    assert not np.asarray(bars.array).any()
    np.testing.assert_array_equal(bars.arrayminus, steps[np.isfinite(steps)])
    assert fig.data[-1].name == "predicted"
    assert len(fig.data) == 1
